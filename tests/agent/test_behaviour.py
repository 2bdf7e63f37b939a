"""Rewards, returns, advantages and losses of behaviour against loops written from the definition."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import behaviour, init, init_params
from hieros_eqx.agent.imagine import imagine
from hieros_eqx.backend import to_numpy
from hieros_eqx.config import BehaviourConfig
from hieros_eqx.core.transforms import symexp_bins
from hieros_eqx.modules import policy_input_size
from hieros_eqx.types import Latent, Rollout
from tests.agent.conftest import SPACES, tiny
from tests.oracles import imagination

H, N, KINDS = 5, 7, 3


@pytest.fixture(scope="module")
def config():
    return tiny(levels=2, behaviour={"horizon": H})


@pytest.fixture(scope="module")
def level(config):
    """Return a worker with critics that are not zero, in float64."""
    worker = init_params(config, SPACES, jax.random.key(3)).worker
    noisy = jax.tree.map(
        lambda x: x + 0.1 * np.random.default_rng(x.size).normal(size=x.shape).astype(x.dtype), worker.critics
    )
    worker = eqx.tree_at(lambda w: w.critics, worker, noisy)
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), worker)


@pytest.fixture
def rollout(rng, config):
    size = policy_input_size(config.world_model, config.subgoal, config.behaviour)
    deter = rng.normal(size=(H, N, 16))
    return Rollout(
        deter=jnp.asarray(deter),
        policy_input=jnp.asarray(rng.normal(size=(H, N, size))),
        reward=jnp.asarray(rng.normal(size=(H, N))),
        continuation=jnp.asarray(rng.random((H, N))),
        action=jnp.asarray(np.eye(5)[rng.integers(0, 5, (H - 1, N))]),
    )


@pytest.mark.x64
def test_critic_loss_returns_and_gradient_against_oracle(rng, level, rollout):
    """The gradient is that of a cross-entropy to fixed targets: none goes through returns or slow critics."""
    reward = jnp.asarray(rng.normal(size=(KINDS, H, N)))
    discount, weight = jnp.asarray(rng.random((KINDS, H, N))), jnp.asarray(rng.random((H, N)))
    slow = jax.tree.map(lambda x: 0.5 * x, level.critics)
    arguments = (slow, rollout, reward, discount, weight, 0.95)
    (loss, targets), gradient = jax.value_and_grad(behaviour.critic_loss, has_aux=True)(
        level.critics, *arguments
    )

    def logits_of(critics):
        one = eqx.filter_vmap(lambda c: c.logits(rollout.policy_input))
        return one(critics)

    wanted = imagination.critic_loss(
        np.asarray(logits_of(level.critics)),
        np.asarray(logits_of(slow)),
        np.asarray(symexp_bins(level.critics.bins.num)),
        *(np.asarray(x) for x in (reward, discount, weight)),
        0.95,
    )
    np.testing.assert_allclose(loss, wanted.loss, rtol=1e-9)
    np.testing.assert_allclose(targets.returns, wanted.returns, rtol=1e-9)
    np.testing.assert_allclose(targets.value, wanted.values[:, :-1], rtol=1e-9, atol=1e-12)

    def fixed(critics):
        log_probs = jax.nn.log_softmax(logits_of(critics)[:, :-1], axis=-1)
        return -(jnp.asarray(wanted.targets) * log_probs).sum(-1) * weight[None, :-1]

    by_hand = jax.grad(lambda c: fixed(c).mean(axis=(1, 2)).sum())(level.critics)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(by_hand), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12)


def test_a_goal_that_lasts_a_macro_step_is_held_for_k_steps_in_the_mean():
    """The discount alone: 1 + (1 - 1/k) + (1 - 1/k)^2 + ... = k rewards count."""
    discount = jnp.ones((H, N))
    always = behaviour.discount_by_kind(discount, 4, BehaviourConfig())
    np.testing.assert_array_equal(always, np.ones((KINDS, H, N)))
    extrinsic, subgoal, novelty = behaviour.discount_by_kind(
        discount, 4, BehaviourConfig(goal_lasts="macro_step")
    )
    np.testing.assert_array_equal(extrinsic, 1)
    np.testing.assert_array_equal(novelty, 1)
    np.testing.assert_allclose(1 / (1 - subgoal), 4)


@pytest.mark.x64
def test_actor_loss_and_gradient_against_oracle(rng, level, rollout):
    advantage, weight = jnp.asarray(rng.normal(size=(H - 1, N))), jnp.asarray(rng.random((H, N)))

    def score(actor):
        return behaviour.actor_loss(actor, rollout, advantage, weight, 0.2)[0]

    logits = np.asarray(level.actor(rollout.policy_input[:-1]))[..., 0, :]
    wanted = imagination.actor_loss(
        logits, np.asarray(rollout.action), np.asarray(advantage), np.asarray(weight), 0.2
    )
    np.testing.assert_allclose(score(level.actor), wanted, rtol=1e-10)
    through_inputs = jax.grad(
        lambda x: behaviour.actor_loss(level.actor, rollout._replace(reward=x), advantage, weight, 0.2)[0]
    )(rollout.reward)
    assert not np.any(through_inputs)


@pytest.mark.parametrize("normalize", [True, False])
def test_joined_advantage_is_the_weighted_mean_of_normalised_parts(rng, normalize):
    value, returns = rng.normal(size=(2, KINDS, H - 1, N))
    scale, weights = np.array([0.5, 2.0, 4.0]), np.array([1.0, 0.3, 0.1])
    targets = behaviour.Targets(jnp.asarray(value), jnp.asarray(returns), jnp.zeros(KINDS))
    config = BehaviourConfig(normalize_returns=normalize)
    got, strength = behaviour.join_advantages(targets, jnp.asarray(scale), jnp.asarray(weights), config)
    total = np.zeros((H - 1, N))
    for j in range(KINDS):
        part = weights[j] * (returns[j] - value[j]) / (max(1.0, scale[j]) if normalize else 1.0)
        np.testing.assert_allclose(strength[j], np.abs(part).mean(), rtol=1e-5)
        total += part / weights.sum()
    np.testing.assert_allclose(got, total, rtol=1e-5, atol=1e-6)  # float32 in the x32 run


def test_weights_of_dead_starts_are_zero(rollout):
    alive = jnp.asarray([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], rollout.reward.dtype)
    discount, weight = behaviour.discounts(rollout, alive, jnp.asarray(0.9, rollout.reward.dtype))
    np.testing.assert_allclose(discount, 0.9 * np.asarray(rollout.continuation), rtol=1e-6)
    assert not np.any(weight[:, [1, 4]])
    running = np.ones(N) * np.asarray(alive)
    for t in range(H):
        np.testing.assert_allclose(weight[t], running, rtol=1e-5)
        running = running * 0.9 * np.asarray(rollout.continuation[t])


@pytest.mark.x64
def test_rewards_by_kind(rng, config, level, rollout):
    code = jnp.asarray(np.eye(4)[rng.integers(0, 4, (N, 4))], rollout.deter.dtype).at[0].set(0.0)
    got = np.asarray(behaviour.imagined_rewards(rollout, level, code, config.reward))
    own = to_numpy(level.autoencoder)
    deter, goal = np.asarray(rollout.deter), own.decode(np.asarray(code))
    np.testing.assert_allclose(got[0], rollout.reward)
    assert not got[1][:, 0].any()  # no subgoal was received: nothing to reach
    for t in range(H):
        for n in range(1, N):
            larger = max(np.linalg.norm(goal[n]), np.linalg.norm(deter[t, n]))
            raw = max(0.0, goal[n] @ deter[t, n] / larger**2)
            np.testing.assert_allclose(got[1, t, n], np.log1p(raw), rtol=1e-5, atol=1e-7)
            far = np.linalg.norm(deter[t, n] - own.reconstruct(deter[t, n]))
            np.testing.assert_allclose(got[2, t, n], np.log1p(far), rtol=1e-5)
    assert got[1].min() >= 0 and (got[1] > 0).any() and (got[1] == 0).sum() > H


@pytest.mark.x64
def test_what_the_goals_of_all_starts_would_pay_is_taken_from_the_subgoal_reward(rng, config, level, rollout):
    code = jnp.asarray(np.eye(4)[rng.integers(0, 4, (N, 4))], rollout.deter.dtype).at[0].set(0.0)

    def rewards(code, baseline):
        options = replace(config.reward, symlog=False, subgoal_baseline=baseline)
        return np.asarray(behaviour.imagined_rewards(rollout, level, code, options))

    got, plain = rewards(code, "others"), rewards(code, "none")
    for_each_goal = [rewards(jnp.stack([own] * N), "none")[1] for own in code]
    want = plain[1] - np.mean(for_each_goal, axis=0)
    want[:, 0] = 0  # no subgoal was received: nothing to reach, and nothing is taken
    np.testing.assert_allclose(got[1], want, atol=1e-9)
    assert (want < -0.01).any() and (want > 0.01).any()
    np.testing.assert_array_equal(got[[0, 2]], plain[[0, 2]])


def test_return_range_is_bias_corrected_per_kind(rng, config):
    learner = init(config, SPACES, jax.random.key(0)).learner.worker
    returns = rng.normal(size=(2, KINDS, H, N)).astype(np.float32) * np.array([1, 5, 20])[:, None, None]
    returns = returns.astype(np.float32)
    average, options = np.zeros(KINDS), config.behaviour
    for count, x in enumerate(returns):
        new, scale = behaviour.update_return_range(learner, jnp.asarray(x), options)
        spread = [np.quantile(k, 0.95) - np.quantile(k, 0.05) for k in x]
        average = 0.99 * average + 0.01 * np.array(spread)
        np.testing.assert_allclose(scale, average / (1 - 0.99 ** (count + 1)), rtol=1e-4)
        learner = eqx.tree_at(lambda s: (s.return_range, s.updates), learner, (new, learner.updates + 1))


@pytest.mark.x64
def test_imagination_repeats_the_world_model_step_by_step(config, level):
    """Every imagined step is `imagine_step` with the action taken; what belongs to a state stands at it."""
    shapes = level.world_model.initial((N,))
    start = Latent(*(x + 0.1 for x in shapes))
    code = jnp.zeros((N, 4, 4), jnp.float64).at[..., 1].set(1.0)
    rollout = jax.jit(imagine, static_argnums=4)(level, start, code, jax.random.key(0), config.behaviour)
    assert rollout.deter.shape[0] == H and rollout.action.shape[0] == H - 1
    np.testing.assert_allclose(rollout.deter[0], start.deter)
    size = start.deter.shape[-1]
    np.testing.assert_allclose(rollout.policy_input[..., :size], rollout.deter)
    z_size = start.stoch[0].size
    stoch = rollout.policy_input[..., size : size + z_size].reshape(H, N, *start.stoch.shape[1:])
    prepared, state = level.world_model.prepare(), start
    for t in range(H - 1):
        np.testing.assert_allclose(rollout.reward[t], level.world_model.predict_reward(state), atol=1e-9)
        np.testing.assert_allclose(
            rollout.continuation[t], level.world_model.predict_continuation(state), rtol=1e-6
        )
        nxt = level.world_model.imagine_step(prepared, state, rollout.action[t], jnp.zeros_like(start.stoch))
        np.testing.assert_allclose(rollout.deter[t + 1], nxt.deter, rtol=1e-6, atol=1e-9)
        state = nxt._replace(stoch=stoch[t + 1])


@pytest.mark.x64
def test_no_gradient_goes_through_imagination(config, level):
    start = Latent(*(x + 0.1 for x in level.world_model.initial((N,))))
    code = jnp.zeros((N, 4, 4), jnp.float64)

    def total(own):
        rollout = imagine(own, start, code, jax.random.key(0), config.behaviour)
        return sum(x.sum() for x in rollout)

    assert not any(np.any(g) for g in jax.tree.leaves(jax.jit(jax.grad(total))(level)))
