"""S5WM: what a step depends on, both evaluations, both backends, every alternative."""

import math
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import to_jax, to_numpy
from hieros_eqx.config import HierosConfig, WorldModelConfig
from hieros_eqx.core import categorical
from hieros_eqx.modules import (
    S5WM,
    WORLD_MODELS,
    Critic,
    SubgoalAutoencoder,
    TwoHotBins,
    WindowSpec,
    feature,
    make_actor,
    policy_input_size,
)
from hieros_eqx.types import ActionSpace, Latent, ObservationSpace
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
from tests.oracles import distributions

ALTERNATIVES = [
    {},
    {"double": False},
    {"ff_layers": 2},
    {"discretization": "bilinear"},
    {"reset_state": "zeros"},
    {"centre_rate": 0.1},
    {"state_as_deter": False},
    {"state_as_deter": False, "hidden": 5},
    {"normalize_deter": True},
    {"normalize_deter": True, "state_as_deter": False, "hidden": 5},
]


@pytest.fixture(scope="module")
def model():
    return world_model(np.random.default_rng(5))


def assert_close(got, want, **tolerance):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def observe_by_steps(model, observation, action, is_first, before, gumbel):
    prepared, steps = model.prepare(), []
    for t in range(len(is_first)):
        now = jax.tree.map(lambda x, t=t: x[t], observation)
        steps.append(model.observe_step(prepared, now, action[t], is_first[t], before, gumbel[t]))
        before = steps[-1].latent
    return jax.tree.map(lambda *x: np.stack(x), *steps)


def observe(model, *arguments):
    return model.observe(model.prepare(), *arguments)


