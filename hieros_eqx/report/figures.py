"""Figures of a run, as small PNG files. Matplotlib (the extra `report`) is imported where it is used."""

import importlib
import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.report.open_loop import Prediction
from hieros_eqx.report.open_loop_errors import OpenLoop
from hieros_eqx.report.return_curve import Curve, MeanCurve, mean_over_seeds, moving_means
from hieros_eqx.report.run_summary import Lines, levels, series

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
COLUMNS, DPI = 4, 75
PANELS = (  # metric, title, unit
    ("world_model/reconstruction", "reconstruction loss", "nats per step"),
    ("world_model/reward", "reward loss", "nats per step"),
    ("world_model/continuation", "continuation loss", "nats per step"),
    ("world_model/dyn", "dynamics loss (at least free_nats)", "nats per step"),
    ("world_model/rep", "representation loss (at least free_nats)", "nats per step"),
    ("world_model/goal", "loss of p(z | h)", "nats per step"),
    ("behaviour/actor_loss", "actor loss", "weighted log-probability"),
    ("behaviour/entropy", "entropy of the actor", "nats"),
    ("behaviour/critic_loss/extrinsic", "critic loss, extrinsic", "nats"),
    ("behaviour/critic_loss/subgoal", "critic loss, subgoal", "nats"),
    ("behaviour/critic_loss/novelty", "critic loss, novelty", "nats"),
    ("autoencoder/loss", "autoencoder loss", "squared error + KL"),
    ("behaviour/reward/extrinsic", "imagined reward, extrinsic", "reward per step"),
    ("behaviour/reward/subgoal", "imagined reward, subgoal", "reward per step"),
    ("behaviour/reward/novelty", "imagined reward, novelty", "reward per step"),
    ("autoencoder/explained_variance", "autoencoder, explained variance", "share"),
    ("autoencoder/perplexity", "codes in use", "perplexity per factor"),
)
LOGARITHMIC = ("world_model/reconstruction",)
ERRORS = {  # field of OpenLoop -> label
    "repeat": "repeat the last picture",
    "model": "open loop, one sample",
    "model_mean": "open loop, mean of the samples",
    "posterior": "reconstruction (sees the picture)",
}


