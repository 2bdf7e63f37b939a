"""MiniGrid with codes one-hot, as its own `OneHotPartialObsWrapper` shows it.

A cell's object, colour and state are numbers of a code. Taken as sizes, a key (5) and a ball (6) differ by
0.15 after symlog: a hundredth of a nat of a reconstruction, for which no z would learn to tell them apart.
"""

import numpy as np

from hieros_eqx.envs import VectorEnv, make_env
from hieros_eqx.types import ObservationSpace, Spaces, Timestep

CODES = (11, 6, 3)  # objects, colours, states of a cell
DIRECTIONS = 4


def one_hot(name: str, *, num_envs: int = 1, seed: int = 0) -> VectorEnv:
    """Return environments of an id whose features are the direction and all cells in sight, one-hot."""
    return OneHotGrid(make_env(env_id=name, keys=("direction", "image"), num_envs=num_envs, seed=seed))


class OneHotGrid:
    """A `VectorEnv` that shows `[direction, cells as codes]` of another one-hot."""

    def __init__(self, env: VectorEnv):
        cells = (env.spaces.observation.shape[0] - DIRECTIONS) // len(CODES)
        shape = (DIRECTIONS + cells * sum(CODES),)
        self.spaces = Spaces(
            observation=ObservationSpace(kind="vector", shape=shape), action=env.spaces.action
        )
        self.num_envs = env.num_envs
        self._env = env

    def reset(self) -> Timestep:
        """Start all environments anew."""
        return self._show(self._env.reset())

    def send(self, action: object) -> None:
        """Begin a step."""
        self._env.send(action)

    def recv(self) -> Timestep:
        """Finish the step."""
        return self._show(self._env.recv())

    def step(self, action: object) -> Timestep:
        """`send`, then `recv`."""
        self.send(action)
        return self.recv()

    def close(self) -> None:
        """Free what the environments hold."""
        self._env.close()

    def _show(self, timestep: Timestep) -> Timestep:
        direction, cells = np.split(timestep.observation, [DIRECTIONS], axis=1)
        codes = cells.astype(np.int64).reshape(self.num_envs, -1, len(CODES))
        parts = [np.eye(size, dtype=np.float32)[codes[..., i]] for i, size in enumerate(CODES)]
        seen = np.concatenate(parts, axis=-1).reshape(self.num_envs, -1)
        return timestep._replace(observation=np.concatenate([direction, seen], axis=1))
