"""What a person sees while training: a table on a terminal, a line now and then elsewhere, or nothing."""

import importlib.util
import os
import sys
import time
from typing import Any, Protocol, runtime_checkable

from hieros_eqx.training.records import Highlights

PLAIN_EVERY_SECONDS = 30.0


@runtime_checkable
class Stream(Protocol):
    """What is written to: `sys.stderr`, or what a notebook or test puts in its place."""

    def write(self, text: str, /) -> Any:
        """Write some text."""
        ...

    def flush(self) -> None:
        """Let it be seen."""
        ...

    def isatty(self) -> bool:
        """Whether a person sits before it."""
        ...


@runtime_checkable
class Progress(Protocol):
    """How the loop tells where it is."""

    def step(self, env_step: int) -> None:
        """Say that `env_step` environment steps have been taken."""
        ...

    def note(self, highlights: Highlights) -> None:
        """Say what the last log line holds."""
        ...

    def say(self, text: str) -> None:
        """Say one line."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


class Silent:
    """Shows nothing."""

    def step(self, env_step: int) -> None:
        """Nothing."""

    def note(self, highlights: Highlights) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines:
    """A plain line at log lines, at most every `PLAIN_EVERY_SECONDS`, with rate and time left."""

    def __init__(self, total: int, start: int, stream: Stream, every: float = PLAIN_EVERY_SECONDS):
        self._total, self._start, self._stream, self._every = total, start, stream, every
        self._env_step = start
        self._begun = self._written = time.monotonic()

    def step(self, env_step: int) -> None:
        """Remember the step."""
        self._env_step = env_step

    def note(self, highlights: Highlights) -> None:
        """Write a line, unless one was written a moment ago."""
        now = time.monotonic()
        if now - self._written < self._every:
            return
        self._written = now
        rate = (self._env_step - self._start) / max(now - self._begun, 1e-9)
        left = (self._total - self._env_step) / max(rate, 1e-9)
        returned = "" if highlights.mean is None else f", return {highlights.mean:.4g}"
        self.say(
            f"step {self._env_step:,} of {self._total:,}, {rate:.1f} steps/s, {duration(left)} left, "
            f"updates {highlights.updates}, episodes {highlights.episodes}{returned}"
        )

    def say(self, text: str) -> None:
        """Write a line."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to end."""


def make_progress(total: int, start: int, *, shown: bool, stream: Stream | None = None) -> Progress:
    """Return a table where `stream` (default: standard error) is a terminal and rich is there, else lines."""
    if not shown:
        return Silent()
    output: Stream = sys.stderr if stream is None else stream
    if output.isatty() and os.environ.get("TERM") != "dumb" and importlib.util.find_spec("rich") is not None:
        from hieros_eqx.training.table import Table

        return Table(total, start, output)
    return Lines(total, start, output)


def duration(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds: `0:01:40`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
