"""Published Atari100k scores, and what a score means beside them (docs/algorithm.md, section 8)."""

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from hieros_eqx.report.intervals import check_bootstrap, percentile_interval

COLUMNS = ("random", "human", "simple", "twm", "iris", "dreamerv3", "hieros")


@cache
def published_scores() -> MappingProxyType[str, Any]:
    """Return game -> column -> score of the table in the Hieros paper's slides (sources: NOTICE)."""
    text = files("hieros_eqx.report").joinpath("data/published_scores.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    table = {row["game"]: MappingProxyType({name: float(row[name]) for name in COLUMNS}) for row in rows}
    return MappingProxyType(table)


def human_normalised(game: str, score: float) -> float | None:
    """Return `(score - random) / (human - random)`, or None for a game that is not in the table."""
    row = published_scores().get(game)
    if row is None:
        return None
    return (score - row["random"]) / (row["human"] - row["random"])


class Estimate(NamedTuple):
    """A number and the interval that holds it; None where there is one seed, which says nothing of spread."""

    value: float
    low: float | None
    high: float | None


AGGREGATES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "mean": lambda x: x.mean(axis=(0, 1)),
        "median": lambda x: np.median(x.mean(axis=1), axis=0),
        "iqm": lambda x: stats.trim_mean(x.reshape(-1, *x.shape[2:]), 0.25, axis=0),
        "optimality_gap": lambda x: 1 - np.minimum(x, 1).mean(axis=(0, 1)),
    }
)
"""Of normalised scores `[game seed ...]`, over games and seeds (Agarwal et al., arXiv 2108.13264): the mean;
the median over games of means over seeds; the mean of the middle half of all; what is missing to 1."""


def aggregate(
    scores: Mapping[str, Sequence[float]],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return every aggregate of human-normalised scores with its stratified bootstrap interval.

    `scores` holds one number per seed for each game. Seeds are resampled within each game, games are not.
    Raises `ValueError` without scores, for numbers that are not finite, or if games differ in their number
    of seeds.
    """
    table = _table(scores)
    check_bootstrap(resamples, confidence)
    result = {}
    for name, function in AGGREGATES.items():
        value, low, high = float(function(table)), None, None
        if table.shape[1] > 1:
            low, high = _stratified(tuple(table), function, resamples, confidence, seed)
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
    own, other = _table(ours), _table({game: theirs[game] for game in ours})
    check_bootstrap(resamples, confidence)
    games = len(own)

    def function(both: Any) -> Any:
        better = [
            (a[:, None] > b[None]).mean(axis=(0, 1)) + 0.5 * (a[:, None] == b[None]).mean(axis=(0, 1))
            for a, b in zip(both[:games], both[games:], strict=True)
        ]
        return np.mean(better, axis=0)

    value, low, high = float(function([*own, *other])), None, None
    if own.shape[1] > 1 and other.shape[1] > 1:
        low, high = _stratified((*own, *other), function, resamples, confidence, seed)
    return Estimate(value, low, high)


def _table(scores: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Return scores as `[game seed]`."""
    seeds = {game: len(own) for game, own in scores.items()}
    if not seeds or not min(seeds.values()):
        raise ValueError(f"wanted at least one score of every game, got {seeds or 'no games'}.")
    if len(set(seeds.values())) > 1:
        raise ValueError(f"wanted equally many seeds of every game, got {seeds}.")
    table = np.array([list(own) for own in scores.values()], np.float64)
    if not np.isfinite(table).all():
        raise ValueError("wanted finite scores, got NaN or infinity.")
    return table


def _stratified(
    strata: tuple[np.ndarray, ...],
    function: Callable[[Any], np.ndarray],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Return the percentile interval of a statistic of strata `[sample ...]`, each resampled on its own."""

    def statistic(*resampled: np.ndarray, axis: int) -> np.ndarray:
        moved = [np.moveaxis(x, axis, 0) for x in resampled]
        alike = len({x.shape for x in moved}) == 1
        return function(np.stack(moved) if alike else moved)

    return percentile_interval(strata, statistic, resamples, confidence, seed)
