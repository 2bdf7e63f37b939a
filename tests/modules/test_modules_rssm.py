"""RSSM against the definition, step by step; both evaluations, both backends, resets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import to_jax
from tests.modules.builders import (
    IMAGE,
    VECTOR,
    WINDOW,
    A,
    B,
    T,
    float32_jax,
    latent,
    sequence,
    tiny,
    world_model,
)
from tests.modules.test_modules_world_model import assert_close, observe, observe_by_steps
from tests.oracles import distributions, sequences

CONFIG = tiny(kind="rssm")


@pytest.fixture(scope="module")
def model():
    return world_model(np.random.default_rng(5), kind="rssm")


def test_a_sequence_is_the_definition_step_by_step(rng, model):
    observation, action, is_first, before, gumbel = arguments = sequence(rng, config=CONFIG)
    got = observe(model, *arguments)
    embedded = model.encoder(observation)
    for b in range(B):
        stoch, deter = before.stoch[b], before.deter[b]
        for t in range(T):
            led = action[t, b]
            if is_first[t, b]:
                stoch, deter, led = 0 * stoch, np.tanh(model.start), 0 * led
            u = model.input(np.concatenate([stoch.ravel(), led]))
            norm = model.gates_norm
            deter = sequences.gru(model.gates.weight, norm.scale, norm.offset, u, deter)
            posterior = model.posterior(np.concatenate([deter, embedded[t, b]]))
            stoch = distributions.each(distributions.one_hot_of_argmax, posterior + gumbel[t, b])
            prior = model.prior(deter)
            np.testing.assert_allclose(got.latent.deter[t, b], deter, rtol=1e-9)
            np.testing.assert_allclose(got.prior[t, b], prior, rtol=1e-9)
            np.testing.assert_allclose(got.posterior[t, b], posterior, rtol=1e-9)
            np.testing.assert_array_equal(got.latent.stoch[t, b], stoch)
            entropy = distributions.each(distributions.entropy, prior).sum()
            np.testing.assert_allclose(got.latent.entropy[t, b], entropy, rtol=1e-9)


@pytest.mark.parametrize("observation", [IMAGE, VECTOR, WINDOW], ids=["image", "vector", "window"])
def test_sequence_is_repeated_steps(rng, observation):
    model, arguments = world_model(rng, observation, kind="rssm"), sequence(rng, observation, CONFIG)
    assert_close(observe(model, *arguments), observe_by_steps(model, *arguments), rtol=1e-9, atol=1e-12)


@pytest.mark.x64
def test_jax_is_numpy(rng, model):
    arguments = sequence(rng, config=CONFIG)
    got = jax.jit(observe)(*to_jax((model, *arguments)))
    assert_close(got, observe(model, *arguments), rtol=1e-9, atol=1e-11)


def test_nothing_older_than_is_first_is_seen(rng, model):
    observation, action, is_first, before, gumbel = sequence(rng, config=CONFIG)
    one = observe(model, observation, action, is_first, before, gumbel)
    past = (np.arange(T) <= 4)[:, None, None]  # up to the reset at t = 4 of sequences 1 and 2
    earlier = (np.arange(T) < 4)[:, None, None]
    other = observe(
        model,
        np.where(earlier, rng.normal(size=observation.shape), observation),
        np.where(past, rng.normal(size=action.shape), action),
        is_first,
        latent(rng, B, config=CONFIG),
        gumbel,
    )
    np.testing.assert_array_equal(one.latent.deter[4:, 1:], other.latent.deter[4:, 1:])
    assert np.all(abs(one.latent.deter - other.latent.deter)[4:, 0].max(-1) > 1e-6)  # no reset: it remembers


def test_imagination_is_the_dynamics_without_the_observation(rng, model):
    observation, action, _, before, gumbel = sequence(rng, config=CONFIG)
    seen = model.observe_step(None, observation[0], action[0], np.zeros(B, bool), before, gumbel[0])
    imagined = model.imagine_step(None, before, action[0], gumbel[1])
    np.testing.assert_allclose(imagined.deter, seen.latent.deter, rtol=1e-12)
    np.testing.assert_allclose(imagined.entropy, seen.latent.entropy, rtol=1e-12)
    want = distributions.each(distributions.one_hot_of_argmax, seen.prior + gumbel[1])
    np.testing.assert_array_equal(imagined.stoch, want)


def test_h_is_all_that_is_carried(rng, model):
    assert CONFIG.state_size == 0
    assert model.initial((2, 3)).state.shape == (2, 3, 0)
    assert observe(model, *sequence(rng, config=CONFIG)).latent.state.shape == (T, B, 0)


def test_the_learned_start_has_a_gradient(rng, model):
    arguments = float32_jax(sequence(rng, config=CONFIG))

    def loss(model):
        return (observe(model, *arguments).latent.deter ** 2).sum()

    gradient = jax.jit(jax.grad(loss))(float32_jax(model))
    assert jnp.all(abs(gradient.start) > 1e-6)
    assert gradient.start.shape == (CONFIG.deter,)
    assert arguments[1].shape == (T, B, A)
