"""Probe environments with a place in them: `errands` (hierarchy), `corridor` (novelty), `pixel_catch`.

Like the probes of `probe` they test one ability each and cost next to nothing.
"""

from abc import abstractmethod

import numpy as np
from jaxtyping import Bool, Int, Shaped, UInt8

from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.next_step import NextStepEnv, RawStep
from hieros_eqx.envs.probe import stripes
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.seeding import env_seeds
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces


class World:
    """A `Simulator` that is stepped at once. A subclass says how an episode begins, goes on and looks."""

    def __init__(self, spaces: Spaces, *, num_envs: int, seed: int):
        self.spaces, self.num_envs = spaces, num_envs
        self._rngs = [np.random.default_rng(s) for s in env_seeds(seed, num_envs)]
        self._time = np.zeros(num_envs, np.int64)
        self._answer: RawStep | None = None

    def reset(self) -> Shaped[np.ndarray, "env ..."]:
        """Start all episodes."""
        self._restart(np.ones(self.num_envs, np.bool_))
        return self.observe()

    def send(self, action: Int[np.ndarray, " env"], restart: Bool[np.ndarray, " env"]) -> None:
        """Step; where `restart`, begin."""
        self._time = self._time + 1
        reward, terminated, truncated = self.move(action)
        self._restart(restart)
        self._answer = RawStep(self.observe(), reward, terminated, truncated)

    def recv(self) -> RawStep:
        """What came of it."""
        assert self._answer is not None
        return self._answer

    def close(self) -> None:
        """Nothing is held."""

    def _restart(self, where: np.ndarray) -> None:
        self._time = np.where(where, 0, self._time)
        for i in np.flatnonzero(where):
            self.begin(int(i), self._rngs[i])

    @abstractmethod
    def begin(self, env: int, rng: np.random.Generator) -> None:
        """Set one environment to the start of an episode."""

    @abstractmethod
    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act in all environments; reward, terminated and truncated."""

    @abstractmethod
    def observe(self) -> np.ndarray:
        """What all environments show."""


def _vector(features: int, actions: int, *, images: bool) -> Spaces:
    shape = (SIDE, SIDE, 3) if images else (features,)
    return Spaces(
        observation=ObservationSpace(kind="image" if images else "vector", shape=shape),
        action=ActionSpace(kind="discrete", size=actions),
    )


def errands(
    *, num_envs: int = 1, seed: int = 0, images: bool = False, length: int = 4, count: int = 4
) -> VectorEnv:
    """`count` errands of `length` steps, each worth 1 / `count` if every step went where the cue pointed.

    Action 1 moves right, 0 left, from the middle. The cue (-1 or 1) is in sight only where an errand begins;
    then the place reached is in sight, too. Features: cue, place, share of the errand done. A guess succeeds
    once in `2**length`: this is for a level that asks for an end, and one below that goes there.
    """
    if length < 1 or count < 1:
        raise EnvError(f"wanted length and count of at least 1, got {length} and {count}")
    return NextStepEnv(_Errands(length, count, num_envs=num_envs, seed=seed, images=images))


class _Errands(World):
    def __init__(self, length: int, count: int, *, num_envs: int, seed: int, images: bool):
        super().__init__(_vector(3, 2, images=images), num_envs=num_envs, seed=seed)
        self._length, self._count, self._images = length, count, images
        self._place = np.zeros(num_envs, np.int64)
        self._cue = np.zeros(num_envs, np.int64)

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self._place[env], self._cue[env] = 0, rng.choice((-1, 1))

    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        begun = (self._time - 1) % self._length == 0
        self._place = np.where(begun, 0, self._place) + np.where(action == 1, 1, -1)
        done = self._time % self._length == 0
        reward = done * (self._place == self._length * self._cue) / self._count
        for i in np.flatnonzero(done):
            self._cue[i] = self._rngs[i].choice((-1, 1))
        over = self._time >= self._length * self._count
        return reward, over, np.zeros_like(over)

    def observe(self) -> np.ndarray:
        done = self._time % self._length
        features = [self._cue * (done == 0), self._place / self._length, done / self._length]
        vector = np.stack(features, axis=1).astype(np.float32)
        return stripes(vector) if self._images else vector


def corridor(*, num_envs: int = 1, seed: int = 0, images: bool = False, length: int = 30) -> VectorEnv:
    """A corridor with a reward of 1 at its far end, where it ends; cut after twice its length.

    The end is so far that steps at random hardly ever get there. Feature: the place, from -1 to 1.
    """
    if length < 1:
        raise EnvError(f"wanted a length of at least 1, got {length}")
    return NextStepEnv(_Corridor(length, num_envs=num_envs, seed=seed, images=images))


class _Corridor(World):
    def __init__(self, length: int, *, num_envs: int, seed: int, images: bool):
        super().__init__(_vector(1, 2, images=images), num_envs=num_envs, seed=seed)
        self._length, self._images = length, images
        self._place = np.zeros(num_envs, np.int64)

    def begin(self, env: int, rng: np.random.Generator) -> None:
        del rng
        self._place[env] = 0

    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._place = np.clip(self._place + np.where(action == 1, 1, -1), 0, self._length)
        arrived = self._place == self._length
        return arrived, arrived, (self._time >= 2 * self._length) & ~arrived

    def observe(self) -> np.ndarray:
        place = 2 * self._place / self._length - 1
        if not self._images:
            return place[:, None].astype(np.float32)
        picture = np.zeros((self.num_envs, SIDE, SIDE, 3), np.uint8)
        column = self._place * (SIDE - 4) // self._length
        for i, left in enumerate(column):
            picture[i, SIDE // 2 - 2 : SIDE // 2 + 2, left : left + 4] = 255
        return picture


def pixel_catch(*, num_envs: int = 1, seed: int = 0, ball: int = 2, paddle: int = 8) -> VectorEnv:
    """A ball of `ball` pixels a side falls in a picture; 1 if the paddle is under it at the bottom, else -1.

    Actions: left, stay, right. Both move by 4 pixels a step, so that the paddle can get anywhere in time.
    """
    if not 1 <= ball <= paddle <= SIDE // 2:
        raise EnvError(f"wanted 1 <= ball <= paddle <= {SIDE // 2}, got {ball} and {paddle}")
    return NextStepEnv(_PixelCatch(ball, paddle, num_envs=num_envs, seed=seed))


class _PixelCatch(World):
    STEP = 4

    def __init__(self, ball: int, paddle: int, *, num_envs: int, seed: int):
        super().__init__(_vector(0, 3, images=True), num_envs=num_envs, seed=seed)
        self._ball, self._paddle = ball, paddle
        self._column = np.zeros(num_envs, np.int64)  # left edge of the ball
        self._place = np.zeros(num_envs, np.int64)  # left edge of the paddle

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self._column[env] = rng.integers(SIDE - self._ball, endpoint=True)
        self._place[env] = (SIDE - self._paddle) // 2

    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._place = np.clip(self._place + self.STEP * (action - 1), 0, SIDE - self._paddle)
        over = self._top() >= SIDE - self._ball
        right = self._column + self._ball
        caught = (self._column >= self._place) & (right <= self._place + self._paddle)
        return over * np.where(caught, 1, -1), over, np.zeros_like(over)

    def _top(self) -> Int[np.ndarray, " env"]:
        return np.minimum(self.STEP * self._time, SIDE - self._ball)

    def observe(self) -> UInt8[np.ndarray, "env 64 64 3"]:
        picture = np.zeros((self.num_envs, SIDE, SIDE, 3), np.uint8)
        for i, (top, left, place) in enumerate(zip(self._top(), self._column, self._place, strict=True)):
            picture[i, SIDE - 2 :, place : place + self._paddle] = (80, 160, 255)
            picture[i, top : top + self._ball, left : left + self._ball] = 255
        return picture
