"""What the metrics of a run say in a few numbers. `lines` are the records of `metrics.jsonl`, in order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Lines = Sequence[Mapping[str, Any]]


class Series(NamedTuple):
    """One metric of one level: a mean over `updates[i]` updates per line that held any."""

    env_step: list[int]
    mean: list[float]
    updates: list[int]


class Tenths(NamedTuple):
    """Means of a metric over the first and the last tenth of all updates."""

    first: float
    last: float

    @property
    def ratio(self) -> float:
        """Last over first."""
        return self.last / self.first


def by_seed(lines: Lines) -> dict[int, list[Mapping[str, Any]]]:
    """Return the lines of each seed, in order, by ascending seed; those of `episodes.jsonl` will do, too."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["seed"], []).append(line)
    return dict(sorted(found.items()))


def levels(lines: Lines) -> int:
    """Return the number of levels that were logged."""
    last = lines[-1] if lines else {}
    return sum(f"level{i}/train_step" in last for i in range(len(last)))


def updates(lines: Lines) -> list[int]:
    """Return the number of updates of each level."""
    return [int(lines[-1][f"level{i}/train_step"]) for i in range(levels(lines))]


def series(lines: Lines, level: int, name: str) -> Series:
    """Return one metric over the run, e.g. `world_model/reconstruction`; what is not finite is NaN.

    Raises `ValueError` if there is no such level.
    """
    if lines and not 0 <= level < levels(lines):
        raise ValueError(f"wanted a level among the {levels(lines)} that were logged, got {level}.")
    result, before = Series([], [], []), 0
    for line in lines:
        now = int(line[f"level{level}/train_step"])
        key = f"level{level}/{name}"
        if key in line and now > before:
            value = line[key]
            result.env_step.append(int(line["env_step"]))
            result.mean.append(float("nan") if value is None else float(value))
            result.updates.append(now - before)
        before = now
    return result


def nonfinite(lines: Lines) -> dict[str, int]:
    """Return how often each metric was not finite, in lines; empty where all were finite."""
    return dict(Counter(name for line in lines for name in line.get("nonfinite", ())))


def tenths(metric: Series) -> Tenths:
    """Return the means over the first and the last tenth of the updates of a metric.

    Every update counts as the mean of its line; a line across the border counts in part. Raises
    `ValueError` without updates.
    """
    total = sum(metric.updates)
    if not total:
        raise ValueError("wanted a metric with updates, got none: the level was never trained.")
    return Tenths(_mean_between(metric, 0.0, 0.1 * total), _mean_between(metric, 0.9 * total, float(total)))


def _mean_between(metric: Series, begin: float, end: float) -> float:
    weighted, position = 0.0, 0.0
    for value, count in zip(metric.mean, metric.updates, strict=True):
        overlap = min(end, position + count) - max(begin, position)
        if overlap > 0:
            weighted += overlap * value
        position += count
    return weighted / (end - begin)


def rates(lines: Lines) -> dict[str, float]:
    """Return wall time and rates, over the whole run and over its second half (all is compiled by then).

    Raises `ValueError` without lines.
    """
    if not lines:
        raise ValueError("wanted lines of metrics, got none: the run has not logged yet.")
    last, middle = lines[-1], lines[(len(lines) - 1) // 2]
    seconds = last["seconds"] - middle["seconds"]
    result = {
        "wall_seconds": float(last["seconds"]),
        "env_steps_per_second": last["env_step"] / last["seconds"],
    }
    if seconds > 0:
        result["second_half_env_steps_per_second"] = (last["env_step"] - middle["env_step"]) / seconds
        for i in range(levels(lines)):
            key = f"level{i}/train_step"
            result[f"second_half_level{i}_updates_per_second"] = (last[key] - middle[key]) / seconds
    return result
