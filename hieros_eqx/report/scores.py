"""Aggregates of human-normalised scores over games and seeds, with their intervals (docs/algorithm.md, 8)."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from hieros_eqx.report.intervals import check_bootstrap, percentile_interval

Strata = Sequence[np.ndarray]
"""Scores of every game, each `[seed ...]`."""
LARGEST_MULTIPLE = 5040


class Estimate(NamedTuple):
    """A number and the interval that holds it; None where there is one seed, which says nothing of spread."""

    value: float
    low: float | None
    high: float | None


def _iqm(games: Strata) -> Any:
    """Return the mean of the middle half of all scores; a game of few seeds counts as much as one of many."""
    each = math.lcm(*(len(x) for x in games))
    return stats.trim_mean(
        np.concatenate([np.repeat(x, each // len(x), axis=0) for x in games]), 0.25, axis=0
    )


def _over_games(games: Strata) -> np.ndarray:
    return np.stack([x.mean(axis=0) for x in games])


AGGREGATES: Mapping[str, Callable[[Strata], Any]] = MappingProxyType(
    {
        "mean": lambda games: _over_games(games).mean(axis=0),
        "median": lambda games: np.median(_over_games(games), axis=0),
        "iqm": _iqm,
        "optimality_gap": lambda games: 1 - _over_games([np.minimum(x, 1) for x in games]).mean(axis=0),
    }
)
"""Of normalised scores, over games and seeds (Agarwal et al., arXiv 2108.13264): the mean; the median over
games of means over seeds; the mean of the middle half of all; what is missing to 1. All games weigh the same,
however many seeds they have."""


def aggregate(
    scores: Mapping[str, Sequence[float]],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return every aggregate of human-normalised scores with its stratified bootstrap interval.

    `scores` holds one number per seed for each game; games may differ in their number of seeds. Seeds are
    resampled within each game, games are not; where a game has one seed there is no interval. Raises
    `ValueError` without scores, for numbers that are not finite, or for numbers of seeds whose least common
    multiple is beyond all bounds.
    """
    games = _strata(scores)
    if math.lcm(*(len(x) for x in games)) > LARGEST_MULTIPLE:
        raise ValueError(f"wanted about equally many seeds of every game, got {_counts(scores)}.")
    check_bootstrap(resamples, confidence)
    result = {}
    for name, function in AGGREGATES.items():
        value, low, high = float(function(games)), None, None
        if min(len(x) for x in games) > 1:
            low, high = _stratified(games, function, resamples, confidence, seed)
        result[name] = Estimate(value, low, high)
    return result


def probability_of_improvement(
    ours: Mapping[str, Sequence[float]],
    theirs: Mapping[str, Sequence[float]],
    *,
    resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Return how likely a run of ours scores above one of theirs on a game drawn at random; ties count half.

    Any scale of scores will do. Raises `ValueError` as `aggregate` does, or if the games are not the same.
    """
    if sorted(ours) != sorted(theirs):
        differing = ", ".join(sorted(set(ours) ^ set(theirs)))
        raise ValueError(f"wanted scores of the same games, got these on one side alone: {differing}.")
    own, other = _strata(ours), _strata({game: theirs[game] for game in ours})
    check_bootstrap(resamples, confidence)
    games = len(own)

    def function(both: Any) -> Any:
        better = [
            (a[:, None] > b[None]).mean(axis=(0, 1)) + 0.5 * (a[:, None] == b[None]).mean(axis=(0, 1))
            for a, b in zip(both[:games], both[games:], strict=True)
        ]
        return np.mean(better, axis=0)

    value, low, high = float(function([*own, *other])), None, None
    if min(len(x) for x in (*own, *other)) > 1:
        low, high = _stratified((*own, *other), function, resamples, confidence, seed)
    return Estimate(value, low, high)


def _strata(scores: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, ...]:
    """Return the scores of every game, checked."""
    if not scores or not all(len(own) for own in scores.values()):
        raise ValueError(f"wanted at least one score of every game, got {_counts(scores) or 'no games'}.")
    games = tuple(np.array(list(own), np.float64) for own in scores.values())
    if not all(np.isfinite(x).all() for x in games):
        raise ValueError("wanted finite scores, got NaN or infinity.")
    return games


def _counts(scores: Mapping[str, Sequence[float]]) -> dict[str, int]:
    return {game: len(own) for game, own in scores.items()}


def _stratified(
    strata: tuple[np.ndarray, ...],
    function: Callable[[Any], Any],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Return the percentile interval of a statistic of strata `[sample ...]`, each resampled on its own."""

    def statistic(*resampled: np.ndarray, axis: int) -> Any:
        return function([np.moveaxis(x, axis, 0) for x in resampled])

    return percentile_interval(strata, statistic, resamples, confidence, seed)
