"""The environments' history on disk: one row per action, in files each written once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hieros_eqx.envs import History
from hieros_eqx.envs.history import action_row, check_history
from hieros_eqx.errors import CheckpointError, EnvError
from hieros_eqx.training.segments import Segment, read_rows
from hieros_eqx.types import Spaces


def row_dtype(spaces: Spaces, num_envs: int) -> np.dtype:
    """Return the layout of a row: an action of every environment, and the timestep before it."""
    shape, dtype = action_row(spaces.action, num_envs)
    return _layout(dtype, shape)


def _layout(action: np.dtype, shape: tuple[int, ...]) -> np.dtype:
    """Return the layout of a row with actions `[env ...]`."""
    return np.dtype(
        [("action", action.newbyteorder("<"), shape), ("check", "<u4", shape[:1]), ("first", "?", shape[:1])]
    )


def to_rows(history: History) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """Return the rows of a history, and what is known of the timestep after its last action."""
    actions, checks, first = history
    count = len(actions)
    rows = np.empty(count, _layout(actions.dtype, actions.shape[1:]))
    rows["action"], rows["check"], rows["first"] = actions, checks[:count], first[:count]
    return rows, (checks[count], first[count]) if len(checks) > count else None


def read_history(
    path: Path,
    parts: Sequence[Segment],
    pending: tuple[np.ndarray, np.ndarray] | None,
    spaces: Spaces,
    num_envs: int,
) -> History:
    """Return the history that some files of the checkpoint at `path` hold. Raises `CheckpointError`."""
    dtype = row_dtype(spaces, num_envs)
    rows = [read_rows(path / part.file, dtype, part.rows) for part in parts]
    joined = np.concatenate(rows) if rows else np.empty(0, dtype)
    if (joined["first"].view(np.uint8) > 1).any():
        raise CheckpointError(f"{path / parts[0].file}: holds impossible values of first.")
    checks, first = pending if pending is not None else (np.empty((0, num_envs)), np.empty((0, num_envs)))
    history = History(
        np.ascontiguousarray(joined["action"]),
        np.concatenate([joined["check"], checks.reshape(-1, num_envs).astype(np.uint32)]),
        np.concatenate([joined["first"], first.reshape(-1, num_envs).astype(np.bool_)]),
    )
    try:
        check_history(history, spaces.action, num_envs)
    except EnvError as error:
        raise CheckpointError(f"{path}: its history of the environments is damaged ({error}).") from error
    return history
