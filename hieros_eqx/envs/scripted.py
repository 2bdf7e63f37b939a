"""Episodes of scripted or random lengths that say at every step where they stand: for clocks and replay.

Not for learning: no action changes anything.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, Shaped, UInt8

from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.next_step import NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.seeding import env_seeds
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

STRIPE = 8  # columns of a picture per byte


def random_length(
    *,
    num_envs: int = 1,
    seed: int = 0,
    lengths: Sequence[Sequence[int]] | None = None,
    min_length: int = 1,
    max_length: int = 20,
    truncate_every: int = 2,
    images: bool = False,
    actions: int = 3,
) -> VectorEnv:
    """Environments whose episodes have known lengths and ends.

    An episode of length n has n steps after its first observation. `lengths` gives those of each
    environment, in turn and over again; without it they are drawn from `[min_length, max_length]`. Every
    `truncate_every`-th episode of an environment (counted from 1) is cut short, the others terminate; 0
    cuts none.

    Raises `EnvError` for lengths below 1, or where there is not one list of them for every environment.

    The vector is (episode, step, env), as numbers from 0; `images` holds the same, see `decode_picture`. The
    reward is `reward_at(step)`.
    """
    if lengths is not None and len(lengths) != num_envs:
        raise EnvError(f"wanted one list of lengths per environment ({num_envs}), got {len(lengths)}")
    script = [list(x) for x in lengths] if lengths is not None else None
    shortest = min((min(x, default=0) for x in script), default=0) if script is not None else min_length
    if shortest < 1 or max_length < min_length:
        raise EnvError(f"wanted lengths of at least 1, got {lengths or (min_length, max_length)}")
    if actions < 1 or truncate_every < 0:
        raise EnvError(f"wanted actions >= 1 and truncate_every >= 0, got {actions} and {truncate_every}")
    return NextStepEnv(
        RandomLengthSimulator(
            script,
            num_envs=num_envs,
            seed=seed,
            span=(min_length, max_length),
            truncate_every=truncate_every,
            images=images,
            actions=actions,
        )
    )


def reward_at(step: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
    """The reward that arrives at each step of an episode: its number; 0 at the first observation."""
    return step


def encode_picture(numbers: Int[np.ndarray, "env 3"]) -> UInt8[np.ndarray, "env 64 64 3"]:
    """(episode, step, env) as stripes of 8 columns: low bytes of the three, then high bytes, then black."""
    row = np.concatenate([numbers % 256, numbers // 256 % 256], axis=1).astype(np.uint8)
    row = np.pad(np.repeat(row, STRIPE, axis=1), ((0, 0), (0, SIDE - 6 * STRIPE)))
    return np.broadcast_to(row[:, None, :, None], (len(row), SIDE, SIDE, 3)).copy()


def decode_picture(picture: UInt8[np.ndarray, "*batch 64 64 3"]) -> Int[np.ndarray, "*batch 3"]:
    """(episode, step, env) from a picture of `encode_picture`."""
    row = picture[..., 0, : 6 * STRIPE : STRIPE, 0].astype(np.int64)
    return row[..., :3] + 256 * row[..., 3:]


class RandomLengthSimulator:
    """A `Simulator` of episodes that only count."""

    def __init__(
        self,
        script: list[list[int]] | None,
        *,
        num_envs: int,
        seed: int,
        span: tuple[int, int],
        truncate_every: int,
        images: bool,
        actions: int,
    ):
        self.num_envs = num_envs
        self._script, self._span, self._truncate_every, self._images = script, span, truncate_every, images
        self._rngs = [np.random.default_rng(s) for s in env_seeds(seed, num_envs)]
        self._episode = np.full(num_envs, -1, np.int64)
        self._step = np.zeros(num_envs, np.int64)
        self._length = np.zeros(num_envs, np.int64)
        self.spaces = Spaces(
            observation=ObservationSpace(
                kind="image" if images else "vector", shape=(SIDE, SIDE, 3) if images else (3,)
            ),
            action=ActionSpace(kind="discrete", size=actions),
        )

    def reset(self) -> Shaped[np.ndarray, "env ..."]:
        """Start all episodes."""
        self._begin(np.ones(self.num_envs, np.bool_))
        return self._observe()

    def send(self, action: Int[np.ndarray, " env"], restart: Bool[np.ndarray, " env"]) -> None:  # noqa: ARG002
        """Step; where `restart`, begin."""
        self._step = self._step + 1
        self._begin(restart)

    def recv(self) -> RawStep:
        """What came of it."""
        ends = self._step >= self._length
        cut = np.zeros_like(ends)
        if self._truncate_every:
            cut = (self._episode + 1) % self._truncate_every == 0
        return RawStep(self._observe(), reward_at(self._step), ends & ~cut, ends & cut)

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, where: np.ndarray) -> None:
        self._step = np.where(where, 0, self._step)
        self._episode = self._episode + where
        for i in np.flatnonzero(where):
            if self._script is not None:
                self._length[i] = self._script[i][self._episode[i] % len(self._script[i])]
            else:
                self._length[i] = self._rngs[i].integers(*self._span, endpoint=True)

    def _observe(self) -> np.ndarray:
        numbers = np.stack([self._episode, self._step, np.arange(self.num_envs)], axis=1)
        return encode_picture(numbers) if self._images else numbers.astype(np.float32)
