"""What the page is made of: sections of groups of figures, as the template shows them."""

from collections.abc import Sequence
from typing import NamedTuple

from hieros_eqx.report.page.charts import SMALL, WIDE, Chart, draw, is_empty


class Legend(NamedTuple):
    """One entry of a legend."""

    text: str
    color: int | None = None
    """Number of a series colour; None: that of the text."""
    style: str = "solid"


class Figure(NamedTuple):
    """One figure. `bodies` are trusted HTML: SVG or media of our own making."""

    title: str
    bodies: Sequence[str]
    """One, or the one for wide and the one for narrow screens."""
    caption: str = ""
    legend: Sequence[Legend] = ()
    wide: bool = False


class Group(NamedTuple):
    """Figures that share a title and a legend."""

    figures: Sequence[Figure]
    title: str = ""
    legend: Sequence[Legend] = ()
    note: str = ""
    """What was left out, and why."""


class Section(NamedTuple):
    """A section; without figures `note` says why."""

    anchor: str
    title: str
    text: str = ""
    groups: Sequence[Group] = ()
    note: str = ""


def figure_of(chart: Chart) -> Figure:
    """Return a chart as a figure; a wide one is drawn for narrow screens, too."""
    sizes = (WIDE, SMALL) if chart.wide else (SMALL,)
    legend = [Legend(*entry) for entry in chart.legend]
    return Figure(chart.title, [draw(chart, size) for size in sizes], chart.caption, legend, chart.wide)


def group_of(charts: Sequence[Chart], title: str = "", legend: Sequence[Legend] = ()) -> Group | None:
    """Return charts as a group, without those that are 0 all along, which are named; None if none is left."""
    shown = [chart for chart in charts if not is_empty(chart)]
    if not shown:
        return None
    flat = [chart.title for chart in charts if chart.lines and is_empty(chart)]
    note = f"Not drawn, because 0 all along: {', '.join(flat)}." if flat else ""
    return Group([figure_of(chart) for chart in shown], title, legend, note)