def training_curves(lines: Lines, episodes: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw all losses, the reward components and the episode returns of a run, one line a level."""
    rows = -(-(len(PANELS) + 1) // COLUMNS)
    figure = _figure(4.0 * COLUMNS, 2.6 * rows)
    axes = iter(figure.subplots(rows, COLUMNS).ravel())
    for name, title, unit in PANELS:
        ax = next(axes)
        for level in range(levels(lines)):
            metric = series(lines, level, name)
            marker = "." if len(metric.mean) == 1 else None
            ax.plot(metric.env_step, metric.mean, color=_color(level), marker=marker, label=f"level {level}")
        if name in LOGARITHMIC:  # levels differ a hundredfold
            ax.set_yscale("log")
        _label(ax, title, "environment steps", unit)
    _returns(next(axes), episodes)
    figure.axes[0].legend(fontsize=8)
    _drop(figure, axes)
    _save(figure, path)


def return_curves(
    episodes: Sequence[Mapping[str, Any]], path: Path, *, title: str, asked: float | None = None
) -> None:
    """Draw the returns of training episodes against steps, a line a seed, and what was asked of them.

    Each point is the mean over a window of a tenth of the seed's episodes, which ends there. Raises
    `ValueError` without episodes.
    """
    if not episodes:
        raise ValueError("wanted at least one finished episode, got none.")
    figure = _figure(6.0, 3.2)
    ax = figure.subplots()
    for number, (seed, curve) in enumerate(moving_means(episodes).items()):
        label = f"seed {seed}, mean of {curve.window}"
        ax.plot(curve.env_step, curve.mean, color=_color(number), label=label)
    if asked is not None:
        ax.axhline(asked, color="black", linestyle=":", label="asked")
    _label(ax, textwrap.fill(title, 70), "environment steps", "return of an episode")
    ax.legend(fontsize=8)
    _save(figure, path)


def values(
    told: Mapping[int, np.ndarray], worth: Mapping[int, np.ndarray], path: Path, *, title: str
) -> None:
    """Draw what the critic of each seed tells of some states against what these are worth, a dot a state.

    Raises `ValueError` without states, and if a seed has not as many values as states.
    """
    figure = _figure(4.2, 3.8)
    ax = figure.subplots()
    for number, (seed, own) in enumerate(told.items()):
        require_same_shape(told=own, worth=worth[seed])
        ax.plot(worth[seed], own, ".", color=_color(number), markersize=4, alpha=0.4, label=f"seed {seed}")
    every = [*told.values(), *worth.values()]
    if not sum(map(len, every)):
        raise ValueError("wanted at least one state, got none.")
    ends = [min(map(np.min, every)), max(map(np.max, every))]
    ax.plot(ends, ends, color="black", linestyle=":", label="as it should be")
    _label(ax, textwrap.fill(title, 50), "discounted return", "value")
    ax.legend(fontsize=8)
    _save(figure, path)


def returns_by_cost(
    labels: Sequence[str],
    curves: Sequence[Mapping[int, Curve]],
    flops_per_step: Sequence[float],
    path: Path,
    *,
    title: str,
) -> None:
    """Draw returns of several runs against steps and against the FLOPs of one seed, a line a run.

    Lines are means over the run's seeds, with 95 % intervals over them and a thin line for each; a run of one
    seed is drawn as it is.
    Raises `ValueError` for a run without a curve.
    """
    figure = _figure(9.0, 3.4)
    by_steps, by_flops = figure.subplots(1, 2, sharey=True)
    for number, (label, run, cost) in enumerate(zip(labels, curves, flops_per_step, strict=True)):
        line = mean_over_seeds(run) or next(iter(run.values()), None)
        if line is None:
            raise ValueError(f"wanted at least one finished episode of {label}, got none.")
        for ax, unit in ((by_steps, 1.0), (by_flops, cost / 1e12)):
            steps, color = line.env_step * unit, _color(number)
            ax.plot(steps, line.mean, color=color, label=f"{label}, n = {len(run)}")
            if isinstance(line, MeanCurve):
                ax.fill_between(steps, line.low, line.high, color=color, alpha=0.2, linewidth=0)
                for seed in run.values():
                    ax.plot(seed.env_step * unit, seed.mean, color=color, linewidth=0.6, alpha=0.7)
    _label(by_steps, title, "environment steps", "return of an episode")
    _label(by_flops, f"{title}, by cost", "TFLOP of a seed", "")
    by_steps.legend(fontsize=8)
    _save(figure, path)


def open_loop_errors(result: OpenLoop, path: Path, *, samples: int) -> None:
    """Draw the mean error against the number of steps, for all starts and for the moving half."""
    figure = _figure(11.0, 4.0)
    sets = {"all starts": np.arange(len(result.motion)), "half with most motion": result.moving}
    steps = np.arange(1, len(result.model) + 1)
    for ax, (title, chosen) in zip(figure.subplots(1, 2), sets.items(), strict=True):
        for i, (name, label) in enumerate(ERRORS.items()):
            label = label.replace("the samples", f"{samples} samples")
            ax.plot(steps, getattr(result, name)[:, chosen].mean(axis=1), color=_color(i), label=label)
        _label(
            ax,
            f"{title} (n = {len(chosen)})",
            "steps after the start",
            "mean squared error, pixels in [0, 1]",
        )
        ax.set_ylim(bottom=0)
    figure.axes[0].legend(fontsize=8)
    _save(figure, path)


def open_loop_pictures(prediction: Prediction, steps: Sequence[int], path: Path) -> None:
    """Draw truth, one sample of the prediction and its absolute error for a few starts and steps.

    Raises `ValueError` for a step that was not predicted.
    """
    beyond = [step for step in steps if not 1 <= step <= len(prediction.truth)]
    if beyond:
        raise ValueError(f"wanted steps from 1 to {len(prediction.truth)}, got {beyond}.")
    count = prediction.truth.shape[1]
    figure = _figure(1.35 * (len(steps) + 1) + 0.6, 1.45 * 3 * count)
    grid = figure.subplots(3 * count, len(steps) + 1, squeeze=False)
    for ax in grid.ravel():
        ax.set_xticks([])
        ax.set_yticks([])
    for start in range(count):
        rows = grid[3 * start : 3 * start + 3]
        rows[0, 0].imshow(prediction.last[start])
        rows[0, 0].set_title("start", fontsize=8)
        rows[1, 0].axis("off")
        rows[2, 0].axis("off")
        for column, step in enumerate(steps, start=1):
            truth, imagined = prediction.truth[step - 1, start], prediction.imagined[step - 1, 0, start]
            error = np.abs(truth.astype(np.int16) - imagined.astype(np.int16)).astype(np.uint8)
            for ax, picture in zip(rows[:, column], (truth, imagined, error), strict=True):
                ax.imshow(picture)
            rows[0, column].set_title(f"{step} step{'s' if step > 1 else ''}", fontsize=8)
        for ax, name in zip(rows[:, 1], ("truth", "prediction", "|error|"), strict=True):
            ax.set_ylabel(name, fontsize=8)
    _save(figure, path)


def _returns(ax: Any, episodes: Sequence[Mapping[str, Any]]) -> None:
    steps = [episode["env_step"] for episode in episodes]
    ax.plot(steps, [episode["return"] for episode in episodes], "o", markersize=3, color=_color(6))
    _label(ax, f"episode returns (n = {len(episodes)})", "environment steps", "return")


def _figure(width: float, height: float) -> Any:
    try:
        module = importlib.import_module("matplotlib.figure")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "figures need matplotlib; install it with: pip install 'hieros-eqx[report]'", name="matplotlib"
        ) from error
    return module.Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _label(ax: Any, title: str, x: str, y: str) -> None:
    ax.set_title(title, fontsize=10)
    ax.set_xlabel(x, fontsize=8)
    ax.set_ylabel(y, fontsize=8)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)


def _color(number: int) -> str:
    return COLORS[number % len(COLORS)]


def _drop(figure: Any, axes: Iterator[Any]) -> None:
    for ax in axes:
        figure.delaxes(ax)


def _save(figure: Any, path: Path) -> None:
    """Write a PNG of at most 256 colours: a third of the size."""
    image = importlib.import_module("PIL.Image")  # Matplotlib needs it, too
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    small = image.open(buffer).convert("RGB").quantize(256, dither=image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    small.save(path, optimize=True)
