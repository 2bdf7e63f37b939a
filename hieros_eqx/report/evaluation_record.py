"""Evaluations as JSON files beside a run: making one, in words, and reading all of them again.

`RUN/eval-*.json` holds one evaluation of some or all training seeds of the run:

====================  ==========================================================================
env, env_step         what was played, and the environment steps after which the checkpoint was saved
final                 whether these are all steps of the run
policy, backend       `sample` or `mode`; `jax` or `numpy`
seed, num_envs        seed of environments and noise, environments side by side
episodes              of each training seed
mean, median          over training seeds, of each one's mean return; of one seed, over its episodes
interval              95 % bootstrap interval of `mean`, or null; over what says `interval_over`
human_normalised      of `mean`, or null; 0 is random play, 1 a human
length                mean, min, max over all episodes, in environment steps
seeds                 the same of each training seed, with its returns, lengths, truncated
evaluated, seconds    when it ended, and how long it took
====================  ==========================================================================
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hieros_eqx.config import HierosConfig
from hieros_eqx.config.strict_json import parse_json
from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.intervals import bootstrap
from hieros_eqx.report.published import human_normalised
from hieros_eqx.training import EvaluationResult
from hieros_eqx.training.manifest import read_small


@dataclass(frozen=True)
class Evaluation:
    """The episodes that the agent of one training seed has played, as read from a file."""

    path: Path
    env: str
    """The game, or the id of another environment."""
    train_seed: int
    env_step: int | None
    """Environment steps of the checkpoint that played."""
    final: bool
    """These are all the environment steps of the run."""
    policy: str
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    mean: float
    median: float
    interval: tuple[float, float] | None
    """95 % bootstrap interval of the mean over episodes; None of one episode."""
    human_normalised: float | None
    evaluated: str
    """When it ended, as ISO 8601 in UTC."""
    seconds: float
    """How long the evaluation of the file's seeds took, all together."""

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.returns)


