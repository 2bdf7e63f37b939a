"""Probe environments for learning: each tests one ability, has a known answer, and costs next to nothing.

The first rungs of the ladder: `constant_reward`, `observation_value`, `discounting`, `truncation`,
`action_choice`, `action_from_observation`, `memory`, `episode_reset` (`probe_worlds` has those above). All
have two actions and a vector observation in [-1, 1]; `images=True` paints its numbers as vertical stripes of
a picture. Each episode draws a cue, -1 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped, UInt8

from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.next_step import NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.seeding import env_seeds
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

ACTIONS = 2
GOOD_ACTION = 1
HIDDEN = 2  # magnitude of a cue that is not shown


class Moment(NamedTuple):
    """Where the episodes stand. All lead with `env`."""

    time: Int[np.ndarray, " env"]  # 0 at the first observation
    cue: Int[np.ndarray, " env"]
    cue_before: Int[np.ndarray, " env"]  # of the episode before; 0 in the first
    length: Int[np.ndarray, " env"]  # steps of the episode after its first observation


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What makes one probe: functions of the moment and of the action that led to it."""

    length: int  # steps after the first observation, at most
    observe: Callable[[Moment], list[np.ndarray]]  # features
    reward: Callable[[Moment, np.ndarray], np.ndarray]
    least_length: int | None = None  # lengths are drawn from here on; None: all are equal
    truncates: bool = False  # rather than terminates
    cues: tuple[int, ...] = (-1, 1)


