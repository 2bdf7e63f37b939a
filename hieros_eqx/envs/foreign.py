"""Somebody else's code: whatever it raises becomes an `EnvError` that says what was asked, and the place."""

import traceback
from pathlib import Path
from types import TracebackType

from hieros_eqx.errors import EnvError, HierosError


class Asking:
    """`with Asking("`step`"):` around a call of a user's environment or factory.

    Any error becomes an `EnvError` with its type, message and place, and the error itself as its cause.
    Errors of this project and `KeyboardInterrupt` pass; `SystemExit` does not: a module that is imported or
    an environment that is stepped may not end the process.
    """

    def __init__(self, call: str):
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception | SystemExit) or isinstance(error, HierosError):
            return
        frames = traceback.extract_tb(trace)
        where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        got = f"{type(error).__name__}: {error}{where}"
        raise EnvError(f"wanted an answer from {self._call}, got {got}") from error
