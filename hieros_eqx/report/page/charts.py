"""Charts of the run's page: what lines they have, thinned to what a screen shows, drawn as SVG."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from hieros_eqx.report.page.svg import FONT_SIZE, INK, MARGINS, SERIES, draw_svg

SMALL, WIDE = (340, 210), (1040, 340)  # CSS pixels
POINTS = 240
"""Points of a line that are drawn; more of them are averaged."""
LOGARITHMIC = 30.0
"""A positive series that spans more than this factor is drawn on a logarithmic axis, where it may be."""


class Line(NamedTuple):
    """One series, `x` ascending. What is not finite is left out."""

    x: np.ndarray
    y: np.ndarray
    color: int | None = None
    """Number of a series colour; None: that of the text."""
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    """The band around it."""
    style: Literal["solid", "thin", "dashed", "dotted", "dots"] = "solid"


class Chart(NamedTuple):
    """What one chart shows. Axis labels carry their units."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    caption: str = ""
    legend: Sequence[tuple[str, int | None, str]] = ()
    """Text, colour and style of what has lines of its own; groups of charts share one legend."""
    scale: Literal["linear", "log", "symlog"] = "linear"
    """`log`: where the series allow and need it."""
    y_limits: tuple[float | None, float | None] = (None, None)
    wide: bool = False


def thin(line: Line, points: int = POINTS) -> Line:
    """Return a line of at most `points` points: means of equal parts, with a band from least to largest.

    A line that is short enough stays as it is, but for what is not finite. Raises `ValueError` where x and y
    differ in length, or no point is wanted.
    """
    if len(line.x) != len(line.y) or points < 1:
        raise ValueError(
            f"wanted as many x as y and at least 1 point, got {len(line.x)}, {len(line.y)} and {points}."
        )
    finite = np.isfinite(line.y)
    x, y = np.asarray(line.x, np.float64)[finite], np.asarray(line.y, np.float64)[finite]
    low = y if line.low is None else np.asarray(line.low, np.float64)[finite]
    high = y if line.high is None else np.asarray(line.high, np.float64)[finite]
    if len(y) <= points:
        has_band = line.low is not None
        return line._replace(x=x, y=y, low=low if has_band else None, high=high if has_band else None)
    parts = np.array_split(np.arange(len(y)), points)
    return line._replace(
        x=np.array([x[part].mean() for part in parts]),
        y=np.array([y[part].mean() for part in parts]),
        low=np.array([low[part].min() for part in parts]),
        high=np.array([high[part].max() for part in parts]),
    )


def is_empty(chart: Chart) -> bool:
    """Whether no line has a finite point, or all points of all lines are 0."""
    return not any(
        np.any(np.nan_to_num(np.asarray(line.y, np.float64), posinf=0, neginf=0)) for line in chart.lines
    )


def draw(chart: Chart, size: tuple[int, int] = SMALL) -> str:
    """Return a chart as an `<svg>` of `size` CSS pixels. Raises `ValueError` without lines."""
    if not chart.lines:
        raise ValueError("wanted at least one line, got none.")
    lines = [thin(line) if line.style != "dots" else line for line in chart.lines]
    label = f"{chart.title}: {chart.y_label} against {chart.x_label} ({size[0]} wide)"
    return draw_svg(lambda ax: _draw(ax, chart, lines), *size, label=label)


def _draw(ax: Any, chart: Chart, lines: Sequence[Line]) -> None:
    for line in lines:
        color = INK if line.color is None else SERIES[line.color % len(SERIES)]
        if line.low is not None and line.high is not None and len(line.x) > 1:
            ax.fill_between(line.x, line.low, line.high, color=color, alpha=0.14, linewidth=0)
        ax.plot(line.x, line.y, color=color, **_style(line))
    _scale(ax, chart, lines)
    ax.set_ylim(*chart.y_limits)
    ax.set_xlabel(chart.x_label)
    ax.set_ylabel(chart.y_label)
    ax.yaxis.set_label_coords(0, 0.5, transform=_beside(ax))
    ax.tick_params(length=0, pad=5)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_alpha(0.4)
    ax.margins(x=0.02)
    ax.set_xlim(left=0)


def _beside(ax: Any) -> Any:
    """Return axes' coordinates shifted to where labels of the y axis stand, whatever its numbers."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transAxes + ScaledTranslation((FONT_SIZE - MARGINS[0]) / 72, 0, ax.figure.dpi_scale_trans)


def _style(line: Line) -> dict[str, Any]:
    if line.style == "dots" or len(line.x) == 1:
        return {"linestyle": "none", "marker": "o", "markersize": 5, "alpha": 0.55, "markeredgewidth": 0}
    styles: dict[str, dict[str, Any]] = {
        "solid": {"linewidth": 1.8},
        "thin": {"linewidth": 1.0, "alpha": 0.6},
        "dashed": {"linewidth": 1.2, "linestyle": (0, (4, 3)), "alpha": 0.75},
        "dotted": {"linewidth": 1.4, "linestyle": (0, (1, 2))},
    }
    return {"solid_joinstyle": "round", **styles[line.style]}


def _scale(ax: Any, chart: Chart, lines: Sequence[Line]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, SymmetricalLogLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    y = np.concatenate([line.y for line in lines])
    if chart.scale == "log" and len(y) and y.min() > 0 and y.max() > LOGARITHMIC * y.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(numticks=5))
        ax.yaxis.set_minor_formatter(NullFormatter())
    elif chart.scale == "symlog" and (threshold := _threshold(lines)) is not None:
        ax.set_yscale("symlog", linthresh=threshold, linscale=0.5)
        ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=threshold))
        ax.yaxis.get_major_locator().set_params(numticks=7)
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short_number(y)))
    ax.tick_params(which="minor", length=0)


def _threshold(lines: Sequence[Line]) -> float | None:
    """Below which a symmetric logarithmic axis is linear; None where a linear one shows every line."""
    largest = [float(np.abs(line.y).max()) for line in lines if len(line.y) and np.any(line.y)]
    if not largest or max(largest) <= LOGARITHMIC * min(largest):
        return None
    return 10.0 ** np.floor(np.log10(min(largest)))


def short_number(value: float | int) -> str:
    """Return a number as an axis shows it: `12k`, `2.5k`, `1.5M`, `0.03`, with a true minus sign."""
    text = f"{value:.4g}"
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            text = f"{value / factor:.4g}{unit}"
            break
    return text.replace("e-0", "e-").replace("-", "\u2212")
