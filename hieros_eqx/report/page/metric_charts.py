"""Charts of logged metrics: which line stands for what, whatever the number of levels, seeds and runs.

Of one run a colour is a level; where there is one level, a seed. Of several runs a colour is a run, and each
level has charts of its own. Where a line stands for several seeds it is their mean, the band from the least
to the largest.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from hieros_eqx.report.page.charts import Chart, Line
from hieros_eqx.report.page.labels import run_labels
from hieros_eqx.report.page.layout import Group, Legend, group_of
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.report.run_summary import levels, series

STEPS = "environment steps"
MOST_SEEDS = 8  # that are told apart by colour


class Panel(NamedTuple):
    """How one metric is drawn."""

    metric: str
    title: str
    unit: str
    scale: Literal["linear", "log"] = "linear"
    caption: str = ""
    y_limits: tuple[float | None, float | None] = (None, None)


class Track(NamedTuple):
    """What one line stands for."""

    label: str
    color: int
    run: RunData
    level: int
    seeds: tuple[int, ...]


def run_levels(run: RunData) -> int:
    """Return the number of levels that were logged."""
    return levels(run.any_lines)


def metric_groups(runs: Sequence[RunData], panels: Sequence[Panel], title: str = "") -> list[Group]:
    """Return the charts of some metrics in groups that share a legend."""
    groups = []
    for subtitle, tracks in _tracks(runs):
        legend = [Legend(track.label, track.color) for track in tracks] if len(tracks) > 1 else []
        charts = [_chart(panel, tracks) for panel in panels]
        full = ", ".join(text for text in (title, subtitle) if text)
        group = group_of(charts, full[:1].upper() + full[1:], legend)
        if group is not None:
            groups.append(group)
    return groups


def metric_line(run: RunData, level: int, seeds: Sequence[int], metric: str, color: int) -> Line | None:
    """Return the line of a metric, over several seeds their mean with its band; None if it was not logged."""
    found = [series(run.lines[seed], level, metric) for seed in seeds if level < levels(run.lines[seed])]
    found = [own for own in found if own.env_step]
    if not found:
        return None
    if len(found) == 1:
        return Line(np.array(found[0].env_step, np.float64), np.array(found[0].mean, np.float64), color)
    steps = sorted(set.intersection(*(set(own.env_step) for own in found)))
    by_step = [dict(zip(own.env_step, own.mean, strict=True)) for own in found]
    table = np.array([[own[step] for step in steps] for own in by_step], np.float64).reshape(len(found), -1)
    return Line(
        np.array(steps, np.float64), table.mean(axis=0), color, low=table.min(axis=0), high=table.max(axis=0)
    )


def _tracks(runs: Sequence[RunData]) -> list[tuple[str, list[Track]]]:
    """Return the lines of every group, with the group's title."""
    if len(runs) > 1:
        labels = run_labels(runs)
        deepest = max(run_levels(run) for run in runs)
        return [
            (
                f"level {level}" if deepest > 1 else "",
                [
                    Track(label, color, run, level, run.config.all_seeds)
                    for color, (label, run) in enumerate(zip(labels, runs, strict=True))
                    if level < run_levels(run)
                ],
            )
            for level in range(deepest)
        ]
    (run,), count, seeds = runs, run_levels(runs[0]), runs[0].config.all_seeds
    if count == 1 and len(seeds) <= MOST_SEEDS:
        return [("", [Track(f"seed {seed}", i, run, 0, (seed,)) for i, seed in enumerate(seeds)])]
    return [("", [Track(f"level {level}", level, run, level, seeds) for level in range(count)])]


def _chart(panel: Panel, tracks: Sequence[Track]) -> Chart:
    lines = [
        metric_line(own.run, own.level, own.seeds, panel.metric, own.color)
        for own in tracks
        if not (_is_of_goals(panel.metric) and own.level == own.run.config.levels - 1)
    ]
    return Chart(
        title=panel.title,
        x_label=STEPS,
        y_label=panel.unit,
        lines=[line for line in lines if line is not None],
        caption=panel.caption,
        scale=panel.scale,
        y_limits=panel.y_limits,
    )


def _is_of_goals(metric: str) -> bool:
    """Whether a metric is of the goals from above, of which the top level has none."""
    return metric.startswith("goal/") or metric.endswith("/subgoal")
