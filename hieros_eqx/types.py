"""Words the whole project shares: the array alias, the containers that travel between stations, the axes.

Axis glossary (as used in shape annotations):

=========  ====================================================================
seed       independent agents trained side by side, outermost where present
level      levels of the hierarchy that are stacked (levels >= 1)
kind       reward kinds, in the order of `REWARD_KINDS`
env        environments stepped together
time       steps of a sampled sequence; core functions put it first
batch      sampled sequences
horizon    imagined states
start      states that imagination starts from (time * batch)
window     the last `k` latents of the level below, oldest first
stoch      categorical variables of a latent (S)
classes    classes of one categorical variable (C)
bins       two-hot bins
state      recurrent numbers of a world model (SSM states), or SSM states of one layer
feature    anything else, last
=========  ====================================================================

Alignment, once for all: at index t, `reward[t]` and the flags arrived *with* `observation[t]`, and
`action[t]` was chosen *at* `observation[t]`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    Array: TypeAlias = Any  # type checkers refuse most operators on the union; tests check it at run time
else:
    try:  # the functional core must work where JAX is not installed
        import jax

        Array = np.ndarray | np.generic | jax.Array
    except ImportError:
        Array = np.ndarray | np.generic

REWARD_KINDS = ("extrinsic", "subgoal", "novelty")


@dataclass(frozen=True, kw_only=True)
class ObservationSpace:
    """What one environment shows: an image (uint8, height x width x channels) or a vector (float32)."""

    kind: Literal["image", "vector"]
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ActionSpace:
    """What one environment accepts: one of `size` actions, or `size` numbers in [-1, 1]."""

    kind: Literal["discrete", "continuous"]
    size: int


@dataclass(frozen=True, kw_only=True)
class Spaces:
    """Observation and action space of one environment."""

    observation: ObservationSpace
    action: ActionSpace


class Timestep(NamedTuple):
    """What a batch of environments returns. All fields lead with `env`.

    The step after `is_last` ignores its action and is `is_first`, with reward 0. A truncation is
    `is_last` without `is_terminal`.
    """

    observation: Any  # uint8 [env height width channels] | float32 [env feature]
    reward: Any  # float32 [env]
    is_first: Any  # bool [env]
    is_last: Any  # bool [env]
    is_terminal: Any  # bool [env]


class Latent(NamedTuple):
    """A world model's belief at one step."""

    stoch: Any  # float [... stoch classes], one-hot: z
    deter: Any  # float [... feature]: h
    state: Any  # float [... state]: the recurrent numbers behind h (real, then imaginary parts, per SSM)
    entropy: Any  # float [...]: entropy of the prior p(z | m) that led here, in nats, summed over `stoch`


class Transition(NamedTuple):
    """One replay entry of one level. All fields lead with `env`; `latent.entropy` is not kept.

    A level >= 1 does not carry copies of the `k` latents that it observed. Its `observation` says how
    many entries of the level below ago each was made (0 = the newest); replay turns that into pointers.
    """

    observation: Any  # level 0: as in `Timestep`; levels >= 1: int32 [env window], ages (below)
    action: Any  # float [env action]: one-hot or continuous; level >= 1: flattened code; zero at `is_last`
    code: Any  # float [env factors classes]: the subgoal code received from above
    reward: Any  # float32 [env]
    is_first: Any  # bool [env]
    is_last: Any  # bool [env]
    is_terminal: Any  # bool [env]
    latent: Latent


class Batch(NamedTuple):
    """Sampled sequences, time first, with what came just before index 0."""

    observation: Any  # [time batch ...]; levels >= 1: `Window` of gathered latents
    action: Any  # float [time batch action]
    previous_action: Any  # float [time batch action], zero where `is_first`
    code: Any  # float [time batch factors classes]
    reward: Any  # float32 [time batch]
    is_first: Any  # bool [time batch]
    is_last: Any  # bool [time batch]
    is_terminal: Any  # bool [time batch]
    before: Latent  # [batch ...]: latent of the entry before index 0 (entropy zero)


class Window(NamedTuple):
    """The last `k` latents of the level below, oldest first: what a level >= 1 observes."""

    stoch: Any  # float [... window stoch classes]
    deter: Any  # float [... window feature]


class Rollout(NamedTuple):
    """Imagined states s_0 .. s_{H-1} and the H-1 actions between them, without gradient."""

    deter: Any  # float [horizon start feature]: h
    policy_input: Any  # float [horizon start feature]: what actor and critics read
    reward: Any  # float [horizon start]: predicted extrinsic reward, at s_t
    continuation: Any  # float [horizon start]: c_hat(s_t), probability that the episode goes on
    action: Any  # float [horizon-1 start action]: chosen at s_t
