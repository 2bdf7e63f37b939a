"""The page's section of returns: a line for each seed and their mean, or a line for each run."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hieros_eqx.report.page.charts import Chart, Line
from hieros_eqx.report.page.labels import run_labels
from hieros_eqx.report.page.layout import Group, Section, figure_of
from hieros_eqx.report.page.metric_charts import STEPS
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.report.published import reference_scores
from hieros_eqx.report.return_curve import mean_over_seeds, moving_means
from hieros_eqx.report.run_summary import by_seed

FEW_EPISODES = 200  # up to which each is a dot
FAR = 1.5  # of the height of the curves: a published score beyond is told, not drawn
PUBLISHED_STYLES: tuple[Literal["dotted"], Literal["dashed"]] = ("dotted", "dashed")


def returns_section(runs: Sequence[RunData]) -> Section:
    """Return the returns of training episodes: of one run a line per seed and their mean, of several a line
    per run.
    """
    anchor, title = "returns", "Returns"
    if not any(run.episodes for run in runs):
        return Section(anchor, title, note="Nothing yet: no episode of this run has ended.")
    chart = _returns_of_one(runs[0]) if len(runs) == 1 else _returns_of_several(runs)
    text = "Undiscounted returns of training episodes, as moving means over a tenth of each seed's episodes."
    return Section(anchor, title, text, [Group([figure_of(chart)])])


def _returns_of_one(run: RunData) -> Chart:
    lines, legend, curves = [], [], moving_means(run.episodes)
    if len(run.episodes) <= FEW_EPISODES:
        for number, own in enumerate(by_seed(run.episodes).values()):
            steps = np.array([episode["env_step"] for episode in own], np.float64)
            lines.append(Line(steps, np.array([x["return"] for x in own], np.float64), number, style="dots"))
    mean = mean_over_seeds(curves)
    style = "solid" if mean is None else "thin"
    for number, (seed, curve) in enumerate(curves.items()):
        lines.append(Line(curve.env_step, curve.mean, number, style=style))
        window = f", mean of {curve.window} episodes" if curve.window > 1 else ""
        legend.append((f"seed {seed}{window}", number, style))
    if mean is not None:
        lines.append(Line(mean.env_step, mean.mean, None, mean.low, mean.high))
        legend.append(("mean over seeds, 95 % interval", None, "solid"))
    caption = f"{len(run.episodes):,} episodes."
    if mean is not None:
        caption += " The interval is a percentile bootstrap over seeds; of few seeds it says little."
    caption += _add_published(run, lines, legend)
    return Chart("Return of an episode", STEPS, "return", lines, caption, legend, wide=True)


def _add_published(run: RunData, lines: list[Line], legend: list[tuple[str, int | None, str]]) -> str:
    """Add published scores near the curves to lines and legend; return a sentence on those far from them."""
    known = reference_scores().get(run.config.env.game or "")
    if known is None:
        return ""
    y = np.concatenate([line.y for line in lines])
    room = FAR * max(float(y.max() - y.min()), 1e-9)
    span, far = np.array([0.0, max(line.x.max() for line in lines)]), []
    for name, score, style in zip(("random play", "human"), known, PUBLISHED_STYLES, strict=True):
        if y.min() - room <= score <= y.max() + room:
            lines.append(Line(span, np.full(2, score), None, style=style))
            legend.append((f"{name}, published: {score:g}", None, style))
        else:
            far.append(f"{name} {score:g}")
    return f" Published, off the chart: {', '.join(far)}." if far else ""


def _returns_of_several(runs: Sequence[RunData]) -> Chart:
    lines, legend = [], []
    for number, (label, run) in enumerate(zip(run_labels(runs), runs, strict=True)):
        curves = moving_means(run.episodes)
        mean = mean_over_seeds(curves)
        if mean is None:
            lines += [Line(own.env_step, own.mean, number) for own in curves.values()]
        else:
            lines += [Line(own.env_step, own.mean, number, style="thin") for own in curves.values()]
            lines.append(Line(mean.env_step, mean.mean, number, mean.low, mean.high))
        legend.append((label, number, "solid"))
    caption = "Where a run has several seeds: thin lines, their mean and its 95 % interval (bootstrap)."
    if len({run.name for run in runs}) == 1:
        caption += _add_published(runs[0], lines, legend)
    return Chart("Return of an episode", STEPS, "return", lines, caption, legend, wide=True)
