"""Intrinsic rewards, likelihoods, moving averages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.core import likelihood, normalise, rewards
from tests.oracles import distributions, sampling


@pytest.mark.x64
@pytest.mark.parametrize("squared", [True, False])
def test_subgoal_reward(xp, rng, squared):
    goal, state = rng.normal(size=(2, 7, 3, 4))
    want = distributions.each(lambda g, h: distributions.subgoal_reward(g, h, squared), goal, state)
    np.testing.assert_allclose(rewards.subgoal_reward(xp(goal), xp(state), squared), want, rtol=1e-10)


@pytest.mark.x64
@pytest.mark.parametrize("squared", [True, False])
def test_mean_subgoal_reward(xp, rng, squared):
    goals, state = rng.normal(size=(5, 4)), rng.normal(size=(7, 3, 4))
    goals[2], state[1, 1] = 0, 0
    want = np.zeros(state.shape[:-1])
    for index in np.ndindex(*want.shape):
        each = [distributions.subgoal_reward(goal, state[index], squared) for goal in goals]
        want[index] = np.mean([max(0.0, reward) for reward in each])
    got = rewards.mean_subgoal_reward(xp(goals), xp(state), squared)
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_subgoal_reward_at_the_goal_away_from_it_and_without_one(xp, rng):
    state = rng.normal(size=(3, 4))
    np.testing.assert_allclose(rewards.subgoal_reward(xp(state), xp(state)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(rewards.subgoal_reward(xp(-state), xp(state)), -1.0, rtol=1e-6)
    np.testing.assert_allclose(rewards.subgoal_reward(xp(2 * state), xp(state)), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(rewards.subgoal_reward(xp(0 * state), xp(state)), 0.0)


@pytest.mark.parametrize("squared", [True, False])
def test_zero_vectors_have_finite_gradients(squared):
    zero, one = jnp.zeros(4, jnp.float32), jnp.ones(4, jnp.float32)
    for goal, state in [(zero, one), (one, zero), (zero, zero)]:
        gradients = jax.grad(lambda g, h: rewards.subgoal_reward(g, h, squared), argnums=(0, 1))(goal, state)
        assert np.isfinite(gradients).all()
        among = jax.grad(lambda g, h: rewards.mean_subgoal_reward(g[None], h, squared), argnums=(0, 1))
        assert np.isfinite(among(goal, state)).all()
    assert np.isfinite(jax.grad(rewards.novelty_reward)(one, one)).all()


@pytest.mark.x64
@pytest.mark.parametrize("norm", ["l2", "mse"])
def test_novelty_reward(xp, rng, norm):
    state, reconstruction = rng.normal(size=(2, 7, 3, 4))
    want = distributions.each(lambda a, b: distributions.novelty_reward(a, b, norm), state, reconstruction)
    np.testing.assert_allclose(rewards.novelty_reward(xp(state), xp(reconstruction), norm), want, rtol=1e-12)
    np.testing.assert_allclose(rewards.novelty_reward(xp(state), xp(state), norm), 0.0, atol=1e-11)


def test_unknown_norm(rng):
    function = getattr(rewards.novelty_reward, "__wrapped__", rewards.novelty_reward)
    with pytest.raises(ValueError, match="mse"):
        function(rng.normal(size=4), rng.normal(size=4), "l1")


@pytest.mark.x64
def test_bernoulli_log_prob(xp, rng):
    logits, x = 3 * rng.normal(size=(7, 3)), rng.random((7, 3))
    want = np.vectorize(distributions.bernoulli_log_prob)(logits, x)
    np.testing.assert_allclose(likelihood.bernoulli_log_prob(xp(logits), xp(x)), want, rtol=1e-10)


def test_bernoulli_log_prob_far_out(xp):
    logits = xp(np.array([80.0, -80.0, 80.0]))
    got = likelihood.bernoulli_log_prob(logits, xp(np.array([1.0, 0.0, 0.0])))
    np.testing.assert_allclose(got, [-np.exp(-80), -np.exp(-80), -80], rtol=1e-5)


@pytest.mark.x64
def test_squared_errors(xp, rng):
    prediction, target = rng.normal(size=(2, 7, 3, 4))
    square = (prediction - target) ** 2
    np.testing.assert_allclose(
        likelihood.squared_error(xp(prediction), xp(target)), square.sum(2), rtol=1e-12
    )
    np.testing.assert_allclose(
        likelihood.squared_error(xp(prediction), xp(target), 2), square.sum((1, 2)), rtol=1e-12
    )
    squashed = np.vectorize(distributions.symlog)(target)
    want = ((prediction - squashed) ** 2).sum((1, 2))
    np.testing.assert_allclose(
        likelihood.symlog_squared_error(xp(prediction), xp(target), 2), want, rtol=1e-12
    )


@pytest.mark.x64
def test_percentiles(xp, rng):
    x = rng.normal(size=(7, 3, 2))
    for q in (0.0, 0.05, 0.5, 0.95, 1.0):
        np.testing.assert_allclose(normalise.percentile(xp(x), q), sampling.quantile(x, q), rtol=1e-12)
    want = sampling.quantile(x, 0.9) - sampling.quantile(x, 0.2)
    np.testing.assert_allclose(normalise.percentile_range(xp(x), 0.2, 0.9), want, rtol=1e-12)


@pytest.mark.x64
def test_bias_corrected_average(xp, rng):
    values, rate = rng.normal(size=(6, 3)), 0.3
    average = xp(np.zeros(3))
    np.testing.assert_array_equal(normalise.ema_corrected(average, 0, rate), 0.0)
    for count in range(1, 7):
        average = normalise.ema(average, xp(values[count - 1]), rate)
        want = sampling.bias_corrected_average(values[:count], rate)
        np.testing.assert_allclose(normalise.ema_corrected(average, count, rate), want, rtol=1e-12)
        per_element = normalise.ema_corrected(average, xp(np.full(3, count, np.int32)), rate)
        np.testing.assert_allclose(per_element, want, rtol=1e-12)


def test_ema_of_a_tree(xp):
    slow, fast = {"w": xp(np.zeros(2)), "b": None}, {"w": xp(np.ones(2)), "b": None}
    moved = normalise.ema(slow, fast, 0.02)
    np.testing.assert_allclose(moved["w"], 0.02, rtol=1e-6)
    assert moved["b"] is None