def constant_reward(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step, nothing to see, reward 1: the return is 1."""
    return _env(
        Probe(
            length=1,
            observe=lambda at: [0.0 * at.time],
            reward=lambda at, _action: np.ones(at.time.shape),
        ),
        num_envs,
        seed,
        images,
    )


def observation_value(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step; the reward is the cue in sight: the return is what is observed."""
    return _env(
        Probe(length=1, observe=lambda at: [at.cue], reward=lambda at, _action: at.cue),
        num_envs,
        seed,
        images,
    )


def discounting(*, num_envs: int = 1, seed: int = 0, images: bool = False, length: int = 4) -> VectorEnv:
    """Reward 1 at the end, time in sight: the value of time t is discount^(length - 1 - t)."""
    if length < 1:
        raise EnvError(f"wanted a length of at least 1, got {length}")
    return _env(
        Probe(
            length=length,
            observe=lambda at: [2 * at.time / length - 1],
            reward=lambda at, _action: at.time >= length,
        ),
        num_envs,
        seed,
        images,
    )


def truncation(*, num_envs: int = 1, seed: int = 0, images: bool = False, length: int = 4) -> VectorEnv:
    """Reward 1 a step, nothing to see, cut short after `length` steps: the value is 1 / (1 - discount).

    An agent that takes the cut for an end says less: at most the discounted sum of `length` rewards.
    """
    if length < 1:
        raise EnvError(f"wanted a length of at least 1, got {length}")
    return _env(
        Probe(
            length=length,
            observe=lambda at: [0.0 * at.time],
            reward=lambda at, _action: np.ones(at.time.shape),
            truncates=True,
        ),
        num_envs,
        seed,
        images,
    )


def action_choice(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step, nothing to see: action 1 gives 1, action 0 gives -1."""
    return _env(
        Probe(
            length=1,
            observe=lambda at: [0.0 * at.time],
            reward=lambda _at, action: np.where(action == GOOD_ACTION, 1, -1),
        ),
        num_envs,
        seed,
        images,
    )


def action_from_observation(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step: 1 for action 1 at cue 1 or action 0 at cue -1, else -1; without looking 0 on average."""
    return _env(
        Probe(length=1, observe=lambda at: [at.cue], reward=lambda at, action: _obeys(at.cue, action)),
        num_envs,
        seed,
        images,
    )


def memory(
    *,
    num_envs: int = 1,
    seed: int = 0,
    images: bool = False,
    delay: int = 4,
    least_delay: int | None = None,
    hint: float = 0.0,
) -> VectorEnv:
    """The cue shows only at the start (then 0) and counts for the action `delay` steps later.

    With `least_delay` every episode draws its own delay, evenly from there to `delay`.
    The second feature is 1 when the next action counts, else -1. The reward is 1 for the right action, else
    -1; in it the cue by itself foretells nothing, so that recalling it pays only together with the action. A
    `hint` adds `hint * cue`, whatever the action: nothing on average, but a first reason to recall.
    """
    least = delay if least_delay is None else least_delay
    if not 1 <= least <= delay:
        raise EnvError(
            f"wanted delays of at least 1, the least no more than the delay, got {least} to {delay}"
        )
    return _env(
        Probe(
            length=delay + 1,
            least_length=None if least_delay is None else least_delay + 1,
            observe=lambda at: [at.cue * (at.time == 0), np.where(at.time >= at.length - 1, 1, -1)],
            reward=lambda at, action: (_obeys(at.cue, action) + hint * at.cue) * (at.time >= at.length),
        ),
        num_envs,
        seed,
        images,
    )


def episode_reset(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step: half of the episodes show their cue, which the action must obey.

    The other half show 0 and pay for the cue of the episode *before*: whoever does not let go of the past
    gains 1 there, too; whoever starts each episode afresh gains 0 on average.
    """
    return _env(
        Probe(
            length=1,
            observe=lambda at: [at.cue * (abs(at.cue) == 1)],
            reward=lambda at, action: _obeys(
                np.sign(np.where(abs(at.cue) == HIDDEN, at.cue_before, at.cue)), action
            ),
            cues=(-HIDDEN, -1, 1, HIDDEN),
        ),
        num_envs,
        seed,
        images,
    )


PROBES = {
    make.__name__: make
    for make in (
        constant_reward,
        observation_value,
        discounting,
        truncation,
        action_choice,
        action_from_observation,
        memory,
        episode_reset,
    )
}


def _obeys(cue: np.ndarray, action: np.ndarray) -> np.ndarray:
    return np.where((action == GOOD_ACTION) == (cue == 1), 1, -1)


def _env(probe: Probe, num_envs: int, seed: int, images: bool) -> VectorEnv:
    return NextStepEnv(ProbeSimulator(probe, num_envs=num_envs, seed=seed, images=images))


def stripes(vector: Float32[np.ndarray, "env feature"]) -> UInt8[np.ndarray, "env 64 64 3"]:
    """Numbers in [-1, 1] as vertical stripes of equal width, -1 black and 1 white."""
    columns = np.arange(SIDE) * vector.shape[1] // SIDE
    grey = np.rint(127.5 * (vector[:, columns] + 1)).astype(np.uint8)
    return np.broadcast_to(grey[:, None, :, None], (len(vector), SIDE, SIDE, 3)).copy()


class ProbeSimulator:
    """A `Simulator` of `num_envs` copies of a probe, each with its own stream of cues."""

    def __init__(self, probe: Probe, *, num_envs: int, seed: int, images: bool):
        self.num_envs = num_envs
        self._probe, self._images = probe, images
        self._rngs = [np.random.default_rng(s) for s in env_seeds(seed, num_envs)]
        self._time = np.zeros(num_envs, np.int64)
        self._cue = np.zeros(num_envs, np.int64)
        self._action = np.zeros(num_envs, np.int32)
        self._cue_before = np.zeros(num_envs, np.int64)
        self._length = np.full(num_envs, probe.length)
        features = len(probe.observe(self._now()))
        self.spaces = Spaces(
            observation=ObservationSpace(
                kind="image" if images else "vector", shape=(SIDE, SIDE, 3) if images else (features,)
            ),
            action=ActionSpace(kind="discrete", size=ACTIONS),
        )

    def reset(self) -> Shaped[np.ndarray, "env ..."]:
        """Start all episodes."""
        self._begin(np.ones(self.num_envs, np.bool_))
        return self._observe()

    def send(self, action: Int[np.ndarray, " env"], restart: Bool[np.ndarray, " env"]) -> None:
        """Step; where `restart`, begin."""
        self._action = action
        self._time = self._time + 1
        self._begin(restart)

    def recv(self) -> RawStep:
        """What came of it."""
        over = self._time >= self._length
        reward: Float[np.ndarray, " env"] = self._probe.reward(self._now(), self._action).astype(float)
        cut = over & self._probe.truncates
        return RawStep(self._observe(), reward, over & ~cut, cut)

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, where: np.ndarray) -> None:
        self._time = np.where(where, 0, self._time)
        for i in np.flatnonzero(where):
            self._cue_before[i] = self._cue[i]
            self._cue[i] = self._rngs[i].choice(self._probe.cues)
            if self._probe.least_length is not None:
                self._length[i] = self._rngs[i].integers(self._probe.least_length, self._probe.length + 1)

    def _now(self) -> Moment:
        return Moment(self._time, self._cue, self._cue_before, self._length)

    def _observe(self) -> np.ndarray:
        vector = np.stack(self._probe.observe(self._now()), axis=1).astype(np.float32)
        return stripes(vector) if self._images else vector
