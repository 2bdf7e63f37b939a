"""Several batches of environments, one per agent, stepped as one."""

from collections.abc import Sequence

import numpy as np

from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Timestep


class JoinedEnv(VectorEnv):
    """The environments of all parts, part after part. All must have the same spaces."""

    def __init__(self, parts: Sequence[VectorEnv]):
        self._parts = list(parts)
        self.spaces = self._parts[0].spaces
        for part in self._parts:
            if part.spaces != self.spaces:
                raise EnvError(f"wanted environments with {self.spaces}, got one with {part.spaces}")
        sizes = [part.num_envs for part in self._parts]
        self.num_envs = sum(sizes)
        self._ends = np.cumsum(sizes)[:-1]

    def reset(self) -> Timestep:
        """Start all environments anew."""
        return _concatenate([part.reset() for part in self._parts])

    def send(self, action: object) -> None:
        """Begin a step of all parts."""
        actions = np.asarray(action)
        if actions.shape[:1] != (self.num_envs,):
            raise EnvError(f"wanted {self.num_envs} actions, got shape {actions.shape}: one per environment")
        for part, own in zip(self._parts, np.split(actions, self._ends), strict=True):
            part.send(own)

    def recv(self) -> Timestep:
        """Finish it."""
        return _concatenate([part.recv() for part in self._parts])

    def step(self, action: object) -> Timestep:
        """`send`, then `recv`."""
        self.send(action)
        return self.recv()

    def close(self) -> None:
        """Close all parts."""
        for part in self._parts:
            part.close()


def _concatenate(timesteps: Sequence[Timestep]) -> Timestep:
    return Timestep(*(np.concatenate(fields) for fields in zip(*timesteps, strict=True)))
