"""Reads Gymnasium spaces: any observation as one image or vector, any action as index or numbers in [-1, 1].

Knows spaces by what they offer, so that Gymnasium need not be imported.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hieros_eqx.envs.images import SIDE, check_channels, is_picture, to_rgb64
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

MOST_ACTIONS = 2**15 - 1  # replay keeps the index of an action in 16 bits


def _kind(space: Any) -> str:
    return type(space).__name__


def _leaves(space: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All entries of nested dictionaries of spaces, with the way to each."""
    if _kind(space) != "Dict":
        yield path, space
        return
    for key, inner in space.spaces.items():
        yield from _leaves(inner, (*path, key))


class ObservationReader:
    """Turns a batch of raw observations into the one array that the agent sees.

    A byte picture with sides of at least 32 becomes a 64 x 64 RGB image. All else becomes one float32
    vector: numbers flattened, indices one-hot, entries of a dictionary one after another. `keys` chooses
    the entries of a dictionary, inner ones as `outer/inner`; without keys all are read.
    """

    space: ObservationSpace

    def __init__(self, space: Any, keys: Sequence[str] = ()):
        entries = {"/".join(map(str, path)): (path, leaf) for path, leaf in _leaves(space)}
        if keys and _kind(space) != "Dict":
            raise EnvError(f"wanted a Dict space to choose {tuple(keys)} from, got {space}: leave keys out")
        unknown = [key for key in keys if key not in entries]
        if unknown:
            raise EnvError(f"wanted keys among {sorted(entries)}, got {unknown}")
        self._entries = [entries[key] for key in keys] if keys else list(entries.values())
        pictures = [is_picture(leaf.shape, leaf.dtype) for _, leaf in self._entries if _kind(leaf) == "Box"]
        if any(pictures) and len(self._entries) > 1:
            raise EnvError(f"wanted one picture or only vectors, got both of {space}: choose with keys")
        if any(pictures):
            check_channels(self._entries[0][1].shape)
            self.space = ObservationSpace(kind="image", shape=(SIDE, SIDE, 3))
        else:
            size = sum(_width(leaf) for _, leaf in self._entries)
            if not size:
                raise EnvError(
                    f"wanted observations of at least one number, got {space}: wrap the environment"
                )
            self.space = ObservationSpace(kind="vector", shape=(size,))

    def __call__(self, observation: Any, num_envs: int) -> np.ndarray:
        """uint8 `[env 64 64 3]` or float32 `[env feature]`. Every leaf of `observation` leads with `env`."""
        values = [(leaf, _follow(observation, path)) for path, leaf in self._entries]
        for leaf, value in values:
            _check_leaf(leaf, value, num_envs)
        if self.space.kind == "image":
            return to_rgb64(values[0][1])
        return np.concatenate([_flat(leaf, value, num_envs) for leaf, value in values], axis=1)


def _width(space: Any) -> int:
    """How many numbers a space takes in the vector."""
    if _kind(space) == "Discrete":
        return int(space.n)
    if _kind(space) in ("Box", "MultiBinary", "MultiDiscrete") and np.dtype(space.dtype).kind in "biuf":
        return int(np.prod(space.shape))
    raise EnvError(f"wanted Box, Discrete, MultiBinary, MultiDiscrete or Dict observations, got {space}")


