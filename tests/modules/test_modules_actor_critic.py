"""Actors and what they read: probabilities against loops and integrals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import random, to_jax, to_numpy
from hieros_eqx.config import BehaviourConfig, SubgoalConfig
from hieros_eqx.modules import CategoricalActor, NormalActor, make_actor, policy_input, policy_input_size
from hieros_eqx.types import ActionSpace
from tests.modules.builders import TINY, filled, latent
from tests.oracles import distributions

CODES = SubgoalConfig(factors=3, classes=5, hidden=6)
SMALL = BehaviourConfig(hidden=6, layers=2, unimix=0.1)


def code_actor(reduce, rng):
    return filled(partial(CategoricalActor, 4, 3, 5, 6, 2, 0.1, reduce), rng)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_categorical_log_prob_and_entropy(rng, reduce):
    actor = code_actor(reduce, rng)
    dist = actor(3 * rng.normal(size=(7, 2, 4)))
    action = actor.sample(dist, rng.gumbel(size=dist.shape))
    join = np.sum if reduce == "sum" else np.mean
    for where in np.ndindex(7, 2):
        choice = action[where].reshape(3, 5)
        log_probs = [distributions.log_prob(dist[where][f], choice[f]) for f in range(3)]
        entropies = [distributions.entropy(dist[where][f]) for f in range(3)]
        assert actor.log_prob(dist, action)[where] == pytest.approx(join(log_probs), rel=1e-9)
        assert actor.entropy(dist)[where] == pytest.approx(join(entropies), rel=1e-9)


def test_categorical_choices(rng):
    actor = code_actor("sum", rng)
    dist = actor(rng.normal(size=(7, 4)))
    noise = rng.gumbel(size=dist.shape)
    np.testing.assert_allclose(np.exp(dist).sum(-1), 1, rtol=1e-12)
    assert np.exp(dist).min() >= 0.1 / 5
    for action, scores in ((actor.sample(dist, noise), dist + noise), (actor.mode(dist), dist)):
        want = distributions.each(distributions.one_hot_of_argmax, scores).reshape(7, 15)
        np.testing.assert_array_equal(action, want)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_samples_have_the_distribution_s_frequencies(rng, backend):
    actor = code_actor("sum", rng)
    dist = actor(rng.normal(size=4))
    noise = actor.draw_noise(random.key(0, backend), (20_000,))
    assert noise.shape == (20_000, 3, 5)
    frequency = np.asarray(actor.sample(np.broadcast_to(dist, noise.shape), np.asarray(noise))).mean(0)
    np.testing.assert_allclose(frequency.reshape(3, 5), np.exp(dist), atol=0.015)  # 4 standard errors


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_uniform_actions_know_nothing_of_the_policy(rng, backend):
    codes = np.asarray(code_actor("sum", rng).draw_uniform(random.key(0, backend), (20_000,)))
    np.testing.assert_array_equal(codes.reshape(-1, 3, 5).sum(-1), 1)
    np.testing.assert_allclose(codes.mean(0), 1 / 5, atol=0.012)  # 4 standard errors
    force = np.asarray(normal_actor(rng).draw_uniform(random.key(0, backend), (20_000,)))
    assert force.shape == (20_000, 2)
    assert -1 <= force.min() < -0.999 and 0.999 < force.max() <= 1
    tenths = np.histogram(force, bins=10, range=(-1, 1))[0] / force.size
    np.testing.assert_allclose(tenths, 0.1, atol=0.006)


def normal_actor(rng, size=2):
    return filled(partial(NormalActor, 4, size, 6, 2), rng)


def density(actor, dist):
    """Grid over the actions of one dimension, with their log-density; fine near the ends."""
    x = np.linspace(-12, 12, 40_001)
    action = np.tanh(x)
    keep = abs(action) < 1 - 1e-6
    return action[keep], actor.log_prob(np.broadcast_to(dist, (keep.sum(), 2)), action[keep][:, None])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.7, 0.5), (-3.0, 1.0), (2.0, 0.1)])
def test_squashed_normal_integrates_to_one_and_has_its_entropy(rng, mean, std):
    actor, dist = normal_actor(rng, 1), np.array([mean, std])
    action, log_density = density(actor, dist)
    total = np.trapezoid(np.exp(log_density), action)
    assert total == pytest.approx(1, abs=2e-4)  # what lies beyond 1 - 1e-6
    want = -np.trapezoid(np.exp(log_density) * log_density, action)
    assert actor.entropy(dist) == pytest.approx(want, abs=3e-3)


def test_squashed_normal_sums_over_dimensions(rng):
    actor = normal_actor(rng)
    dist = actor(3 * rng.normal(size=(7, 3, 4)))
    noise = rng.normal(size=(7, 3, 2))
    action = actor.sample(dist, noise)
    mean, std = dist[..., :2], dist[..., 2:]
    assert abs(mean).max() <= 3
    assert 0.1 <= std.min() <= std.max() <= 1
    x = mean + std * noise
    np.testing.assert_allclose(action, np.tanh(x), rtol=1e-12)
    np.testing.assert_array_equal(actor.mode(dist), np.tanh(mean))
    one = np.log(np.exp(-0.5 * noise**2) / (std * np.sqrt(2 * np.pi)) / (1 - np.tanh(x) ** 2))
    np.testing.assert_allclose(actor.log_prob(dist, action), one.sum(-1), rtol=1e-6)
    single = normal_actor(rng, 1)
    halves = [single.entropy(np.stack([dist[..., i], dist[..., i + 2]], axis=-1)) for i in range(2)]
    np.testing.assert_allclose(actor.entropy(dist), sum(halves), rtol=1e-12)
    assert actor.draw_noise(random.key(0, "numpy"), (5,)).shape == (5, 2)


def test_extreme_actions_keep_finite_float32_gradients(rng):
    actor = normal_actor(rng)
    dist = jnp.asarray([[3.0, -3.0, 1.0, 0.1]], jnp.float32)
    action = jnp.asarray([[1.0, -1.0]], jnp.float32)
    gradient = jax.jit(jax.grad(lambda d: (actor.log_prob(d, action) + actor.entropy(d)).sum()))(dist)
    assert np.all(np.isfinite(gradient))


@pytest.mark.x64
def test_gradients_are_those_of_the_log_probability_alone(rng):
    actor = code_actor("sum", rng)
    x, noise = to_jax((rng.normal(size=(2, 4)), rng.gumbel(size=(2, 3, 5))))
    dist = actor(x)
    assert not np.any(jax.grad(lambda d: actor.sample(d, noise).sum())(dist))


@pytest.mark.parametrize(
    ("action", "shape"),
    [
        (ActionSpace(kind="discrete", size=4), (1, 4)),
        (ActionSpace(kind="continuous", size=3), (6,)),
        (CODES, (3, 5)),
    ],
    ids=["discrete", "continuous", "code"],
)
def test_make_actor(rng, action, shape):
    actor = filled(partial(make_actor, 7, action, SMALL), rng)
    dist = actor(rng.normal(size=(2, 7)))
    assert dist.shape == (2, *shape)
    assert actor.mode(dist).shape == (2, actor.action_size)
    assert actor.log_prob(dist, actor.mode(dist)).shape == (2,)


def test_make_actor_joins_codes_as_configured(rng):
    for choice in ("sum", "mean"):
        config = BehaviourConfig(hidden=6, layers=2, code_log_prob=choice)
        assert filled(partial(make_actor, 7, CODES, config), rng).reduce == choice


def test_actors_start_close_to_uniform(rng):
    actor = to_numpy(make_actor(7, CODES, SMALL, key=jax.random.key(0)))
    dist = actor(rng.normal(size=(5, 7)).astype(np.float32))
    np.testing.assert_allclose(np.exp(dist), 0.2, atol=0.01)


@pytest.mark.parametrize("goal_input", ["code", "decoded"])
def test_policy_input(rng, goal_input):
    config = BehaviourConfig(goal_input=goal_input)
    goal = rng.normal(size=(4, 15 if goal_input == "code" else TINY.deter))
    reward, continuation, x = 50 * rng.normal(size=4), rng.random(4), latent(rng, 4)
    got = policy_input(x, goal, reward, continuation)
    for i in range(4):
        scalars = [distributions.symlog(v) for v in (reward[i], continuation[i], x.entropy[i])]
        want = [*x.deter[i], *x.stoch[i].ravel(), *goal[i], *scalars]
        np.testing.assert_allclose(got[i], want, rtol=1e-12)
    assert got.shape[-1] == policy_input_size(TINY, CODES, config)


@pytest.mark.x64
def test_no_gradient_goes_through_the_policy_input(rng):
    arguments = to_jax((latent(rng, 4), rng.normal(size=(4, 15)), rng.normal(size=4), rng.random(4)))
    gradient = jax.grad(lambda a: policy_input(*a).sum())(arguments)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
