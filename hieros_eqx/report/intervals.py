"""Bootstrap intervals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

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
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"wanted at least 1 resample and a confidence in (0, 1), got {resamples} and {confidence}."
        )
    rng, means = np.random.default_rng(seed), []
    for first in range(0, resamples, BLOCK):
        size = (min(BLOCK, resamples - first), len(values))
        means.append(values[rng.integers(len(values), size=size)].mean(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))
