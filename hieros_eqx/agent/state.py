"""The one immutable tree of all that changes: parameters, learners, acting carry, replay, key, counters."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import Float, Int

from hieros_eqx.config import HierosConfig
from hieros_eqx.modules import AbstractActor, AbstractWorldModel, Critic, SubgoalAutoencoder
from hieros_eqx.replay import RingBuffer
from hieros_eqx.types import Array, Latent, Spaces, Window


class LevelParams(eqx.Module):
    """What one level has learned."""

    world_model: AbstractWorldModel
    actor: AbstractActor
    critics: Critic  # leading `kind` axis
    autoencoder: SubgoalAutoencoder


class AgentParams(eqx.Module):
    """All that is needed to act: the worker, the levels above it, and what they were built for.

    Each level has arrays of its own: acting takes one at a time, and a slice of stacked weights is a copy.
    An update stacks those that are due (`agent/levels.py`).
    """

    worker: LevelParams
    upper: tuple[LevelParams, ...]
    config: HierosConfig = eqx.field(static=True)
    spaces: Spaces = eqx.field(static=True)


class LevelLearner(eqx.Module):
    """What one level needs to learn and not to act. Levels >= 1 are one such tree, led by a `level` axis.

    The last two fields never change: what differs between stacked levels must be an array.
    """

    slow_critics: Critic  # leading `kind` axis
    world_model_optimizer: Any
    actor_optimizer: Any
    critic_optimizer: Any
    autoencoder_optimizer: Any
    return_range: Float[Array, "*level kind"]  # EMA of the 5th-95th percentile range, before bias correction
    autoencoder_beta: Float[Array, "*level"]
    updates: Int[Array, "*level"]  # those that were skipped left out
    skipped: Int[Array, "*level"]  # updates that were not finite and so changed nothing
    skipped_in_row: Int[Array, "*level"]  # of these, since the last update that was finite
    reward_weights: Float[Array, "*level kind"]
    discount: Float[Array, "*level"]


class Learner(eqx.Module):
    """The learners of all levels."""

    worker: LevelLearner
    upper: LevelLearner | None


class LevelCarry(NamedTuple):
    """What one level remembers between two steps of acting. All fields lead with `env`."""

    latent: Latent
    action: Any  # float [env action]: held since the level's last entry; above level 0 the code given below
    made: Any  # int32 [env]: entries of this episode before the newest, i.e. the newest has this number
    window: Window | None  # the last `k` latents of the level below, oldest first; None at level 0
    reward: Any  # float [env]: environment reward since the level's last entry


class ActCarry(NamedTuple):
    """What acting remembers: the clock of every environment and the carry of every level."""

    clock: Any  # int32 [env]: environment steps since the reset
    levels: tuple[LevelCarry, ...]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HierosState:
    """Everything. It goes into `act` and `update`, and comes out of them; nothing else remembers anything.

    Seeds side by side (`init_seeds`) are one such state, in which every leaf but the two counters leads with
    `seed`. A plain dataclass: making an Equinox module walks its whole tree, nearly a millisecond each step.
    """

    params: AgentParams
    learner: Learner
    carry: ActCarry
    replay: tuple[RingBuffer, ...]
    key: Any  # typed JAX key
    env_step: Any  # int32 []: environment steps of each seed so far, summed over its environments
    train_step: Any  # int32 [level]: updates so far

    @property
    def config(self) -> HierosConfig:
        """The configuration that the agent was built from."""
        return self.params.config

    @property
    def spaces(self) -> Spaces:
        """The spaces that the agent was built for."""
        return self.params.spaces
