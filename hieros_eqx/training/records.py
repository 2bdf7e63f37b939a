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


def highlights(records: Sequence[Mapping[str, Any]], recent: Returns) -> dict[str, Any]:
    """Return what the display shows: the return is the mean over seeds of the mean of the latest episodes."""
    shown = {
        "updates": records[0]["train_step"],
        "episodes": sum(record["episodes"] for record in records),
    }
    means = [statistics.fmean(own) for own in recent.values() if own]
    return shown | ({"return": statistics.fmean(means)} if means else {})
