"""What every batch of environments is: the protocol, and the checks at its door.

Time runs as in `hieros_eqx.types`: `reset` gives a `Timestep` that is all `is_first`; the step after
`is_last` ignores its action and is `is_first` with reward 0; a truncation is `is_last` without
`is_terminal`. An episode has at least one step after its first observation.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep

ACTION_TOLERANCE = 1e-5  # float32 rounding of a squashed action, clipped without a word

LARGEST_REWARD = float(np.finfo(np.float32).max)


@runtime_checkable
class VectorEnv(Protocol):
    """`num_envs` environments of equal spaces, stepped together, which reset themselves.

    Actions: discrete, integers `[env]` in `[0, size)`; continuous, floats `[env size]` in [-1, 1].
    `step` is `send` then `recv`; between the two the caller may do other work.
    """

    spaces: Spaces
    num_envs: int

    def reset(self) -> Timestep:
        """Start all environments anew; all are `is_first`."""
        ...

    def send(self, action: object) -> None:
        """Begin a step with one action per environment. Raises `EnvError` if one is not allowed."""
        ...

    def recv(self) -> Timestep:
        """Finish the step begun by `send`."""
        ...

    def step(self, action: object) -> Timestep:
        """One step of all environments: `send`, then `recv`."""
        ...

    def close(self) -> None:
        """Free what the environments hold; nothing may be called afterwards."""
        ...


def check_action(action: object, space: ActionSpace, num_envs: int) -> np.ndarray:
    """`action` as int32 `[env]` or float32 `[env size]`; `EnvError` if it is not a valid action.

    Anything that NumPy can read is taken, JAX arrays too.
    """
    try:
        value = np.asarray(action)
    except ValueError as error:  # lists of different lengths
        raise EnvError(f"wanted actions as an array, got {type(action).__name__} ({error})") from error
    wanted = (num_envs,) if space.kind == "discrete" else (num_envs, space.size)
    if value.shape != wanted:
        raise EnvError(
            f"wanted {space.kind} actions of shape {wanted}, got shape {value.shape}: "
            "give one action per environment"
        )
    if space.kind == "discrete":
        if not np.issubdtype(value.dtype, np.integer):
            raise EnvError(f"wanted integer actions, got dtype {value.dtype}: use the index, not a one-hot")
        if value.size and (value.min() < 0 or value.max() >= space.size):
            raise EnvError(f"wanted actions in [0, {space.size}), got {value.tolist()}")
        return value.astype(np.int32)
    if not np.issubdtype(value.dtype, np.floating):
        raise EnvError(f"wanted floating-point actions, got dtype {value.dtype}")
    if not np.all(np.abs(value) <= 1 + ACTION_TOLERANCE):  # NaN fails too
        raise EnvError(f"wanted actions in [-1, 1], got {value.tolist()}: squash or clip them first")
    return np.clip(value, -1, 1).astype(np.float32)


def check_observation(observation: object, space: ObservationSpace, num_envs: int) -> np.ndarray:
    """The batch of observations itself; `EnvError` if it is not what `space` promises."""
    shape, dtype = (num_envs, *space.shape), np.dtype(np.uint8 if space.kind == "image" else np.float32)
    if not isinstance(observation, np.ndarray) or observation.shape != shape or observation.dtype != dtype:
        raise EnvError(
            f"wanted {space.kind} observations: a NumPy array of shape {shape} and dtype {dtype}, "
            f"got {describe(observation)}: let the environment return what its space declares"
        )
    if space.kind == "vector" and not np.isfinite(observation).all():
        raise EnvError(
            "wanted finite observations, got NaN or infinity: mend or clip the environment's state"
        )
    return observation


def check_reward(reward: object, num_envs: int) -> np.ndarray:
    """Rewards as float32 `[env]` (booleans and integers are taken); `EnvError` if not finite numbers."""
    value = np.asarray(reward)
    if value.shape != (num_envs,) or value.dtype.kind not in "biuf":
        raise EnvError(
            f"wanted one number per environment as reward, shape {(num_envs,)}, got {describe(value)}"
        )
    if not (np.abs(value) <= LARGEST_REWARD).all():  # NaN fails too
        raise EnvError(
            f"wanted rewards that are finite in float32, got {value.tolist()}: mend the environment's reward"
        )
    return value.astype(np.float32)


def check_flag(flag: object, name: str, num_envs: int) -> np.ndarray:
    """A boolean `[env]`; `EnvError` otherwise."""
    value = np.asarray(flag)
    if value.shape != (num_envs,) or value.dtype != np.bool_:
        raise EnvError(f"wanted `{name}` as booleans of shape {(num_envs,)}, got {describe(value)}")
    return value


def describe(value: object) -> str:
    """Shape and dtype of an array, or the type of anything else, for messages."""
    if isinstance(value, np.ndarray):
        return f"shape {value.shape} and dtype {value.dtype}"
    return f"a {type(value).__name__}"
