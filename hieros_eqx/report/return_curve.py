"""Returns of training episodes as curves: a moving mean of each seed, and the mean over seeds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from hieros_eqx.report.intervals import percentile_interval
from hieros_eqx.report.run_summary import by_seed

GRID, RESAMPLES = 60, 1000


class Curve(NamedTuple):
    """Means over `window` episodes, each of which ends at its step."""

    env_step: Float[np.ndarray, " point"]
    mean: Float[np.ndarray, " point"]
    window: int


class MeanCurve(NamedTuple):
    """The mean over seeds, and its 95 % interval (percentile bootstrap over seeds)."""

    env_step: Float[np.ndarray, " point"]
    mean: Float[np.ndarray, " point"]
    low: Float[np.ndarray, " point"]
    high: Float[np.ndarray, " point"]


def moving_means(episodes: Sequence[Mapping[str, Any]]) -> dict[int, Curve]:
    """Return the curve of every seed, in order; the window is a tenth of the seed's episodes."""
    curves = {}
    for seed, own in by_seed(episodes).items():
        window = max(1, len(own) // 10)
        total = np.concatenate([[0.0], np.cumsum([episode["return"] for episode in own])])
        steps = np.array([episode["env_step"] for episode in own[window - 1 :]], np.float64)
        curves[seed] = Curve(steps, (total[window:] - total[:-window]) / window, window)
    return curves


def mean_over_seeds(curves: Mapping[int, Curve]) -> MeanCurve | None:
    """Return the mean of curves where all of them are; None for fewer than two, or where none meet."""
    if len(curves) < 2:
        return None
    first = max(curve.env_step[0] for curve in curves.values())
    last = min(curve.env_step[-1] for curve in curves.values())
    if first >= last:
        return None
    grid = np.linspace(first, last, GRID)
    table = np.stack([np.interp(grid, curve.env_step, curve.mean) for curve in curves.values()])
    bounds = np.array([_interval(column) for column in table.T])
    return MeanCurve(grid, table.mean(axis=0), bounds[:, 0], bounds[:, 1])


def _interval(values: np.ndarray) -> tuple[float, float]:
    if np.ptp(values) == 0:  # of which SciPy warns
        return float(values[0]), float(values[0])
    return percentile_interval((values,), np.mean, RESAMPLES, 0.95, 0)
