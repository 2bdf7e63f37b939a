"""Behaviour: from imagined states to rewards, lambda-returns, advantages and losses of actor and critics."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from hieros_eqx.agent.state import LevelLearner, LevelParams
from hieros_eqx.agent.subgoal import decode_goal
from hieros_eqx.config import BehaviourConfig, RewardConfig
from hieros_eqx.core.normalise import ema, ema_corrected, percentile_range
from hieros_eqx.core.returns import continuation_weights, lambda_return
from hieros_eqx.core.rewards import mean_subgoal_reward, novelty_reward, subgoal_reward
from hieros_eqx.core.transforms import symlog
from hieros_eqx.modules import AbstractActor, Critic
from hieros_eqx.types import Array, Rollout


class KindMetrics(NamedTuple):
    """Means over imagined states, one number per reward kind."""

    extrinsic: Array
    subgoal: Array
    novelty: Array


class BehaviourMetrics(NamedTuple):
    """What actor and critics did in one update."""

    actor_loss: Array
    critic_loss: KindMetrics
    entropy: Array  # nats
    reward: KindMetrics
    value: KindMetrics
    returns: KindMetrics
    return_range: KindMetrics  # S_j, bias-corrected
    advantage: KindMetrics  # mean |w_j A_j|


class Targets(NamedTuple):
    """What the critics say of a rollout and should have said."""

    value: Array  # [kind horizon-1 start]
    returns: Array  # [kind horizon-1 start]
    loss: Array  # [kind]


def imagined_rewards(
    rollout: Rollout, level: LevelParams, code: Float[Array, "start factors classes"], config: RewardConfig
) -> Float[Array, "kind horizon start"]:
    """Return extrinsic, subgoal and novelty reward of every imagined state, unweighted (section 4)."""
    goal, squared = decode_goal(level.autoencoder, code), config.subgoal_norm == "squared"
    subgoal = subgoal_reward(jnp.broadcast_to(goal, rollout.deter.shape), rollout.deter, squared=squared)
    subgoal = jnp.maximum(subgoal, 0)
    if config.subgoal_baseline == "others":
        asked = code.any(axis=(-2, -1)).astype(subgoal.dtype)  # who has no goal is neither paid nor charged
        subgoal = subgoal - asked[None] * mean_subgoal_reward(goal, rollout.deter, squared=squared)
    reconstruction = level.autoencoder.reconstruct(rollout.deter)
    novelty = novelty_reward(rollout.deter, reconstruction, norm=config.novelty_norm)
    if config.symlog:
        subgoal, novelty = symlog(subgoal), symlog(novelty)
    return jnp.stack([rollout.reward, subgoal, novelty])


def critic_loss(
    critics: Critic,
    slow_critics: Critic,
    rollout: Rollout,
    reward: Float[Array, "kind horizon start"],
    discount: Float[Array, "kind horizon start"],
    weight: Float[Array, "horizon start"],
    lambda_: float,
) -> tuple[Float[Array, ""], Targets]:
    """Return the critics' loss, and values and lambda-returns by the critics as they are now.

    Cross-entropy to the two-hot of the return and to the two-hot of the slow critic's mean, weighted; the
    targets carry no gradient (`TwoHotHead.loss`).
    """

    def one_kind(
        critic: Critic, slow: Critic, kind_reward: Array, kind_discount: Array
    ) -> tuple[Array, Targets]:
        logits = critic.logits(rollout.policy_input)
        value = critic.mean(logits)
        returns = lambda_return(kind_reward[:-1], value[:-1], kind_discount[:-1], value[-1], lambda_)
        slow_value = slow.mean(slow.logits(rollout.policy_input[:-1]))
        losses = critic.loss(logits[:-1], returns) + critic.loss(logits[:-1], slow_value)
        loss = (weight[:-1] * losses).mean()
        return loss, Targets(value[:-1], returns, loss)

    losses, targets = eqx.filter_vmap(one_kind)(critics, slow_critics, reward, discount)
    return losses.sum(), targets


def update_return_range(
    learner: LevelLearner, returns: Float[Array, "kind steps start"], config: BehaviourConfig
) -> tuple[Float[Array, " kind"], Float[Array, " kind"]]:
    """Return the new EMA of the 5th-95th percentile range per kind, and its bias-corrected value S_j."""
    spread = jax.vmap(percentile_range)(returns)
    rate = 1 - config.return_range_rate
    new = ema(learner.return_range, spread, rate)
    return new, ema_corrected(new, learner.updates + 1, rate)


def join_advantages(
    targets: Targets, scale: Float[Array, " kind"], weights: Float[Array, " kind"], config: BehaviourConfig
) -> tuple[Float[Array, "steps start"], Float[Array, " kind"]]:
    """Return `sum_j w_j A_j / sum_j w_j` with `A_j = (R_j - v_j) / max(1, S_j)`, and the mean `|w_j A_j|`."""
    advantage = targets.returns - targets.value
    if config.normalize_returns:
        advantage = advantage / jnp.maximum(scale, 1)[:, None, None]
    weighted = weights[:, None, None] * advantage
    total = weighted.sum(axis=0) / jnp.maximum(weights.sum(), 1e-8)
    return total, jnp.abs(weighted).mean(axis=(1, 2))


def actor_loss(
    actor: AbstractActor,
    rollout: Rollout,
    advantage: Float[Array, "steps start"],
    weight: Float[Array, "horizon start"],
    entropy_scale: float,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the REINFORCE loss with entropy bonus, weighted, and the mean entropy in nats."""
    distribution = actor(rollout.policy_input[:-1])
    entropy = actor.entropy(distribution)
    objective = actor.log_prob(distribution, rollout.action) * advantage + entropy_scale * entropy
    return -(weight[:-1] * objective).mean(), entropy.mean()


def discounts(
    rollout: Rollout, alive: Float[Array, " start"], discount: Float[Array, ""]
) -> tuple[Float[Array, "horizon start"], Float[Array, "horizon start"]]:
    """Return `d_t = gamma c_hat(s_t)` and `weight_t = c_0 prod_{j<t} d_j`, `c_0` = `alive` of the start."""
    per_step = discount * rollout.continuation
    return per_step, continuation_weights(alive, per_step)


def discount_by_kind(
    discount: Float[Array, "horizon start"], macro_length: int, config: BehaviourConfig
) -> Float[Array, "kind horizon start"]:
    """Return the discount of extrinsic, subgoal and novelty rewards.

    With `goal_lasts = macro_step` the subgoal's is multiplied by 1 - 1/k, the chance that a goal which is
    held for k steps is still held after the next one, at a moment drawn at random.
    """
    survives = 1 - 1 / macro_length if config.goal_lasts == "macro_step" else 1.0
    return jnp.stack([discount, discount * survives, discount])


def per_kind(values: Float[Array, " kind *rest"]) -> KindMetrics:
    """Return the mean of each kind."""
    return KindMetrics(*values.reshape(values.shape[0], -1).mean(axis=-1))
