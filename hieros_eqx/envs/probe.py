"""Probe environments for learning: each tests one ability, has a known answer, and costs next to nothing.

The ladder: `constant_reward`, `observation_value`, `discounting`, `action_choice`,
`action_from_observation`, `memory`. All have two actions and a vector observation in [-1, 1]; `images=True`
paints its numbers as vertical stripes of a picture. Each episode draws a cue, -1 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What makes one probe: functions of the time (0 at the first observation), the cue and the action."""

    length: int  # steps after the first observation
    observe: Callable[[np.ndarray, np.ndarray], list[np.ndarray]]  # (time, cue) -> features
    reward: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # (time, cue, action)


def constant_reward(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step, nothing to see, reward 1: the return is 1."""
    return _env(
        Probe(
            length=1,
            observe=lambda time, _cue: [0.0 * time],
            reward=lambda time, _cue, _action: np.ones(time.shape),
        ),
        num_envs,
        seed,
        images,
    )


def observation_value(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step; the reward is the cue in sight: the return is what is observed."""
    return _env(
        Probe(length=1, observe=lambda _time, cue: [cue], reward=lambda _time, cue, _action: cue),
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
            observe=lambda time, _cue: [2 * time / length - 1],
            reward=lambda time, _cue, _action: time >= length,
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
            observe=lambda time, _cue: [0.0 * time],
            reward=lambda _time, _cue, action: np.where(action == GOOD_ACTION, 1, -1),
        ),
        num_envs,
        seed,
        images,
    )


def action_from_observation(*, num_envs: int = 1, seed: int = 0, images: bool = False) -> VectorEnv:
    """One step: 1 for action 1 at cue 1 or action 0 at cue -1, else -1; without looking 0 on average."""
    return _env(
        Probe(
            length=1, observe=lambda _time, cue: [cue], reward=lambda _time, cue, action: _obeys(cue, action)
        ),
        num_envs,
        seed,
        images,
    )


def memory(*, num_envs: int = 1, seed: int = 0, images: bool = False, delay: int = 4) -> VectorEnv:
    """The cue shows only at the start (then 0) and counts for the action `delay` steps later.

    The second feature is 1 when the next action counts, else -1.
    """
    if delay < 1:
        raise EnvError(f"wanted a delay of at least 1, got {delay}")
    return _env(
        Probe(
            length=delay + 1,
            observe=lambda time, cue: [cue * (time == 0), np.where(time >= delay, 1, -1)],
            reward=lambda time, cue, action: _obeys(cue, action) * (time > delay),
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
        action_choice,
        action_from_observation,
        memory,
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
        features = len(probe.observe(self._time, self._cue))
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
        over = self._time >= self._probe.length
        reward: Float[np.ndarray, " env"] = self._probe.reward(self._time, self._cue, self._action).astype(
            float
        )
        return RawStep(self._observe(), reward, over, np.zeros_like(over))

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, where: np.ndarray) -> None:
        self._time = np.where(where, 0, self._time)
        for i in np.flatnonzero(where):
            self._cue[i] = self._rngs[i].choice((-1, 1))

    def _observe(self) -> np.ndarray:
        vector = np.stack(self._probe.observe(self._time, self._cue), axis=1).astype(np.float32)
        return stripes(vector) if self._images else vector