@pytest.mark.parametrize("changes", ALTERNATIVES, ids=str)
def test_sequence_is_repeated_steps(rng, changes):
    model = world_model(rng, **changes)
    arguments = sequence(rng, config=model.config)
    whole = observe(model, *arguments)._replace(means=None)  # which are of a sequence alone
    assert_close(whole, observe_by_steps(model, *arguments), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("observation", [IMAGE, WINDOW], ids=["image", "window"])
def test_sequence_is_repeated_steps_of_other_observations(rng, observation):
    model, arguments = world_model(rng, observation), sequence(rng, observation)
    assert_close(observe(model, *arguments), observe_by_steps(model, *arguments), rtol=1e-9, atol=1e-12)


@pytest.mark.x64
def test_jax_is_numpy(rng, model):
    arguments = sequence(rng)
    got = jax.jit(observe)(*to_jax((model, *arguments)))
    assert_close(got, observe(model, *arguments), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("observation", [IMAGE, VECTOR, WINDOW], ids=["image", "vector", "window"])
def test_float32_jit_against_float64_numpy(rng, observation):
    model, arguments = world_model(rng, observation), sequence(rng, observation)
    reward, terminal = rng.normal(size=(T, B)), rng.random((T, B)) < 0.5

    def evaluate(model, arguments, reward, terminal):
        observed = observe(model, *arguments)
        following = model.imagine_step(
            model.prepare(), observed.latent, arguments[1], jnp.ones_like(arguments[-1])
        )
        return observed, model.losses(observed, arguments[0], reward, terminal), following

    inputs = (model, arguments, reward, terminal)
    got = jax.jit(evaluate)(*float32_jax(inputs))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(got))
    # Rounding 6e-8 over some ten layers and seven steps; the reward bins are 1e8 apart.
    assert_close(got, evaluate(*inputs), rtol=2e-3, atol=2e-4)


def map_of_the_real_parts(model, latent):
    states = latent.state.reshape(T, B, 4, 2, 4)  # layers, (re, im), P
    flat = np.array([[states[t, b, :, 0].ravel() for b in range(B)] for t in range(T)])
    return flat @ model.deter.weight + model.deter.bias


def test_h_is_the_symlog_of_a_map_of_the_real_parts(rng, model):
    observed = observe(model, *sequence(rng))
    want = map_of_the_real_parts(model, observed.latent)
    np.testing.assert_allclose(observed.latent.deter, np.sign(want) * np.log1p(abs(want)), rtol=1e-9)


def test_h_from_m(rng):
    """With equal sizes h is symlog(m) itself, so the prior can be computed from it."""
    model = world_model(rng, state_as_deter=False, hidden=5)
    observed = observe(model, *sequence(rng))
    m = np.sign(observed.latent.deter) * np.expm1(abs(observed.latent.deter))
    assert model.deter is None
    np.testing.assert_allclose(model.prior(m), observed.prior, rtol=1e-9)


def test_normalised_h(rng):
    model = world_model(rng, normalize_deter=True)
    observed = observe(model, *sequence(rng))
    norm = model.deter_norm
    want = distributions.each(
        lambda row: distributions.layer_norm(row, norm.scale, norm.offset, 1e-3),
        map_of_the_real_parts(model, observed.latent),
    )
    np.testing.assert_allclose(observed.latent.deter, np.sign(want) * np.log1p(abs(want)), rtol=1e-9)


def test_recentred_moves_the_centres_alone(rng):
    model = world_model(rng, centre_rate=0.1)
    means = observe(model, *sequence(rng)).means
    moved = model.recentred(means)
    np.testing.assert_allclose(moved.stack.centre, 0.9 * model.stack.centre + 0.1 * means, rtol=1e-12)
    back = eqx.tree_at(lambda m: m.stack.centre, moved, model.stack.centre)
    assert_close(back, model, rtol=0)


def test_posterior_does_not_see_the_past(rng, model):
    observation, action, is_first, before, gumbel = sequence(rng)
    one = observe(model, observation, action, is_first, before, gumbel)
    other = observe(model, observation, -action, ~is_first, latent(rng, B), gumbel)
    np.testing.assert_array_equal(one.posterior, other.posterior)
    np.testing.assert_array_equal(one.latent.stoch, other.latent.stoch)
    want = distributions.each(distributions.one_hot_of_argmax, one.posterior + gumbel)
    np.testing.assert_array_equal(one.latent.stoch, want)
    mixed = distributions.each(
        lambda row: distributions.unimix(row, 0.01),
        model.posterior.mlp(model.encoder(observation)).reshape(T, B, 3, 4),
    )
    np.testing.assert_allclose(one.posterior, mixed, rtol=1e-9)


def test_nothing_older_than_is_first_is_seen(rng, model):
    """Changing all inputs before a reset, its own previous action too, changes nothing from the reset on."""
    observation, action, is_first, before, gumbel = sequence(rng)
    one = observe(model, observation, action, is_first, before, gumbel)
    past = (np.arange(T) <= 4)[:, None, None]  # up to the reset at t = 4 of sequences 1 and 2
    earlier = (np.arange(T) < 4)[:, None, None]
    other = observe(
        model,
        np.where(earlier, rng.normal(size=observation.shape), observation),
        np.where(past, rng.normal(size=action.shape), action),
        is_first,
        latent(rng, B),
        gumbel,
    )
    for name in ("deter", "state", "entropy"):
        a, b = (np.asarray(getattr(x.latent, name)) for x in (one, other))
        np.testing.assert_array_equal(a[4:, 1:], b[4:, 1:])
        assert np.all(abs(a[4:, 0] - b[4:, 0]).reshape(3, -1).max(-1) > 1e-6)  # no reset: it remembers
        assert np.all(abs(a[:4] - b[:4]).reshape(4, -1).max(-1) > 1e-6)


def test_before_is_the_latent_before_index_zero(rng, model):
    """The second half of a sequence, started from the latent at its border, ends as the whole does."""
    observation, action, is_first, before, gumbel = sequence(rng)
    is_first[4] = False
    whole = observe(model, observation, action, is_first, before, gumbel)
    border = jax.tree.map(lambda x: x[3], whole.latent)
    half = observe(model, observation[4:], action[4:], is_first[4:], border, gumbel[4:])
    assert_close(half, jax.tree.map(lambda x: x[4:], whole), rtol=1e-9)
    without_z = border._replace(stoch=np.zeros_like(border.stoch))
    other = observe(model, observation[4:], action[4:], is_first[4:], without_z, gumbel[4:])
    assert np.all(abs(other.latent.deter - half.latent.deter).max((0, 2)) > 1e-6)


def test_imagination_is_the_dynamics_without_the_observation(rng, model):
    observation, action, _, before, gumbel = sequence(rng)
    seen = model.observe_step(
        model.prepare(), observation[0], action[0], np.zeros(B, bool), before, gumbel[0]
    )
    imagined = model.imagine_step(model.prepare(), before, action[0], gumbel[1])
    for name in ("deter", "state", "entropy"):
        np.testing.assert_allclose(getattr(imagined, name), getattr(seen.latent, name), rtol=1e-12)
    want = distributions.each(distributions.one_hot_of_argmax, seen.prior + gumbel[1])
    np.testing.assert_array_equal(imagined.stoch, want)
    entropy = distributions.each(distributions.entropy, seen.prior).sum(-1)
    np.testing.assert_allclose(imagined.entropy, entropy, rtol=1e-9)


def test_predictions_read_h_then_z(rng, model):
    x = latent(rng, 4)
    flat = np.stack([np.concatenate([x.deter[i], x.stoch[i].ravel()]) for i in range(4)])
    np.testing.assert_array_equal(feature(x), flat)
    np.testing.assert_array_equal(model.feature(x), flat)
    reward = model.predictions.reward
    np.testing.assert_allclose(model.predict_reward(x), reward.mean(reward.logits(flat)))
    odds = model.predictions.continuation.mlp(flat)[:, 0]
    np.testing.assert_allclose(model.predict_continuation(x), 1 / (1 + np.exp(-odds)))
    decoder = model.predictions.decoder
    np.testing.assert_allclose(model.decode(x), decoder.to_observation(decoder(flat)))


def test_initial_and_goal_latents(rng, model):
    zero = model.initial((2, 3))
    assert [x.shape for x in zero] == [(2, 3, 3, 4), (2, 3, 5), (2, 3, model.config.state_size), (2, 3)]
    assert not any(np.any(x) for x in zero)
    goal = rng.normal(size=(2, 5))
    seen = model.goal_latent(goal)
    np.testing.assert_array_equal(seen.deter, goal)
    logits = model.predictions.goal.mlp(goal).reshape(2, 3, 4)
    np.testing.assert_array_equal(seen.stoch, distributions.each(distributions.one_hot_of_argmax, logits))
    assert not np.any(seen.state)


def test_construction_under_vmap_and_plain_jit():
    """Levels and seeds are stacked; every leaf is a float32 array, so that plain `jax.jit` takes a module."""
    make = partial(S5WM, tiny(), WINDOW, A)
    stacked = eqx.filter_eval_shape(
        lambda keys: eqx.filter_vmap(lambda key: make(key=key))(keys), jax.random.split(jax.random.key(0), 2)
    )
    alone = eqx.filter_eval_shape(make, key=jax.random.key(0))
    for many, one in zip(jax.tree.leaves(stacked), jax.tree.leaves(alone), strict=True):
        assert many.shape == (2, *one.shape)
        assert many.dtype == one.dtype == np.float32
    assert hash(jax.tree.structure(alone)) == hash(jax.tree.structure(stacked))


def test_fresh_module_acts_in_numpy_and_jit(rng):
    """A fresh module is finite, its reward exactly 0, and its float32 jit is its NumPy float64."""
    config = tiny(num_blocks=1, double=False, head_layers=1, mlp_layers=1)
    model = S5WM(config, VECTOR, A, key=jax.random.key(3))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(model))
    arguments = sequence(rng, config=config)
    want = observe(to_numpy(model, np.float64), *arguments)
    assert_close(jax.jit(observe)(*float32_jax((model, *arguments))), want, rtol=1e-3, atol=1e-4)
    assert isinstance(want.latent, Latent)
    assert not np.any(to_numpy(model, np.float64).predict_reward(want.latent))


