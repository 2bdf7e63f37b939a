"""The table that a terminal shows while training: where the run is, its returns, and how each level does.

Rich draws it, in a thread of its own, every two seconds; a step costs the loop one assignment. It appears
with the first step and stays as it was in the end. What is said meanwhile, by warnings and `print`, too,
stands above it.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from hieros_eqx.training.progress import Stream, duration
from hieros_eqx.training.records import SHOWN_EPISODES, Highlights

REFRESHES_PER_SECOND = 0.5
WINDOW_SECONDS = 30.0  # the rate is that of the latest half minute, unless a program was compiled
BAR = 20  # columns
COLUMNS = (  # title, metric of a level
    ("model", "world_model/loss"),
    ("recon", "world_model/reconstruction"),
    ("KL", "world_model/dyn"),
    ("entropy", "behaviour/entropy"),
    ("extrinsic", "behaviour/returns/extrinsic"),
    ("subgoal", "behaviour/returns/subgoal"),
    ("novelty", "behaviour/returns/novelty"),
)
LEVEL, NUMBER = 5, 9  # columns of the screen that a level's name and one of its numbers take


class Table:
    """A live table on a terminal."""

    def __init__(self, total: int, start: int, stream: Stream):
        output: Any = stream
        self._console = Console(file=output, force_terminal=True, highlight=False)
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
            redirect_stderr=stream is sys.stderr,
        )
        self._total, self._env_step = total, start
        self._begun = (time.monotonic(), start)
        self._passed = deque([self._begun])
        self._told: Highlights | None = None
        self._levels: tuple[Mapping[str, float], ...] = ()

    def step(self, env_step: int) -> None:
        """Note the step; with the first one the table appears."""
        self._env_step = env_step
        if not self._live.is_started:
            self._live.start(refresh=True)
            self._console.show_cursor(True)  # a process that is killed cannot bring it back

    def note(self, highlights: Highlights) -> None:
        """Show what the last log line holds; a level without an update since keeps its numbers."""
        held = [*self._levels, *[{}] * (len(highlights.levels) - len(self._levels))]
        self._levels = tuple({**old, **new} for old, new in zip(held, highlights.levels, strict=True))
        self._told = highlights

    def say(self, text: str) -> None:
        """Write a line above the table."""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the table as it stands."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Draw it as wide as the terminal is now."""
        yield from self._lines(options.max_width)
        if self._levels:
            yield self._grid(options.max_width)

    def _lines(self, width: int) -> Iterator[Any]:
        now, env_step = time.monotonic(), self._env_step
        rate = self._rate(now, env_step)
        left = duration((self._total - env_step) / max(rate, 1e-9))
        counts = f"step {env_step:,} of {self._total:,}"
        rest = f"{rate:.1f} steps/s  {left} left" if rate else "? steps/s"
        top = Grid.grid(padding=(0, 2))
        bar = ProgressBar(total=self._total, completed=env_step, width=BAR)
        if len(counts) + len(rest) + BAR + 4 <= width:
            top.add_row(counts, bar, rest)
            yield top
        else:
            yield Text(f"{counts}  {rest}")
        if (told := self._told) is None:
            return
        many = f"{told.seeds} seeds, means over them  " if told.seeds > 1 else ""
        yield Text(f"{many}updates {told.updates:,}  episodes {told.episodes:,}")
        if told.last is not None:
            mean, best = _number(told.mean), _number(told.best)
            yield Text(f"return: last {_number(told.last)}  mean of {SHOWN_EPISODES} {mean}  best {best}")

    def _rate(self, now: float, env_step: int) -> float:
        """Return steps per second: within the window, or since the beginning if there was none in it."""
        passed = self._passed
        passed.append((now, env_step))
        while len(passed) > 2 and now - passed[1][0] > WINDOW_SECONDS:
            passed.popleft()
        since, before = passed[0] if passed[0][1] < env_step else self._begun
        return (env_step - before) / (now - since) if now - since > 1 else 0.0

    def _grid(self, width: int) -> Grid:
        """Return one row a level, with as many columns as there is room for."""
        shown = COLUMNS[: max(1, (width - LEVEL) // (NUMBER + 1))]
        grid = Grid(box=None, padding=(0, 0, 0, 1), pad_edge=False, header_style="bold")
        grid.add_column("level", width=LEVEL, no_wrap=True)
        for title, _ in shown:
            grid.add_column(title, width=NUMBER, justify="right", no_wrap=True)
        for number, level in enumerate(self._levels):
            grid.add_row(str(number), *(_number(level.get(name)) for _, name in shown))
        return grid


def _number(value: float | None) -> str:
    """Return a number in at most nine characters, or a dash where there is none yet."""
    if value is None:
        return "-"
    return text if len(text := f"{value:.4g}") <= NUMBER else f"{value:.2e}"
