"""Subgoals: from the code a level receives to the goal it is rewarded for; the autoencoder's loss."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace
from hieros_eqx.config import BehaviourConfig, RewardConfig, SubgoalConfig
from hieros_eqx.core.rewards import subgoal_reward
from hieros_eqx.modules import SubgoalAutoencoder
from hieros_eqx.types import Array


class AutoencoderMetrics(NamedTuple):
    """How well the bottleneck does; its collapse is the death of the hierarchy."""

    loss: Array
    reconstruction: Array
    kl: Array  # nats, mean over factors
    beta: Array
    explained_variance: Array  # 1 - residual variance / variance of h
    perplexity: Array  # exp of the entropy of the codes used, mean over factors
    perplexity_by_factor: tuple[Array, ...]


class GoalMetrics(NamedTuple):
    """Whether goals are reached: the subgoal reward, before symlog, at both ends of a macro-step."""

    given: Array  # where a goal was given
    left: Array  # where it was replaced by the next
    others: Array  # there, of the goal that another sequence of the batch held


def decode_goal(
    autoencoder: SubgoalAutoencoder, code: Float[Array, "*batch factors classes"]
) -> Float[Array, "*batch feature"]:
    """Return the goal that a code stands for, decoded with today's decoder; a zero code is a zero goal."""
    xp = namespace(code)
    received = code.sum(axis=(-2, -1))[..., None] > 0
    goal = autoencoder.decode(code)
    return xp.where(received, goal, xp.zeros_like(goal))


def received_code(
    actions: Sequence[Float[Array, "env _"]], level: int, config: SubgoalConfig
) -> Float[Array, "env factors classes"]:
    """Return the code that a level is given: the action of the level above; zero for the top.

    `actions` are those that all levels hold, of which the ones above `level` are read.
    """
    shape = (actions[level].shape[0], config.factors, config.classes)
    if level == len(actions) - 1:
        return namespace(actions[level]).zeros(shape, actions[level].dtype)
    return actions[level + 1].reshape(shape)


def subgoal_input(
    autoencoder: SubgoalAutoencoder, code: Float[Array, "*batch factors classes"], config: BehaviourConfig
) -> Float[Array, "*batch feature"]:
    """Return what actor and critics see of the subgoal: the flat code, or the decoded goal."""
    if config.goal_input == "decoded":
        return decode_goal(autoencoder, code)
    return code.reshape(*code.shape[:-2], -1)


def autoencoder_loss(
    autoencoder: SubgoalAutoencoder,
    deter: Float[Array, "*batch feature"],
    gumbel: Float[Array, "*batch factors classes"] | None,
    beta: Float[Array, ""],
) -> tuple[Float[Array, ""], AutoencoderMetrics]:
    """Return `mean (h_hat - h)^2 + beta mean_factors KL[p(g|h) || uniform]` and what to watch (section 3)."""
    xp = namespace(deter)
    # Loss and metrics read the same flat array, so that with argmax codes a compiler evaluates them once.
    flat = deter.reshape(-1, deter.shape[-1])
    reconstruction, kl = autoencoder.losses(
        flat, None if gumbel is None else gumbel.reshape(-1, *gumbel.shape[-2:])
    )
    loss = reconstruction.mean() + beta * kl.mean()
    variance = flat.var(axis=0).mean()
    code = autoencoder.code(autoencoder.logits(flat))
    residual = flat - autoencoder.decode(code)
    share = code.mean(axis=0)
    perplexity = xp.exp(-(share * xp.log(xp.maximum(share, 1e-12))).sum(axis=-1))
    return loss, AutoencoderMetrics(
        loss=loss,
        reconstruction=reconstruction.mean(),
        kl=kl.mean(),
        beta=beta,
        explained_variance=1 - residual.var(axis=0).mean() / xp.maximum(variance, 1e-12),
        perplexity=perplexity.mean(),
        perplexity_by_factor=tuple(perplexity),
    )


def goal_metrics(
    autoencoder: SubgoalAutoencoder,
    code: Float[Array, "time batch factors classes"],
    deter: Float[Array, "time batch feature"],
    is_first: Bool[Array, "time batch"],
    config: RewardConfig,
) -> GoalMetrics:
    """Return how close h is to the goal where a new one was given and where it was replaced by the next.

    Read off steps that were played: a goal ends where the code differs from that of the step before. What
    others were asked for is what chance would reach: a level that goes to its own goals leaves them closer.
    Zero for the top level, and where no code changed; a batch of one is its own other.
    """
    xp = namespace(code, deter)
    changed = (code[1:] != code[:-1]).any(axis=(-2, -1)) & ~is_first[1:]
    goal, squared = decode_goal(autoencoder, code), config.subgoal_norm == "squared"
    weight = changed.astype(deter.dtype)
    count = xp.maximum(weight.sum(), 1)
    others = xp.concatenate([goal[:-1, 1:], goal[:-1, :1]], axis=1)
    rewards = (subgoal_reward(g, deter[1:], squared=squared) for g in (goal[1:], goal[:-1], others))
    return GoalMetrics(*((weight * xp.maximum(reward, 0)).sum() / count for reward in rewards))


def adapt_beta(
    beta: Float[Array, ""], kl: Float[Array, ""], config: SubgoalConfig, *, rate: float = 0.01
) -> Float[Array, ""]:
    """Return the next weight of the KL (mean over factors).

    With sampled codes it is steered so that the KL, summed over factors, meets `target_kl`; with argmax codes
    it stays as configured.
    """
    if config.code == "argmax":
        return beta
    xp = namespace(beta)
    total = kl * config.factors
    return xp.maximum(beta + rate * (total / config.target_kl - 1), 0 * beta)
