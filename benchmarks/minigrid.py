"""MiniGrid with the objects in sight one-hot.

A cell comes as three codes: object, colour, state. Taken as sizes, a key (5) and a ball (6) differ by 0.15
after symlog: not to know which it is costs a hundredth of a nat of a reconstruction, for which no z would
learn it. One-hot with ones it costs a quarter of a nat, among hundreds of entries that weigh as much. Here
an object is an entry of `SIZE`, which makes that 4.6 nats. Colours and states are left out: where all objects
are of one colour and nothing opens, as in Memory, they follow from the object.
"""

import numpy as np

from hieros_eqx.envs import VectorEnv, make_env
from hieros_eqx.types import ObservationSpace, Spaces, Timestep

OBJECTS, CODES = 11, 3  # kinds of objects, codes of a cell
DIRECTIONS = 4
SIZE = 20.0


def objects(name: str, *, num_envs: int = 1, seed: int = 0) -> VectorEnv:
    """Return environments of an id whose features are the direction and the objects in sight, one-hot."""
    return ObjectGrid(make_env(env_id=name, keys=("direction", "image"), num_envs=num_envs, seed=seed))


class ObjectGrid:
    """A `VectorEnv` that shows the objects of another, which shows `[direction, cells as codes]`."""

    def __init__(self, env: VectorEnv):
        cells = (env.spaces.observation.shape[0] - DIRECTIONS) // CODES
        self.spaces = Spaces(
            observation=ObservationSpace(kind="vector", shape=(DIRECTIONS + cells * OBJECTS,)),
            action=env.spaces.action,
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
        seen = np.eye(OBJECTS, dtype=np.float32)[cells[:, ::CODES].astype(np.int64)]
        shown = np.concatenate([direction, seen.reshape(self.num_envs, -1)], axis=1)
        return timestep._replace(observation=SIZE * shown)
