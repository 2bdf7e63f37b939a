"""The page's sections that need nothing but the files of runs: rewards, losses, goals, codes, replay."""

from collections.abc import Sequence

import numpy as np

from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.page import panels
from hieros_eqx.report.page.charts import Chart, Line
from hieros_eqx.report.page.labels import run_labels
from hieros_eqx.report.page.layout import Group, Legend, Section, group_of
from hieros_eqx.report.page.metric_charts import STEPS, Panel, metric_groups, metric_line, run_levels
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.report.page.visits import read_visits

KINDS = ("extrinsic", "subgoal", "novelty")
KIND_COLORS = (4, 3, 5)  # of reward kinds, apart from those of levels
NOT_LOGGED = "Nothing yet: this run has logged no updates."


def rewards_section(runs: Sequence[RunData]) -> Section:
    """Return extrinsic, subgoal and novelty reward per imagined step, one figure a level; of several runs a
    figure for each kind.
    """
    anchor, title = "rewards", "Reward by level"
    weights = list(
        dict.fromkeys((own.config.reward.subgoal_weight, own.config.reward.novelty_weight) for own in runs)
    )
    told = " or ".join(
        f"extrinsic 1, subgoal {subgoal:g}, novelty {novelty:g}" for subgoal, novelty in weights
    )
    text = f"What each level earns per imagined step, before weights ({told}). The top has no subgoal."
    if len(runs) > 1:
        kinds = [Panel(f"behaviour/reward/{kind}", kind.capitalize(), "reward per step") for kind in KINDS]
        groups = metric_groups(runs, kinds)
        return _filled(anchor, title, text, groups)
    run, charts = runs[0], []
    for level in range(run_levels(run)):
        lines = [
            metric_line(run, level, run.config.all_seeds, f"behaviour/reward/{kind}", color)
            for kind, color in zip(KINDS, KIND_COLORS, strict=True)
        ]
        drawn = [line for line in lines if line is not None and np.any(line.y)]
        alone = run_levels(run) == 1
        charts.append(Chart(f"Level {level}", STEPS, "reward per step", drawn, scale="symlog", wide=alone))
    colors = {line.color for chart in charts for line in chart.lines}
    legend = [Legend(kind, color) for kind, color in zip(KINDS, KIND_COLORS, strict=True) if color in colors]
    group = group_of(charts, legend=legend)
    return _filled(anchor, title, text, [] if group is None else [group])


def losses_section(runs: Sequence[RunData]) -> Section:
    """Return the terms of the world models' losses."""
    text = "Terms of each level's world-model loss, unweighted, in nats per step of that level."
    return _filled("world-model", "World models", text, metric_groups(runs, panels.WORLD_MODEL))


def behaviour_section(runs: Sequence[RunData]) -> Section:
    """Return what actor, critics and autoencoder did."""
    groups = [
        *metric_groups(runs, panels.BEHAVIOUR, "Actor and critics"),
        *metric_groups(runs, panels.VALUES, "Values and returns, imagined"),
        *metric_groups(runs, panels.AUTOENCODER, "Subgoal autoencoder"),
    ]
    return _filled("behaviour", "Actor, critics, autoencoder", "", groups)


def gradients_section(runs: Sequence[RunData]) -> Section:
    """Return gradient norms, and the shares of updates that were clipped or skipped."""
    groups = [*metric_groups(runs, panels.GRADIENTS, "Norms before clipping")]
    clipped = metric_groups(runs, panels.CLIPPED, "Share of updates that were clipped")
    note = "" if clipped or not groups else "No update was clipped, none was skipped."
    section = _filled("gradients", "Gradients", "", [*groups, *clipped])
    return section._replace(text=note) if note else section


def goal_section(runs: Sequence[RunData]) -> Section:
    """Return how close levels come to their goals."""
    text = "How alike a level's state h and the goal from above are (max-cosine, 0 to 1)."
    if max(run.config.levels for run in runs) == 1:
        return Section("goals", "Goals", note="One level: nobody gives goals here.")
    return _filled("goals", "Goals", text, metric_groups(runs, panels.GOAL))


def codes_section(runs: Sequence[RunData]) -> Section:
    """Return the perplexity of each factor of the code, one figure a level."""
    anchor, title = "codes", "Code usage"
    if len(runs) > 1:
        panel = Panel(
            "autoencoder/perplexity", "Perplexity, mean of the factors", "classes in use", y_limits=(1, None)
        )
        return _filled(anchor, title, "", metric_groups(runs, [panel]))
    run, charts, subgoal = runs[0], [], runs[0].config.subgoal
    for level in range(run_levels(run)):
        seeds = run.config.all_seeds
        name = "autoencoder/perplexity"
        own = [metric_line(run, level, seeds, f"{name}_by_factor/{i}", level) for i in range(subgoal.factors)]
        lines = [line._replace(style="thin", low=None, high=None) for line in own if line is not None]
        mean = metric_line(run, level, seeds, name, level)
        lines += [] if mean is None else [mean]
        if lines:
            span = np.array([lines[0].x[0], lines[0].x[-1]])
            lines.append(Line(span, np.full(2, float(subgoal.classes)), None, style="dotted"))
        charts.append(
            Chart(
                f"Level {level}",
                STEPS,
                "classes in use",
                lines,
                y_limits=(0.9, None),
                wide=run_levels(run) == 1,
            )
        )
    text = (
        f"Perplexity of each of the {subgoal.factors} factors of the code (thin) and their mean: how many of "
        f"{subgoal.classes} classes are in use, 1 for a code that never changes. Dotted: all of them."
    )
    group = group_of(charts)
    return _filled(anchor, title, text, [] if group is None else [group])


def visits_section(runs: Sequence[RunData]) -> Section:
    """Return how often entries of replay were trained on, one figure a level."""
    anchor, title = "replay", "Replay"
    groups, notes = [], []
    for label, run in zip(run_labels(runs) if len(runs) > 1 else [""], runs, strict=True):
        try:
            env_step, visits = read_visits(run)
        except CheckpointError as error:
            notes.append(f"{label + ': ' if label else ''}no visit counts. {error}")
            continue
        etbs = run.config.replay.sampling == "etbs"
        charts = []
        for level, own in enumerate(visits):
            x = np.arange(len(own.visits), dtype=np.float64)
            lines = [Line(x, own.visits, level), Line(x, own.uniform, None, style="dashed")]
            lines += [Line(x, own.expected, None, style="dotted")] if etbs else []
            lines = [line for line in lines if len(line.x)]
            charts.append(
                Chart(
                    f"Level {level}",
                    "entry, from the oldest",
                    "times trained on",
                    lines,
                    wide=len(visits) == 1,
                )
            )
        legend = [Legend("counted", 0), Legend("uniform draws would give", None, "dashed")]
        legend += [Legend("time-balanced draws should give", None, "dotted")] if etbs else []
        group = group_of(charts, f"{label + ', c' if label else 'C'}heckpoint at step {env_step:,}", legend)
        groups += [] if group is None else [group]
    text = "How many training sequences each entry has been part of, over its place in replay."
    if not groups:
        return Section(anchor, title, note=" ".join(notes) or NOT_LOGGED)
    return Section(anchor, title, text, groups, " ".join(notes))


def _filled(anchor: str, title: str, text: str, groups: Sequence[Group]) -> Section:
    return Section(anchor, title, text, groups) if groups else Section(anchor, title, note=NOT_LOGGED)