def _follow(observation: Any, path: tuple[str, ...]) -> np.ndarray:
    for key in path:
        if not isinstance(observation, Mapping) or key not in observation:
            raise EnvError(
                f"wanted an observation with entry {'/'.join(path)!r}, got {type(observation).__name__}"
            )
        observation = observation[key]
    return np.asarray(observation)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1, which environments leave out or add as they like."""
    return tuple(size for size in shape if size != 1)


def _check_leaf(space: Any, value: np.ndarray, num_envs: int) -> None:
    """`EnvError` unless a batch of raw observations fits its space."""
    wanted = (num_envs, *space.shape)
    if value.shape[:1] != (num_envs,) or _without_ones(value.shape) != _without_ones(wanted):
        raise EnvError(f"wanted an observation of shape {space.shape} as declared, got {value.shape[1:]}")
    if value.dtype != space.dtype and not (
        value.dtype.kind in "biuf" and np.can_cast(value.dtype, space.dtype, "same_kind")
    ):
        raise EnvError(f"wanted an observation of dtype {space.dtype} as declared, got {value.dtype}")


def _flat(space: Any, value: np.ndarray, num_envs: int) -> np.ndarray:
    if _kind(space) != "Discrete":
        with np.errstate(over="ignore"):  # infinity is refused by its name afterwards
            return value.reshape(num_envs, -1).astype(np.float32)
    index = value.reshape(num_envs).astype(np.int64) - int(getattr(space, "start", 0))
    if (index < 0).any() or (index >= space.n).any():
        raise EnvError(f"wanted an observation in {space}, got {value.tolist()}")
    return np.eye(int(space.n), dtype=np.float32)[index]


def check_action_size(space: ActionSpace) -> None:
    """`EnvError` unless there is something to choose, and a discrete choice fits where replay keeps it."""
    most = MOST_ACTIONS if space.kind == "discrete" else 2**31 - 1
    if type(space.size) is not int or not 1 <= space.size <= most:
        raise EnvError(f"wanted 1 to {most} {space.kind} actions, got size {space.size!r}")


def check_spaces(spaces: object) -> None:
    """`EnvError` unless these are `Spaces` as the agent takes them: of somebody else's `VectorEnv`."""
    if not isinstance(spaces, Spaces):
        raise EnvError(f"wanted `hieros_eqx.Spaces` as `spaces`, got {type(spaces).__name__}")
    kind, shape, action = spaces.observation.kind, spaces.observation.shape, spaces.action
    whole = isinstance(shape, tuple) and all(type(size) is int and size > 0 for size in shape)
    if kind not in ("image", "vector") or action.kind not in ("discrete", "continuous"):
        raise EnvError(f"wanted an image or a vector, and discrete or continuous actions, got {spaces}")
    if not whole or len(shape) != (3 if kind == "image" else 1):
        axes = "(height, width, channels)" if kind == "image" else "(feature,)"
        raise EnvError(f"wanted {kind} observations of shape {axes}, whole numbers > 0, got {shape!r}")
    check_action_size(action)


class ActionWriter:
    """Turns checked actions into what the environment wants: shifted indices, or numbers in its bounds.

    A bounded coordinate maps [-1, 1] onto its range; an unbounded one receives the number as it is.
    """

    space: ActionSpace

    def __init__(self, space: Any):
        self._raw = space
        if _kind(space) == "Discrete":
            self.space = ActionSpace(kind="discrete", size=int(space.n))
            self._start = int(getattr(space, "start", 0))
        elif _kind(space) == "Box" and np.issubdtype(space.dtype, np.floating):
            self.space = ActionSpace(kind="continuous", size=int(np.prod(space.shape)))
            low, high = (np.asarray(x, np.float64).ravel() for x in (space.low, space.high))
            if not (low <= high).all():  # NaN fails too
                raise EnvError(
                    f"wanted actions with low <= high, got low={low.tolist()}, high={high.tolist()}"
                )
            bounded = np.isfinite(low) & np.isfinite(high) & (high - low < 1e30)
            self._low = np.where(bounded, low, -1.0)
            self._half = np.where(bounded, (np.where(bounded, high, 1) - self._low) / 2, 1.0)
        else:
            raise EnvError(
                f"wanted Discrete or floating-point Box actions, got {space}: wrap the environment"
            )
        check_action_size(self.space)

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """`[env]` or `[env ...]` in the environment's own shape, dtype and bounds."""
        if self.space.kind == "discrete":
            return action + np.int32(self._start)
        scaled = self._low + (action.astype(np.float64) + 1) * self._half
        return scaled.reshape(len(action), *self._raw.shape).astype(self._raw.dtype)
