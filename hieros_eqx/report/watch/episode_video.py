"""The video of a watched episode: the game, what every level wants, what the worker does, and curves."""

import importlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from hieros_eqx.report.watch.episode_curves import (
    FAINT_INK,
    FIELD,
    INK,
    PAPER,
    Curves,
    draw_curves,
    level_color,
)
from hieros_eqx.report.watch.pictures import as_pictures
from hieros_eqx.report.watch.subgoals import WatchedEpisode
from hieros_eqx.report.watch.video import encode_stream

SIDE = 256  # pixels of a picture
MARGIN, GAP, HEADER, LABEL, FRAME, BAR = 24, 18, 50, 24, 3, 6
NARROWEST, ACTIONS = 640, 130  # pixels: of the whole, of the panel of the worker's choices
FASTEST, SLOWEST, SHORTEST_SECONDS = 15.0, 2.0, 5.0


def default_fps(steps: int) -> float:
    """Return the steps shown in a second: 15, as Atari is played, fewer where that takes less than 5 s.

    Raises `ValueError` without steps.
    """
    if steps < 1:
        raise ValueError(f"wanted at least 1 step, got {steps}.")
    return min(FASTEST, max(SLOWEST, steps / SHORTEST_SECONDS))


def write_episode(episode: WatchedEpisode, path: str | Path, *, title: str, fps: float | int) -> bytes:
    """Write the video of an episode and return it; the rate is in steps a second.

    Raises `ValueError` as `encode_stream` and `as_pictures` do.
    """
    return encode_stream(episode_frames(episode, title=title), fps, path)


def episode_frames(episode: WatchedEpisode, *, title: str) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Yield one picture for every step, all of one size: 640 pixels wide for one level, 974 for three."""
    layout = _layout(episode)
    panels = [as_pictures(episode.observation)]
    panels += [as_pictures(subgoal, episode.observation) for subgoal in episode.subgoals]
    curves = draw_curves(episode, layout.width)
    base = _base(episode, layout, curves, title)
    returns, share = np.cumsum(episode.reward), _progress(episode.due)
    for step in range(len(episode.reward)):
        for level, pictures in enumerate(panels):
            if level == 0 or share[step, level] == 0:  # a subgoal stays in the base until the next
                _put_picture(base, layout, level, pictures[step])
        frame = base.copy()
        for level in range(1, episode.levels):
            _put_progress(frame, layout, level, share[step, level])
        _put_choices(frame, layout, episode, step)
        frame[layout.curves :] = curves.at(step)
        text = f"step {step} of {len(episode.reward) - 1}     return {returns[step]:g}"
        _put_text(frame, layout.width - MARGIN, 16, text, size=16, color=INK, align="right")
        yield frame


class _Layout(NamedTuple):
    width: int
    panels: tuple[int, ...]  # left of every picture
    top: int  # of the pictures
    choices: int  # left of the panel of the worker's choices
    curves: int  # top of the curves


def _layout(episode: WatchedEpisode) -> _Layout:
    left = tuple(MARGIN + level * (SIDE + GAP) for level in range(episode.levels))
    choices = left[-1] + SIDE + GAP
    width = max(NARROWEST, choices + ACTIONS + MARGIN)
    top = HEADER + LABEL
    return _Layout(width + width % 2, left, top, choices, top + SIDE + 2 * BAR + 16)


def _base(episode: WatchedEpisode, layout: _Layout, curves: Curves, title: str) -> np.ndarray:
    """Return what no step changes."""
    base = np.empty((layout.curves + curves.faint.shape[0], layout.width, 3), np.uint8)
    base[...] = _rgb(PAPER)
    _put_text(base, MARGIN, 13, _shortened(title, layout.width - 320), size=20, color=INK, bold=True)
    for level, left in enumerate(layout.panels):
        label = f"what level {level} wants" if level else "what the worker sees"
        _put_text(base, left, HEADER + 2, label, size=13, color=level_color(level))
        _put_frame(base, layout, level, level_color(level))
        base[layout.top : layout.top + SIDE, left : left + SIDE] = _rgb(FIELD)
        if level:
            below = layout.top + SIDE + FRAME + 5
            base[below : below + BAR, left : left + SIDE] = _rgb(FIELD)
    _put_text(base, layout.choices, HEADER + 2, "what it does", size=13, color=level_color(0))
    for number, band in enumerate(_bands(episode, layout)):
        base[slice(*band), layout.choices + 20 : layout.width - MARGIN] = _rgb(FIELD)
        _put_number(base, layout, band, number, taken=False)
    return base


def _progress(due: np.ndarray) -> np.ndarray:
    """Return how much of a level's time until its next choice is over, float [time level]; 0 at a choice."""
    shares = np.zeros(due.shape)
    for level in range(due.shape[1]):
        begins = np.flatnonzero(due[:, level])
        usual = int(np.diff(begins).max()) if len(begins) > 1 else due.shape[0]
        for begin, end in zip(begins, [*begins[1:], due.shape[0]], strict=True):
            shares[begin:end, level] = np.arange(end - begin) / usual
    return shares