def make_record(
    config: HierosConfig,
    results: Mapping[int, EvaluationResult],
    *,
    env_step: int | None,
    policy: Literal["sample", "mode"],
    backend: str,
    seed: int,
    num_envs: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the JSON record of an evaluation of some seeds of a run. Raises `ValueError` without results."""
    if not results:
        raise ValueError("wanted the results of at least one seed, got none.")
    name = config.env.game or config.env.id
    of_seeds = {str(number): _summary(config, result) for number, result in results.items()}
    means = [own["mean"] for own in of_seeds.values()]
    only = next(iter(of_seeds.values())) if len(of_seeds) == 1 else None
    mean = statistics.fmean(means)
    return {
        "env": name,
        "env_step": env_step,
        "final": env_step == config.training.env_steps,
        "policy": policy,
        "backend": backend,
        "seed": seed,
        "num_envs": num_envs,
        "episodes": len(next(iter(results.values())).returns),
        "mean": mean,
        "median": statistics.median(means) if only is None else only["median"],
        "std": statistics.pstdev(means) if only is None else only["std"],
        "interval": _interval(means) if only is None else only["interval"],
        "interval_over": "seeds" if only is None else "episodes",
        "human_normalised": _normalised(config, mean),
        "length": _lengths([n for result in results.values() for n in result.lengths]),
        "seeds": of_seeds,
        "evaluated": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 3),
    }


def _summary(config: HierosConfig, result: EvaluationResult) -> dict[str, Any]:
    return {
        "mean": result.mean,
        "median": result.median,
        "std": result.std,
        "interval": _interval(result.returns),
        "human_normalised": _normalised(config, result.mean),
        "length": _lengths(result.lengths),
        "returns": [float(value) for value in result.returns],
        "lengths": [int(value) for value in result.lengths],
        "truncated": [bool(value) for value in result.truncated],
    }


def _interval(values: Sequence[float]) -> list[float] | None:
    if len(values) < 2:
        return None
    found = bootstrap(np.array(values, np.float64))
    return [found.low, found.high]


def _normalised(config: HierosConfig, mean: float) -> float | None:
    return None if config.env.game is None else human_normalised(config.env.game, mean)


def _lengths(lengths: Sequence[int]) -> dict[str, float]:
    return {"mean": statistics.fmean(lengths), "min": min(lengths), "max": max(lengths)}


def describe(record: Mapping[str, Any]) -> list[str]:
    """Return a record in words: a line for each seed and, of several, one for their mean."""
    seeds = record["seeds"]
    if len(seeds) == 1:
        return [_played(record["episodes"], *seeds.values())]
    lines = [f"seed {seed}: {_played(record['episodes'], own)}" for seed, own in seeds.items()]
    mean = f"mean over {len(seeds)} seeds: {record['mean']:.6g}{_between(record['interval'])}"
    return [*lines, f"{mean}, median {record['median']:.6g}{_human(record)}"]


def _played(episodes: int, own: Mapping[str, Any]) -> str:
    length = own["length"]
    lengths = f"length {length['mean']:.6g} ({length['min']} to {length['max']})"
    mean = f"mean {own['mean']:.6g}{_between(own['interval'])}, median {own['median']:.6g}"
    return f"{episodes} episode{'s' if episodes > 1 else ''}: {mean}, {lengths}{_human(own)}"


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.6g}, {interval[1]:.6g}]"


def _human(own: Mapping[str, Any]) -> str:
    if own["human_normalised"] is None:
        return ""
    return f", human-normalised {own['human_normalised']:.3f} (0: random, 1: human)"


def read_all(run: str | Path) -> list[Evaluation]:
    """Return all evaluations beside a run, of each training seed, oldest first.

    Raises `CheckpointError` for a file that is not such as `hieros-eqx eval` writes.
    """
    found = [own for path in sorted(Path(run).glob("eval-*.json")) for own in _read(path)]
    return sorted(found, key=lambda own: own.evaluated)


def read_evaluations(run: str | Path) -> list[Evaluation]:
    """Return the newest evaluation of each training seed and checkpoint, by step and seed.

    Raises as `read_all` does.
    """
    newest = {(own.env_step, own.train_seed): own for own in read_all(run)}
    return sorted(newest.values(), key=lambda own: (own.env_step or 0, own.train_seed))


def final_evaluations(run: str | Path) -> dict[int, Evaluation]:
    """Return by training seed the finished agent's evaluation with most episodes, of equals the newest.

    Seeds that have none are left out. Raises as `read_all` does.
    """
    return _longest(own for own in read_all(run) if own.final)


def _longest(evaluations: Iterable[Evaluation]) -> dict[int, Evaluation]:
    best: dict[int, Evaluation] = {}
    for own in evaluations:  # oldest first
        if own.train_seed not in best or own.episodes >= best[own.train_seed].episodes:
            best[own.train_seed] = own
    return dict(sorted(best.items()))


def _read(path: Path) -> list[Evaluation]:
    try:
        record = parse_json(read_small(path))
        return [_evaluation(path, record, int(seed), own) for seed, own in record["seeds"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: wanted an evaluation as `hieros-eqx eval` writes it, got something else "
            f"({type(error).__name__}: {error}). Move it away, and evaluate again."
        ) from error


def _evaluation(path: Path, record: Mapping[str, Any], train_seed: int, own: Mapping[str, Any]) -> Evaluation:
    returns, lengths = tuple(map(float, own["returns"])), tuple(map(int, own["lengths"]))
    if not returns or len(returns) != len(lengths):
        raise ValueError(f"{len(returns)} returns and {len(lengths)} lengths")
    interval, normalised, step = own["interval"], own["human_normalised"], record["env_step"]
    return Evaluation(
        path=path,
        env=str(record["env"]),
        train_seed=train_seed,
        env_step=None if step is None else int(step),
        final=bool(record["final"]),
        policy=str(record["policy"]),
        returns=returns,
        lengths=lengths,
        mean=float(own["mean"]),
        median=float(own["median"]),
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        human_normalised=None if normalised is None else float(normalised),
        evaluated=str(record["evaluated"]),
        seconds=float(record["seconds"]),
    )
