"""Bootstrap intervals."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

BLOCK = 500  # resamples drawn at once: bounds memory


class Interval(NamedTuple):
    """A mean and the interval that holds it."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: Float[np.ndarray, " sample"],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean and its percentile bootstrap interval.

    For a comparison of two methods on the same cases give the differences: the interval is then the paired
    one. The samples are taken as independent. Raises `ValueError` without a sample or resample, or for a
    confidence outside of (0, 1).
    """
    if not len(values):
        raise ValueError("wanted at least one sample, got none.")
    check_bootstrap(resamples, confidence)
    mean = float(values.mean())
    if len(values) == 1:  # which SciPy refuses
        return Interval(mean, mean, mean)
    return Interval(mean, *percentile_interval((values,), np.mean, resamples, confidence, seed))


def percentile_interval(
    strata: tuple[np.ndarray, ...],
    statistic: Callable[..., Any],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic of strata, each resampled on its own.

    `statistic(*strata, axis)` has the samples of every stratum along `axis`. Raises as `check_bootstrap`.
    """
    check_bootstrap(resamples, confidence)
    found = stats.bootstrap(
        strata,
        statistic,
        n_resamples=resamples,
        confidence_level=confidence,
        batch=BLOCK,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def check_bootstrap(resamples: int, confidence: float) -> None:
    """Raise `ValueError` for less than one resample or a confidence outside of (0, 1)."""
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"wanted at least 1 resample and a confidence in (0, 1), got {resamples} and {confidence}."
        )
