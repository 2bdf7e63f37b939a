"""What the loop tells of a run: the host's counters, lines of metrics and episodes, what a person sees."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hieros_eqx.config import HierosConfig
from hieros_eqx.training import schedule
from hieros_eqx.training.episodes import Episode

Returns = Mapping[int, tuple[float, ...]]
"""Returns of the latest `SHOWN_EPISODES` finished episodes of every seed, in order."""
SHOWN_EPISODES = 10


class Counters(NamedTuple):
    """What the host counts itself, so that the device need not be asked. Saved with every checkpoint."""

    env_step: int
    """Environment steps of each seed."""
    episodes: tuple[int, ...]
    """Finished episodes of each seed."""
    seconds: float
    """Of training, over all resumptions."""


def fresh_counters(config: HierosConfig) -> Counters:
    """Return the counters before the first step."""
    return Counters(env_step=0, episodes=(0,) * len(config.all_seeds), seconds=0.0)


def advance(
    config: HierosConfig,
    counters: Counters,
    env_step: int,
    ended: Iterable[Mapping[str, Any]],
    seconds: float,
) -> Counters:
    """Return the counters at `env_step`, after the episodes of some records ended."""
    seeds = [line["seed"] for line in ended]
    episodes = (n + seeds.count(seed) for n, seed in zip(counters.episodes, config.all_seeds, strict=True))
    return Counters(env_step, tuple(episodes), seconds)


def latest(recent: Returns, ended: Sequence[Mapping[str, Any]]) -> Returns:
    """Return the latest returns of every seed, after the episodes of some records ended."""
    new = {line["seed"]: recent[line["seed"]] for line in ended}
    for line in ended:
        new[line["seed"]] = (*new[line["seed"]], line["return"])[-SHOWN_EPISODES:]
    return {**recent, **new}


def metrics_records(
    config: HierosConfig, counters: Counters, rate: float, means: Iterable[Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Return one record of metrics for each seed, from the means of its updates.

    `rate` is in environment steps of one seed per second.
    """
    counts = schedule.train_steps(config, counters.env_step)
    return [
        {
            "seed": seed,
            "env_step": counters.env_step,
            "train_step": counts[0],
            "seconds": counters.seconds,
            "steps_per_second": rate,
            "episodes": episodes,
            **{f"level{level}/train_step": count for level, count in enumerate(counts)},
            **own,
        }
        for seed, episodes, own in zip(config.all_seeds, counters.episodes, means, strict=True)
    ]


def episode_records(
    config: HierosConfig, env_step: int, before: Sequence[int], ended: Iterable[Episode]
) -> list[dict[str, Any]]:
    """Return one record for each episode that ended; `before` counts those of each seed that ended earlier.

    Environments are numbered as in the pool, where those of a seed lie side by side.
    """
    counts, records = list(before), []
    for episode in ended:
        index, env = divmod(episode.env, config.env.num_envs)
        counts[index] += 1
        records.append(
            {
                "seed": config.all_seeds[index],
                "env_step": env_step,
                "episode": counts[index],
                "env": env,
                "return": episode.episode_return,
                "length": episode.length,
                "truncated": episode.truncated,
            }
        )
    return records


class Highlights(NamedTuple):
    """What a person sees of a log line. Of several seeds everything but `episodes` is a mean over them."""

    seeds: int
    updates: int
    """Of the lowest level."""
    episodes: int
    """Finished ones of all seeds."""
    last: float | None
    """Return of the latest episode; None before there is one."""
    mean: float | None
    """Mean return of the latest `SHOWN_EPISODES` episodes."""
    best: float | None
    """Highest return of the run."""
    levels: tuple[Mapping[str, float], ...]
    """Metrics of each level under their names without `level{i}/`, those alone that the line holds."""


def best(earlier: Mapping[int, float], ended: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Return the highest return of every seed, after the episodes of some records ended."""
    highest = dict(earlier)
    for line in ended:
        value = line["return"]
        if value is not None:  # as one that is not finite is read back
            highest[line["seed"]] = max(value, highest.get(line["seed"], value))
    return highest


def highlights(
    records: Sequence[Mapping[str, Any]], recent: Returns, best: Mapping[int, float]
) -> Highlights:
    """Return what the display shows of the records of a log line and of the latest and highest returns."""
    latest = [own for own in recent.values() if own]
    return Highlights(
        seeds=len(records),
        updates=records[0]["train_step"],
        episodes=sum(record["episodes"] for record in records),
        last=_mean([own[-1] for own in latest]),
        mean=_mean([statistics.fmean(own) for own in latest]),
        best=_mean(list(best.values())),
        levels=_by_level(records),
    )


def _by_level(records: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, float], ...]:
    levels: list[dict[str, float]] = []
    while f"level{len(levels)}/train_step" in records[0]:
        prefix = f"level{len(levels)}/"
        names = [name for name in records[0] if name.startswith(prefix)]
        levels.append(
            {name[len(prefix) :]: statistics.fmean(record[name] for record in records) for name in names}
        )
    return tuple(levels)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
