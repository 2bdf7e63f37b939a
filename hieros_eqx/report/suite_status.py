"""How far the runs of a suite are, and how long the rest will take by what was measured."""

import json
import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hieros_eqx.config import HierosConfig
from hieros_eqx.report.evaluation_record import final_evaluations
from hieros_eqx.training import manifest
from hieros_eqx.training.run_dir import RunDir
from hieros_eqx.training.suite import Job

TAIL = 1 << 20  # bytes at the end of a file of metrics, in which its last line is


@dataclass(frozen=True)
class Status:
    """How far a run is."""

    env_step: int
    """Environment steps of the newest checkpoint."""
    env_steps: int
    """Those of the whole run."""
    evaluated: bool
    """Every seed was evaluated after the last step, with as many episodes as are wanted, or more."""
    seconds_per_step: float | None
    """Measured in this run; None before its first metrics."""
    seconds_of_evaluation: float | None

    @property
    def trained(self) -> bool:
        """The last step was taken."""
        return self.env_step >= self.env_steps

    @property
    def done(self) -> bool:
        """Nothing is left to do."""
        return self.trained and self.evaluated

    def finished(self, job: Job) -> bool:
        """Whether a job of this run has nothing to do."""
        return self.trained if job.kind == "train" else self.done


def read_status(run: Path, config: HierosConfig, episodes: int) -> Status:
    """Return how far the run in a directory is; where there is none, at the beginning.

    Raises `CheckpointError` for evaluations that cannot be read.
    """
    final = final_evaluations(run)
    enough = [own for own in final.values() if own.episodes >= episodes]
    last = _last_line(RunDir(run).metrics)
    step = max(manifest.steps(RunDir(run).checkpoints), default=0)
    return Status(
        env_step=step,
        env_steps=config.training.env_steps,
        evaluated={own.train_seed for own in enough} >= set(config.all_seeds),
        seconds_per_step=last["seconds"] / last["env_step"] if last.get("env_step") else None,
        seconds_of_evaluation=max((own.seconds for own in enough), default=None),
    )


def _last_line(path: Path) -> dict[str, Any]:
    """Return the last whole line of a file of JSON lines, or nothing."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL))
        *lines, _ = file.read().split(b"\n")  # what follows the last newline was cut short
    try:
        return json.loads(lines[-1]) if lines else {}
    except ValueError:  # damaged: training will name it
        return {}


def seconds_left(runs: Mapping[str, Status]) -> float | None:
    """Return how long the rest takes, or None where nothing was measured yet.

    Rates are those of trained runs or, where there is none, of begun ones. Evaluations count as long as
    one was measured.
    """
    measured = [own for own in runs.values() if own.seconds_per_step is not None]
    rates = [own.seconds_per_step for own in (list(filter(_trained, measured)) or measured)]
    lengths = [own.seconds_of_evaluation for own in runs.values()]
    played = [seconds for seconds in lengths if seconds is not None]
    steps = sum(max(0, own.env_steps - own.env_step) for own in runs.values())
    if steps and not rates:
        return None
    training = steps * statistics.fmean(rate for rate in rates if rate is not None) if steps else 0.0
    evaluations = sum(not own.evaluated for own in runs.values())
    return training + (evaluations * statistics.fmean(played) if played else 0.0)


def _trained(own: Status) -> bool:
    return own.trained


def describe_status(own: Status) -> str:
    """Return how far a run is, in words."""
    if own.done:
        return "done"
    if own.trained:
        return "trained, not evaluated"
    if own.env_step:
        return f"at step {own.env_step:,} of {own.env_steps:,}"
    return "not begun"
