"""Loggers beside the files: what a sink is, and how several are told without one ever stopping a run.

`metrics.jsonl` and `episodes.jsonl` are what happened; a sink is a copy for somebody else's viewer. One that
raises is told of once and left out from then on, whatever it raises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import ConfigError, HierosError

Pictures = Callable[[HierosState, int], Mapping[str, np.ndarray]]
"""Called with the state and its environment step at checkpoints alone; returns pictures by name, uint8
`[height width 3]`, or `[time height width 3]` where they move. It may fetch from the state, not keep it."""
EPISODE = ("return", "length", "truncated")  # of a record of an episode, what is worth a curve


@runtime_checkable
class Sink(Protocol):
    """Takes the numbers and pictures of a run. One object serves one call of `train`."""

    def open(self, run_dir: Path | None, config: HierosConfig, env_step: int) -> None:
        """Begin at `env_step`: what was written of later steps before will be written anew.

        A `HierosError` refuses the run; any other error leaves the sink out.
        """
        ...

    def write(self, env_step: int, seed: int, scalars: Mapping[str, float]) -> None:
        """Take some numbers of one seed. They may be NaN."""
        ...

    def pictures(self, env_step: int, seed: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Take some pictures of one seed, as `Pictures` returns them."""
        ...

    def close(self) -> None:
        """Let everything be written. Called in the end, whatever has happened, unless the sink has failed."""
        ...


class SinkError(Exception):
    """What a sink or a picture hook has raised, in words. Never leaves `Sinks`."""


def check_sinks(sinks: Sequence[Sink], draw: Pictures | None) -> None:
    """Raise `ConfigError` for what is no sink and for a hook that cannot be called."""
    if not isinstance(sinks, Sequence) or isinstance(sinks, str):
        raise ConfigError(f"sinks: wanted a list of them, got {sinks!r}.")
    for sink in sinks:
        if isinstance(sink, type) or not isinstance(sink, Sink):
            raise ConfigError(f"sinks: wanted objects with open, write, pictures and close, got {sink!r}.")
    if draw is not None and not callable(draw):
        raise ConfigError(f"pictures: wanted a function of state and environment step, got {draw!r}.")


class Sinks:
    """Some sinks and the hook that draws for them, told of a run together."""

    def __init__(self, sinks: Sequence[Sink], draw: Pictures | None, tell: Callable[[str], None]):
        self._sinks, self._draw, self._tell = list(sinks), draw, tell
        self._drawn: int | None = None  # the step of the newest pictures

    def open(self, run_dir: Path | None, config: HierosConfig, env_step: int) -> None:
        """Open all of them. What one refuses as a `HierosError` passes."""
        self._each("open", run_dir, config, env_step)

    def metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Tell of the records of a log line, one for each seed."""
        for record in records:
            numbers = {name: float(x) for name, x in record.items() if name not in ("seed", "env_step")}
            self._each("write", record["env_step"], record["seed"], numbers)

    def episodes(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Tell of episodes that have ended, as `episode/return`, `episode/length`, `episode/truncated`."""
        for record in records:
            numbers = {f"episode/{name}": float(record[name]) for name in EPISODE}
            self._each("write", record["env_step"], record["seed"], numbers)

    def checkpoint(self, state: HierosState, env_step: int) -> None:
        """Draw, if anybody is there to see it. Pictures are of the first seed."""
        if self._draw is None or not self._sinks or env_step == self._drawn:
            return
        self._drawn = env_step
        try:
            with _asking("the pictures"):
                drawn = self._draw(state, env_step)
        except SinkError as failure:
            self._draw = None
            self._tell(f"{failure}; training goes on without pictures")
            return
        if drawn:
            self._each("pictures", env_step, state.config.all_seeds[0], drawn)

    def close(self) -> None:
        """Close those that are left."""
        self._each("close")

    def _each(self, call: str, *arguments: Any) -> None:
        for sink in list(self._sinks):
            try:
                with _asking(f"{type(sink).__name__}.{call}"):
                    getattr(sink, call)(*arguments)
            except SinkError as failure:
                self._sinks.remove(sink)
                self._tell(f"{failure}; training goes on without it")


@contextmanager
def _asking(whom: str) -> Iterator[None]:
    """Put what somebody else's code raises into words. Errors of this project pass."""
    try:
        yield
    except HierosError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SinkError(f"{whom} failed ({reason})") from error
