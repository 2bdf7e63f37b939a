"""An episode in a terminal: two pixels a character, as half blocks in 24-bit colour, and numbers below."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from hieros_eqx.report.watch.episode_curves import level_color
from hieros_eqx.report.watch.pictures import as_pictures
from hieros_eqx.report.watch.subgoals import WatchedStep
from hieros_eqx.types import REWARD_KINDS

HALF_BLOCK = "▀"
LARGEST, SMALLEST, GAP = 64, 8, 2  # characters: width of a picture, and between two
OTHER_LINES = 5  # head, labels, head of the table, the cursor's, one to spare

Decode = Callable[[int, np.ndarray], np.ndarray]
"""From a level >= 1 and its codes, int `[time factors]`, to what they want the worker to see."""


class HalfBlocks:
    """A picture for rich: a character is two pixels, one above the other; an odd last row stands on black."""

    def __init__(self, picture: UInt8[np.ndarray, "height width 3"]):
        self.picture = np.pad(picture, ((0, picture.shape[0] % 2), (0, 0), (0, 0)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the characters, those of the same two colours beside each other as one."""
        rows = self.picture.tolist()
        for upper, lower in zip(rows[::2], rows[1::2], strict=True):
            pairs = [(tuple(a), tuple(b)) for a, b in zip(upper, lower, strict=True)]
            begin = 0
            for i in range(1, len(pairs) + 1):
                if i == len(pairs) or pairs[i] != pairs[begin]:
                    yield Segment(HALF_BLOCK * (i - begin), _style(*pairs[begin]))
                    begin = i
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as the picture, neither more nor less."""
        return Measurement(self.picture.shape[1], self.picture.shape[1])


@lru_cache(maxsize=65536)
def _style(upper: tuple[int, ...], lower: tuple[int, ...]) -> Style:
    color, behind = (f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (upper, lower))
    return Style(color=color, bgcolor=behind)


def fit(
    picture: UInt8[np.ndarray, "height width 3"], width: int, height: int
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return a picture that fits into `width` x `height` pixels, enlarged by a whole factor or averaged.

    Raises `ValueError` for a size below 1.
    """
    if min(width, height) < 1:
        raise ValueError(f"wanted at least 1 x 1 pixels, got {width} x {height}.")
    share = min(width / picture.shape[1], height / picture.shape[0])
    if share >= 1:
        return picture.repeat(int(share), axis=0).repeat(int(share), axis=1)
    rows, columns = (max(1, int(side * share)) for side in picture.shape[:2])
    result = picture.astype(np.float32)
    for axis, size in ((0, rows), (1, columns)):
        edges = np.arange(size + 1) * picture.shape[axis] // size
        counts = np.diff(edges).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        result = np.add.reduceat(result, edges[:-1], axis=axis) / counts
    return result.round().astype(np.uint8)


def show_steps(
    steps: Iterable[WatchedStep],
    console: Console,
    *,
    decode: Decode,
    title: str,
    fps: float | int,
    sleep: Callable[[float], Any] = time.sleep,
) -> Generator[WatchedStep, None, None]:
    """Show steps at `fps` a second, slower where they come slower, and yield each once it is shown.

    `decode` is `decode_codes` of the agent's parameters. The display ends, and the cursor is back, where the
    steps end, an error or Ctrl-C comes, or the caller takes no more.
    """
    screen = _Screen(decode, title)
    next_at = time.monotonic()
    with Live(console=console, auto_refresh=False) as live:
        for step in steps:
            live.update(screen.show(step, console.width, console.height), refresh=True)
            yield step
            next_at = max(next_at + 1 / fps, time.monotonic())
            sleep(max(0.0, next_at - time.monotonic()))


class _Screen:
    """What is remembered between two steps: return, range of the numbers, what codes were decoded to."""

    def __init__(self, decode: Decode, title: str):
        self.title = title
        self.number, self.total = -1, 0.0
        self.range: np.ndarray | None = None
        self.decode = lru_cache(maxsize=256)(lambda level, code: decode(level, np.array([code], np.int32))[0])

    def show(self, step: WatchedStep, width: int, height: int) -> RenderableType:
        self.number, self.total = self.number + 1, self.total + float(step.reward)
        seen = step.observation[None]
        if step.observation.dtype.kind == "f":
            known = seen if self.range is None else np.concatenate([self.range, seen])
            self.range = np.stack([known.min(axis=0), known.max(axis=0)])
        wanted = [
            self.decode(level, tuple(code.tolist()))[None] for level, code in enumerate(step.code, start=1)
        ]
        pictures = [as_pictures(x, seen if self.range is None else self.range)[0] for x in (seen, *wanted)]
        return _page(
            pictures, step, f"{self.title}   step {self.number}   return {self.total:g}", width, height
        )


def _page(
    pictures: Sequence[np.ndarray], step: WatchedStep, head: str, width: int, height: int
) -> RenderableType:
    each = min(LARGEST, max(SMALLEST, (width - GAP * (len(pictures) - 1)) // len(pictures)))
    rows = max(SMALLEST, 2 * (height - OTHER_LINES - len(pictures)))
    panels = []
    for level, picture in enumerate(pictures):
        label = f"level {level} wants" if level else "seen"
        shown = HalfBlocks(fit(picture, each, min(rows, LARGEST)))
        panels.append(Group(Text(label, style=level_color(level), no_wrap=True, overflow="crop"), shown))
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_row(*panels)
    return Group(Text(head, style="bold", no_wrap=True, overflow="crop"), grid, _numbers(step))


def _numbers(step: WatchedStep) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("", no_wrap=True, overflow="crop")
    for kind in REWARD_KINDS:
        table.add_column(kind, justify="right", min_width=9, no_wrap=True, overflow="crop")
    for kind in REWARD_KINDS:
        table.add_column(f"value {kind[:3]}.", justify="right", min_width=9, no_wrap=True, overflow="crop")
    for level, (parts, values) in enumerate(zip(step.reward_parts, step.value, strict=True)):
        numbers = [f"{number:.2f}" for number in (*parts, *values)]
        table.add_row(f"level {level}", *numbers, style=level_color(level))
    return table
