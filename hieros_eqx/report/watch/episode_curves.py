"""The curves below a video of an episode: reward parts and values of every level over time.

They are drawn twice, bright and faint, once for the whole episode. A picture at a step is the bright one up
to that step and the faint one after it, so that a long episode costs no more drawing than a short one.
"""

import importlib
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from hieros_eqx.report.watch.subgoals import WatchedEpisode
from hieros_eqx.types import REWARD_KINDS

INK, FAINT_INK, PAPER, FIELD = "#e8eaed", "#9aa0a8", "#14171c", "#1c2027"
LEVEL_COLORS = ("#56b4e9", "#f0a830", "#3fc79a", "#e58cc0", "#f5e663", "#ff8066")
"""Of the levels, from the worker up; the frames of their subgoals have them, too."""
DPI = 100
TOP, BOTTOM, LEFT, MIDDLE, RIGHT = 56, 44, 62, 74, 18  # pixels around the fields
ROW, GAP = 92, 20  # height of a field, and between two
FAINT = 0.22
WIDE = 12.0
"""Values that are all positive and differ more often than this are drawn on a logarithmic scale."""
KINDS = ("extrinsic", "subgoal", "novelty")


class Curves(NamedTuple):
    """The drawn curves, and where in them the steps are."""

    bright: np.ndarray  # uint8 [height width 3]
    faint: np.ndarray  # uint8 [height width 3]
    fields: tuple[tuple[int, int, int, int], ...]
    """Left, top, right and bottom of every field, in pixels."""
    columns: np.ndarray  # int [field time]: of the steps

    def at(self, step: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture at a step, with a cursor."""
        picture = self.faint.copy()
        for (left, top, _, bottom), columns in zip(self.fields, self.columns, strict=True):
            column = columns[step]
            picture[top:bottom, left : column + 1] = self.bright[top:bottom, left : column + 1]
            picture[top:bottom, column : column + 2] = 232
        return picture


def draw_curves(episode: WatchedEpisode, width: int) -> Curves:
    """Return the curves of an episode in a picture of even height and the given width.

    Rows are extrinsic reward, subgoal reward (with two levels and more) and novelty, each with its values
    beside; a line is a level. Raises `ValueError` for a width below 400 pixels.
    """
    if width < 400:
        raise ValueError(f"wanted a width of at least 400 pixels, got {width}.")
    kinds = [kind for kind in KINDS if kind != "subgoal" or episode.levels > 1]
    height = TOP + BOTTOM + ROW * len(kinds) + GAP * (len(kinds) - 1)
    height += height % 2
    figure = importlib.import_module("matplotlib.figure").Figure(
        figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER
    )
    importlib.import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    each = (width - LEFT - MIDDLE - RIGHT) // 2
    axes = []
    for row, kind in enumerate(kinds):
        bottom = height - TOP - ROW - row * (ROW + GAP)
        for side, left in enumerate((LEFT, LEFT + each + MIDDLE)):
            ax = figure.add_axes((left / width, bottom / height, each / width, ROW / height))
            last = row == len(kinds) - 1
            _field(ax, episode, kind, values=side == 1, last=last)
            axes.append(ax)
    for ax, title in zip(axes[:2], ("Reward per step", "Value (discounted)"), strict=True):
        ax.set_title(title, color=INK, fontsize=9, fontweight="bold", loc="left", pad=6)
    _legend(figure, axes, episode.levels)
    bright = _render(figure, 1.0, axes)
    fields, columns = _places(axes, height, len(episode.reward))
    return Curves(bright, _render(figure, FAINT, axes), fields, columns)


def _field(ax: Any, episode: WatchedEpisode, kind: str, *, values: bool, last: bool) -> None:
    ticker = importlib.import_module("matplotlib.ticker")
    ax.set_facecolor(FIELD)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.grid(color="#2c313a", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(colors=FAINT_INK, labelsize=7, length=0)
    room = max(0.15, 0.01 * len(episode.reward))
    ax.set_xlim(-room, max(1, len(episode.reward) - 1) + room)
    numbers = (episode.value if values else episode.reward_parts)[:, :, REWARD_KINDS.index(kind)]
    times = np.arange(len(numbers))
    shown = [i for i in range(episode.levels) if kind != "subgoal" or i < episode.levels - 1]
    if kind == "extrinsic" and not values:
        came = np.flatnonzero(episode.reward)
        ax.vlines(came, 0, episode.reward[came], color=INK, linewidth=1.0, alpha=0.8)
        ax.plot(came, episode.reward[came], "o", color=INK, markersize=2.5)
    for level in reversed(shown):
        ax.plot(times, numbers[:, level], color=level_color(level), linewidth=1.2, drawstyle=_steps(level))
    if values and numbers[:, shown].min() > 0 and numbers[:, shown].max() > WIDE * numbers[:, shown].min():
        ax.set_yscale("log")
        ax.yaxis.set_minor_locator(ticker.NullLocator())
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.4g}"))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
    if not last:
        ax.tick_params(labelbottom=False)
    else:
        ax.set_xlabel("environment step", color=FAINT_INK, fontsize=8)
    if not values:
        ax.set_ylabel(kind, color=INK, fontsize=8)


def _steps(level: int) -> str:
    """Levels above the worker stand still between two choices."""
    return "default" if level == 0 else "steps-post"


def _legend(figure: Any, axes: list[Any], levels: int) -> None:
    lines = importlib.import_module("matplotlib.lines").Line2D
    handles = [
        lines([], [], color=level_color(level), linewidth=2, label=f"level {level}")
        for level in range(levels)
    ]
    handles.append(lines([], [], color=INK, marker="o", markersize=3, linewidth=1, label="reward received"))
    figure.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(axes[1].get_position().x1, 1.0),
        ncols=len(handles),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        handlelength=1.4,
        columnspacing=1.4,
    )


def level_color(level: int) -> str:
    """Return the colour of a level."""
    return LEVEL_COLORS[level % len(LEVEL_COLORS)]


def _render(figure: Any, alpha: float, axes: list[Any]) -> UInt8[np.ndarray, "height width 3"]:
    for ax in axes:
        for artist in (*ax.lines, *ax.collections):
            artist.set_alpha(alpha)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _places(
    axes: list[Any], height: int, length: int
) -> tuple[tuple[tuple[int, int, int, int], ...], Int[np.ndarray, "field time"]]:
    fields, columns = [], []
    for ax in axes:
        box = ax.get_window_extent()
        left, right = round(box.x0), round(box.x1)
        fields.append((left, height - round(box.y1), right, height - round(box.y0)))
        points = ax.transData.transform([(step, ax.get_ylim()[0]) for step in range(length)])
        columns.append(np.clip(points[:, 0].round().astype(np.int64), left, right - 2))
    return tuple(fields), np.stack(columns)
