"""Sizes and choices of subgoals, rewards, actor and critics (docs/algorithm.md, sections 3 to 5)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from hieros_eqx.config.validation import option, validate


@dataclass(frozen=True, kw_only=True)
class SubgoalConfig:
    """The subgoal autoencoder."""

    SECTION: ClassVar[str] = "subgoal"

    factors: int = option(8, at_least=1)
    """Categorical variables G[0] of a code."""
    classes: int = option(8, at_least=2)
    """Classes G[1] of each."""
    hidden: int = option(256, at_least=1)
    layers: int = option(3, at_least=1, at_most=64)
    code: Literal["argmax", "sample"] = "argmax"
    beta: float = option(0.5, at_least=0)
    """Weight of the KL to the uniform prior; with `sample` it starts at 0 and adapts."""
    target_kl: float = option(10.0, above=0)
    """Nats that the KL is steered to with `sample`."""
    trained_on: Literal["imagined", "replay"] = "imagined"

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """What a level is rewarded for in imagination."""

    SECTION: ClassVar[str] = "reward"

    subgoal_weight: float = option(0.3, at_least=0)
    novelty_weight: float = option(0.1, at_least=0)
    subgoal_norm: Literal["squared", "plain"] = "squared"
    subgoal_baseline: Literal["none", "others"] = "none"
    """Taken from the subgoal reward: nothing, or what a state earns for the goals of all starts, averaged."""
    novelty_norm: Literal["l2", "mse"] = "l2"
    novelty_levels: Literal["all", "upper"] = "all"
    extrinsic_levels: Literal["all", "worker", "upper"] = "all"
    """Who learns from the environment's reward; with `upper` the worker follows subgoals alone (Director)."""
    macro_step: Literal["mean", "sum"] = "mean"
    """Environment reward of a macro-step, for levels >= 1: divided by the nominal k^i steps, or not."""
    symlog: bool = True
    """Squash subgoal and novelty reward by symlog."""

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class BehaviourConfig:
    """Actor, critics and the returns that they learn from."""

    SECTION: ClassVar[str] = "behaviour"

    horizon: int = option(16, at_least=2)
    """Imagined states H."""
    discount: float = option(0.997, at_least=0, at_most=1)
    """Per step of the level, or per environment step: see `discount_time`."""
    discount_time: Literal["macro", "environment"] = "macro"
    lambda_: float = option(0.95, at_least=0, at_most=1)
    normalize_returns: bool = True
    return_range_rate: float = option(0.99, at_least=0, at_most=0.999999)
    entropy_scale: float = option(3e-4, at_least=0)
    upper_entropy_scale: float | None = option(None, at_least=0)
    """Entropy bonus of the levels that ask for subgoals; None: `entropy_scale`."""
    epsilon: float = option(0.0, at_least=0, at_most=1)
    """Probability that the worker takes an action drawn uniformly instead of its own, as training begins."""
    epsilon_final: float = option(0.0, at_least=0, at_most=1)
    """The same as training ends; in between it changes linearly with the environment's steps."""
    slow_critic_rate: float = option(0.02, at_least=0, at_most=1)
    hidden: int = option(256, at_least=1)
    layers: int = option(2, at_least=1, at_most=64)
    unimix: float = option(0.01, at_least=0, at_most=1)
    goal_lasts: Literal["imagination", "macro_step"] = "imagination"
    """How long returns of the subgoal reward count on one goal: always, or k steps in the mean."""
    goal_input: Literal["code", "decoded"] = "code"
    """What actor and critics see of the subgoal."""
    code_log_prob: Literal["sum", "mean"] = "sum"
    """How log-probabilities and entropies of a code's factors are joined."""
    evaluation_policy: Literal["sample", "mode"] = "sample"

    def __post_init__(self):
        validate(self)