def _put_picture(frame: np.ndarray, layout: _Layout, level: int, picture: np.ndarray) -> None:
    """Show a picture as large as it can be with whole pixels, in the middle of its panel."""
    factor = max(1, SIDE // max(picture.shape[:2]))
    large = picture[:SIDE, :SIDE].repeat(factor, axis=0).repeat(factor, axis=1)
    top = layout.top + (SIDE - large.shape[0]) // 2
    left = layout.panels[level] + (SIDE - large.shape[1]) // 2
    frame[top : top + large.shape[0], left : left + large.shape[1]] = large


def _put_frame(frame: np.ndarray, layout: _Layout, level: int, color: str) -> None:
    left, top, whole = layout.panels[level] - FRAME, layout.top - FRAME, SIDE + 2 * FRAME
    for row in (top, top + whole - FRAME):
        frame[row : row + FRAME, left : left + whole] = _rgb(color)
    for column in (left, left + whole - FRAME):
        frame[top : top + whole, column : column + FRAME] = _rgb(color)


def _put_progress(frame: np.ndarray, layout: _Layout, level: int, share: float) -> None:
    """Draw how long a subgoal has still to go; a new one has a white frame."""
    if share == 0:
        _put_frame(frame, layout, level, "#ffffff")
    left, below = layout.panels[level], layout.top + SIDE + FRAME + 5
    frame[below : below + BAR, left : left + round(SIDE * (1 - share))] = _rgb(level_color(level))


def _bands(episode: WatchedEpisode, layout: _Layout) -> list[tuple[int, int]]:
    """Return top and bottom of the bar of every action."""
    count = episode.action.shape[1]
    each = min(28.0, SIDE / count)
    return [
        (layout.top + round(each * (i + 0.1)), layout.top + round(each * (i + 0.9))) for i in range(count)
    ]


def _put_number(frame: np.ndarray, layout: _Layout, band: tuple[int, int], number: int, taken: bool) -> None:
    """Write the number of an action before its bar."""
    (top, bottom), right = band, layout.choices + 20
    frame[top:bottom, layout.choices : right - 2] = _rgb(PAPER)
    size = max(5, min(11, bottom - top))
    middle = (top + bottom - size) // 2 - 1
    color = INK if taken else FAINT_INK
    _put_text(frame, right - 5, middle, str(number), size=size, color=color, align="right", bold=taken)


def _put_choices(frame: np.ndarray, layout: _Layout, episode: WatchedEpisode, step: int) -> None:
    """Draw the worker's probabilities, or its action between -1 and 1 where actions are continuous."""
    discrete = episode.probability.shape[1] > 0
    numbers = episode.probability[step] if discrete else episode.action[step]
    left, right = layout.choices + 20, layout.width - MARGIN
    chosen = int(episode.action[step].argmax()) if discrete and episode.action[step].any() else -1
    for number, band in enumerate(_bands(episode, layout)):
        begin, end = _extent(float(numbers[number]), discrete, left, right)
        bright = not discrete or number == chosen
        frame[slice(*band), begin:end] = _rgb(level_color(0) if bright else "#4a5563")
        if number == chosen:
            _put_number(frame, layout, band, number, taken=True)


def _extent(value: float, discrete: bool, left: int, right: int) -> tuple[int, int]:
    if discrete:
        return left, left + max(1, round((right - left) * min(value, 1.0)))
    middle, reach = (left + right) // 2, round((right - left) / 2 * max(-1.0, min(value, 1.0)))
    return (middle, middle + max(1, reach)) if reach >= 0 else (middle + reach, middle)


def _put_text(
    frame: np.ndarray,
    x: int,
    y: int,
    text: str,
    *,
    size: int,
    color: str,
    align: str = "left",
    bold: bool = False,
) -> None:
    """Write a line; x is its left or right end, y its top."""
    mask = _text_mask(text, size, bold)
    left = x if align == "left" else x - mask.shape[1]
    place = frame[y : y + mask.shape[0], max(left, 0) : left + mask.shape[1]]
    share = mask[: place.shape[0], -place.shape[1] :, None].astype(np.float32) / 255
    place[...] = (place * (1 - share) + _rgb(color) * share).round().astype(np.uint8)


def _shortened(title: str, width: int) -> str:
    """Return a title that leaves room for what stands right of it."""
    while title and _text_mask(title, 20, True).shape[1] > width:
        title = title.removesuffix("…")[:-1].rstrip() + "…" if len(title) > 2 else ""
    return title


@lru_cache(maxsize=512)
def _text_mask(text: str, size: int, bold: bool) -> np.ndarray:
    """Return how much ink covers every pixel of a line of text, uint8 [height width]."""
    image, draw = (importlib.import_module(f"PIL.{name}") for name in ("Image", "ImageDraw"))
    font = _font(size, bold)
    width, height = (int(x) + 2 for x in font.getbbox(text)[2:])
    mask = image.new("L", (max(width, 1), max(height, 1)))
    draw.Draw(mask).text((0, 0), text, fill=255, font=font)
    return np.asarray(mask)


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> Any:
    """Return Matplotlib's own font, so that it is there wherever the curves are."""
    folder = Path(importlib.import_module("matplotlib").get_data_path()) / "fonts" / "ttf"
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return importlib.import_module("PIL.ImageFont").truetype(str(folder / name), size)


@lru_cache(maxsize=64)
def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