def test_size_of_the_paper_agent():
    """About 54 M parameters with three levels (docs/algorithm.md, section 7), not counting slow critics."""
    config = HierosConfig()
    world = config.world_model
    inputs = policy_input_size(world, config.subgoal, config.behaviour)
    window = WindowSpec(window=4, stoch=world.stoch, classes=world.classes, deter=world.deter)
    image = ObservationSpace(kind="image", shape=(64, 64, 3))
    bins = TwoHotBins(num=world.bins, space=world.bin_space)

    def count(make):
        return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter_eval_shape(make, key=jax.random.key(0))))

    critics = 3 * count(partial(Critic, inputs, 256, 2, bins))
    autoencoder = count(partial(SubgoalAutoencoder, world.deter, config.subgoal))
    games = ActionSpace(kind="discrete", size=18)
    worker = count(partial(S5WM, world, image, 18))
    worker += count(partial(make_actor, inputs, games, config.behaviour))
    upper = count(partial(S5WM, world, window, 64))
    upper += count(partial(make_actor, inputs, config.subgoal, config.behaviour))
    assert worker + 2 * upper + 3 * (critics + autoencoder) == pytest.approx(54e6, rel=0.05)


@pytest.mark.parametrize("kind", ["s5wm", "rssm"])
def test_posteriors_start_as_sharp_as_configured(kind):
    """Logits of a fresh posterior are `posterior_scale` times as large; everything else starts alike."""
    plain, sharp = (
        WORLD_MODELS[kind](
            WorldModelConfig(deter=16, mlp_width=64, bins=41, posterior_scale=scale, unimix=0),
            VECTOR,
            A,
            key=jax.random.key(0),
        )
        for scale in (1.0, 4.0)
    )
    np.testing.assert_allclose(
        sharp.posterior.mlp.output.weight, 4 * plain.posterior.mlp.output.weight, rtol=1e-6
    )
    rest = eqx.tree_at(lambda m: m.posterior.mlp.output.weight, sharp, plain.posterior.mlp.output.weight)
    assert_close(rest.prior, plain.prior)
    assert_close(rest.posterior, plain.posterior)
    x = np.random.default_rng(0).normal(
        size=(50, plain.posterior.mlp.hidden.layers[0].linear.weight.shape[0])
    )
    nats = [categorical.entropy(m.posterior(jnp.float32(x))).mean() for m in (plain, sharp)]
    assert nats[0] > 0.9 * math.log(32), "nearly a guess"
    assert nats[1] < 0.8 * math.log(32)
