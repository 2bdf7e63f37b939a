"""Figures of what an agent foresees and wants: videos and stills of pictures, maps of vectors, curves."""

from collections.abc import Sequence

import numpy as np

from hieros_eqx.report.page.charts import Chart, Line
from hieros_eqx.report.page.curve_sections import KIND_COLORS, KINDS
from hieros_eqx.report.page.dreams import Dream
from hieros_eqx.report.page.layout import Figure, Group, Legend, figure_of, group_of
from hieros_eqx.report.page.media import picture_html, video_html
from hieros_eqx.report.page.picture_grid import absolute_error, grid_png, grid_video, to_rgb, vector_picture
from hieros_eqx.report.watch.subgoals import WatchedEpisode

SLOW, PLAYED = 6, 15  # pictures per second: of predictions, and of an Atari game as it is played
STRIP = 6  # columns of a still
ROWS = ("truth", "prediction", "error")


def open_loop_figures(seen: Dream) -> list[Figure]:
    """Return predictions beside the truth, and their error against the number of steps."""
    figures = _pictures(seen) if _are_pictures(seen.truth) else _vectors(seen)
    return [*figures, figure_of(_error_chart(seen))]


def wanted_figures(episode: WatchedEpisode) -> list[Figure]:
    """Return an episode of several levels beside what each level above the worker wants it to see."""
    return _wanted_pictures(episode) if _are_pictures(episode.observation) else _wanted_vectors(episode)


def _are_pictures(observation: np.ndarray) -> bool:
    return observation.dtype == np.uint8


def _pictures(seen: Dream) -> list[Figure]:
    truth, predicted = to_rgb(seen.truth), to_rgb(seen.predicted)
    rows = truth, predicted, absolute_error(predicted, truth)
    count = truth.shape[1]
    data, size = grid_video(rows, SLOW)
    label = f"{count} open-loop predictions of {len(truth) - 1} steps"
    video = Figure(
        f"{count} starts, {len(truth) - 1} steps",
        [video_html(data, size, ROWS, [], label)],
        f"A column a start, {SLOW} steps a second; the first picture is the start.",
        wide=True,
    )
    times = _spread(len(truth), STRIP)
    data, size = grid_png([[row[t, 0] for t in times] for row in rows])
    columns = ["start", *(f"{t}" for t in times[1:])]
    still = picture_html(data, size, ROWS, columns, "The first of these predictions at a few steps")
    return [video, Figure("The first start, by steps after it", [still], wide=True)]


def _vectors(seen: Dream) -> list[Figure]:
    low, high = float(seen.truth.min()), float(seen.truth.max())
    truth, predicted = (_one_after_another(x) for x in (seen.truth, seen.predicted))
    shown = truth, predicted, low + np.abs(predicted - truth)
    data, size = grid_png([[vector_picture(x, low, high, 1.2) for x in shown]])
    picture = picture_html(data, size, [], ROWS, "Observed and predicted vectors over time")
    caption = (
        f"A row a feature, a column a step; {seen.truth.shape[1]} starts one after another, each with "
        f"{len(seen.truth) - 1} steps. Dark {low:g}, bright {high:g}; the error from 0."
    )
    return [Figure("Observed vectors over time", [picture], caption, wide=True)]


def _one_after_another(x: np.ndarray) -> np.ndarray:
    """Return `[time start ...]` as `[start x time feature]`."""
    return np.swapaxes(x, 0, 1).reshape(x.shape[0] * x.shape[1], -1)


def _error_chart(seen: Dream) -> Chart:
    steps = np.arange(1, len(seen.model) + 1, dtype=np.float64)
    unit = "pixels in [0, 1]" if _are_pictures(seen.truth) else "units of the vector"
    return Chart(
        "Mean squared error",
        "steps after the start",
        f"squared error, {unit}",
        [
            Line(steps, seen.model, 0),
            Line(steps, seen.repeat, None, style="dashed"),
            Line(steps, seen.posterior, None, style="dotted"),
        ],
        f"Over {seen.starts} starts. A model is of use where it lies below the dashed line.",
        (
            ("prediction, one sample", 0, "solid"),
            ("repeat the start", None, "dashed"),
            ("reconstruction, which sees", None, "dotted"),
        ),
        y_limits=(0, None),
        wide=True,
    )


def _wanted_rows(episode: WatchedEpisode) -> list[str]:
    return ["seen", *(f"level {level} wants" for level in range(1, episode.levels))]


def _wanted_pictures(episode: WatchedEpisode) -> list[Figure]:
    panels = [to_rgb(own) for own in (episode.observation, *episode.subgoals)]
    names, length = _wanted_rows(episode), len(panels[0])
    data, size = grid_video([np.stack(panels, axis=1)], PLAYED)
    video = video_html(data, size, [], names, f"An episode beside what its levels want, {length} steps")
    whole = "a whole episode" if episode.complete else "cut short"
    times = _spread(length, STRIP)
    data, size = grid_png([[panel[t] for t in times] for panel in panels])
    still = picture_html(data, size, names, [f"{t}" for t in times], "The same at a few steps")
    return [
        Figure(
            f"{length} steps, {whole}",
            [video],
            f"{PLAYED} steps a second.",
            wide=True,
        ),
        Figure("At a few steps", [still], wide=True),
    ]


def _wanted_vectors(episode: WatchedEpisode) -> list[Figure]:
    panels = [own.reshape(len(own), -1) for own in (episode.observation, *episode.subgoals)]
    low, high = float(panels[0].min()), float(panels[0].max())
    data, size = grid_png([[vector_picture(panel, low, high, 6.0)] for panel in panels])
    body = picture_html(data, size, _wanted_rows(episode), [], "Observed and wanted vectors over time")
    caption = f"A row a feature, a column a step. Dark {low:g}, bright {high:g}."
    return [Figure("Observed and wanted vectors over time", [body], caption, wide=True)]


def reward_group(episode: WatchedEpisode) -> Group | None:
    """Return what each level is rewarded with over an episode; None where that is 0 all along."""
    steps = np.arange(len(episode.reward), dtype=np.float64)
    charts = []
    for level in range(episode.levels):
        parts = episode.reward_parts[:, level]
        lines = [
            Line(steps, parts[:, kind], color)
            for kind, color in enumerate(KIND_COLORS)
            if np.any(parts[:, kind])
        ]
        charts.append(
            Chart(
                f"Level {level}",
                "step of the episode",
                "reward per step",
                lines,
                scale="symlog",
                wide=episode.levels == 1,
            )
        )
    colors = {line.color for chart in charts for line in chart.lines}
    legend = [Legend(name, color) for name, color in zip(KINDS, KIND_COLORS, strict=True) if color in colors]
    return group_of(charts, "Reward over this episode", legend)


def _spread(length: int, count: int) -> Sequence[int]:
    return [int(t) for t in np.unique(np.linspace(0, length - 1, count).round())]
