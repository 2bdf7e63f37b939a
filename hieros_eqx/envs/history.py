"""What passed through environments: every action, and a checksum of every answer."""

import zlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8, UInt32

from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, Timestep

START_ROWS = 1024


class History(NamedTuple):
    """All that is needed to bring environments back: arrays that lead with `step`, then `env`.

    Action t was sent after timestep t, and timestep t + 1 answers it. If the last answer never came, there
    are as many timesteps as actions, else one more.
    """

    actions: np.ndarray  # int32 [step env] | float32 [step env size]
    checks: np.ndarray  # uint32 [known env]: what `timestep_checks` gave
    first: np.ndarray  # bool [known env]: its `is_first`


class NotRepeatable(EnvError):  # noqa: N818
    """Environments that were made anew did not do what their history says."""


def timestep_checks(
    timestep: Timestep, hidden: UInt8[np.ndarray, "env byte"] | None = None
) -> UInt32[np.ndarray, " env"]:
    """Return the CRC-32 of every environment's observation, reward, flags and `hidden` state, as bytes."""
    observation = np.ascontiguousarray(timestep.observation)
    n = len(observation)
    rest = np.empty((n, 7 + (0 if hidden is None else hidden.shape[1])), np.uint8)
    rest[:, :4] = timestep.reward.view(np.uint8).reshape(n, 4)
    rest[:, 4], rest[:, 5], rest[:, 6] = timestep.is_first, timestep.is_last, timestep.is_terminal
    rest[:, 7:] = () if hidden is None else hidden
    return np.array([zlib.crc32(rest[i], zlib.crc32(observation[i])) for i in range(n)], np.uint32)


def check_repeated(
    timestep: Timestep,
    checks: UInt32[np.ndarray, " env"],
    history: History,
    *,
    steps: Int[np.ndarray, " env"],
    envs: Int[np.ndarray, " env"],
) -> None:
    """Raise `NotRepeatable` unless `checks`, of `timestep`, are those of `envs` at `steps` of the history."""
    wanted = history.checks[steps, envs]
    wrong = np.flatnonzero(checks != wanted)
    if wrong.size:
        i = wrong[0]
        seen = f"{timestep.observation.dtype} {timestep.observation.shape[1:]}"
        raise NotRepeatable(
            f"environment {envs[i]} did not repeat itself at step {steps[i]}: "
            f"wanted CRC-32 {wanted[i]:08x} and is_first={history.first[steps[i], envs[i]]}, "
            f"got {checks[i]:08x} and is_first={timestep.is_first[i]} (observation: {seen}): "
            "it has another seed, version or options than before, or is not deterministic"
        )


def check_history(history: History, space: ActionSpace, num_envs: int) -> None:
    """Raise `EnvError` unless the arrays fit each other, `NotRepeatable` if other environments gave them."""
    actions, checks, first = history
    known = len(checks)
    if known < 1 or len(actions) not in (known - 1, known):
        raise EnvError(
            f"wanted a history of at least 1 timestep, and as many actions or one less, "
            f"got {known} timesteps and {len(actions)} actions"
        )
    if (
        checks.ndim != 2
        or checks.dtype != np.uint32
        or (first.shape, first.dtype) != (checks.shape, np.bool_)
    ):
        raise EnvError(
            "wanted `checks` as uint32 [known env] and `first` as bool of the same shape, "
            f"got {checks.dtype} {checks.shape} and {first.dtype} {first.shape}"
        )
    if not first[0].all():
        raise EnvError(f"wanted a history that begins with `reset`, got is_first={first[0].tolist()}")
    row, dtype = action_row(space, num_envs)
    if checks.shape[1] != num_envs or actions.shape[1:] != row or actions.dtype != dtype:
        raise NotRepeatable(
            f"wanted a history of {num_envs} environments with {space.kind} actions ({dtype} {row}), "
            f"got one of {checks.shape[1]} environments with actions of {actions.dtype} {actions.shape[1:]}: "
            "make the environments that it was recorded from"
        )
    low, high = (0, space.size - 1) if space.kind == "discrete" else (-1, 1)
    if not ((actions >= low) & (actions <= high)).all():  # NaN fails too
        raise NotRepeatable(
            f"wanted a history with actions from {low} to {high}, got {actions.min()} to {actions.max()}: "
            "make the environments that it was recorded from"
        )


class Log:
    """A `History` that grows, in memory that doubles whenever it is full."""

    def __init__(self, space: ActionSpace, num_envs: int):
        row, dtype = action_row(space, num_envs)
        self.sent = 0  # actions
        self.known = 0  # timesteps
        self._actions = np.empty((START_ROWS, *row), dtype)
        self._checks = np.empty((START_ROWS, num_envs), np.uint32)
        self._first = np.empty((START_ROWS, num_envs), np.bool_)

    def add_action(self, action: np.ndarray) -> None:
        """Note what is being sent."""
        self._actions = _with_room(self._actions, self.sent + 1)
        self._actions[self.sent] = action
        self.sent += 1

    def add_timestep(self, timestep: Timestep, checks: np.ndarray) -> None:
        """Note an answer and its `timestep_checks`."""
        self._checks = _with_room(self._checks, self.known + 1)
        self._first = _with_room(self._first, self.known + 1)
        self._checks[self.known] = checks
        self._first[self.known] = timestep.is_first
        self.known += 1

    def take(self, history: History, known: int) -> None:
        """Become the first `known` timesteps of `history`, all actions between them answered."""
        self.sent, self.known = known - 1, known
        self._actions = _with_room(history.actions[: self.sent], START_ROWS)
        self._checks = _with_room(history.checks[:known], START_ROWS)
        self._first = _with_room(history.first[:known], START_ROWS)

    def since(self, start: int) -> History:
        """Return copies of the rows from `start` on."""
        return History(
            self._actions[start : self.sent].copy(),
            self._checks[start : self.known].copy(),
            self._first[start : self.known].copy(),
        )


def action_row(space: ActionSpace, num_envs: int) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of the actions of one step, `env` leading."""
    if space.kind == "discrete":
        return (num_envs,), np.dtype(np.int32)
    return (num_envs, space.size), np.dtype(np.float32)


def _with_room(rows: np.ndarray, wanted: int) -> np.ndarray:
    """`rows` if it has so many, else a copy in at least twice the memory."""
    if len(rows) >= wanted:
        return rows
    grown = np.empty((max(wanted, 2 * len(rows)), *rows.shape[1:]), rows.dtype)
    grown[: len(rows)] = rows
    return grown
