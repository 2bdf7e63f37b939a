"""The benchmark as jobs: what has to be run for a table, and running it one after the other.

A job is one plain command, so that any scheduler can run it. Every game takes two, in this order: `train`
with all seeds side by side, and `eval`. Both may be called again: `train` goes on where it was.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from hieros_eqx.config import HierosConfig, assignments, make_preset

PROGRAM = "hieros-eqx"
STOPPED = (130, 143)
"""Exit codes of a command that Ctrl-C or SIGTERM has ended."""


@dataclass(frozen=True)
class Job:
    """One command of the suite."""

    game: str
    kind: Literal["train", "eval"]
    run_dir: Path
    command: tuple[str, ...]
    """The program, then its arguments."""

    @property
    def line(self) -> str:
        """The command as it is typed in a shell."""
        return shlex.join(self.command)


@runtime_checkable
class Executor(Protocol):
    """Where and how a job is run: in a process of this machine, on a cluster, ..."""

    def run(self, job: Job) -> int:
        """Run a job to its end and return its exit code; one of `STOPPED` ends the suite."""
        ...


@dataclass(frozen=True)
class Failure:
    """A job that did not do what it should."""

    job: Job
    code: int
    """Its exit code; 0 if it ended well and yet is not done."""


@dataclass(frozen=True)
class Outcome:
    """What came of running jobs."""

    failures: tuple[Failure, ...]
    stopped: int | None
    """The exit code of the job that was stopped, and the suite with it."""


def plan(configs: Sequence[HierosConfig], out: Path, episodes: int) -> list[Job]:
    """Return the jobs of runs in `out`, one run for each configuration, which names a game.

    The commands hold all of a configuration that its preset does not, so they mean the same everywhere.
    """
    jobs = []
    for config in configs:
        game, run_dir = str(config.env.game), out / str(config.env.game)
        train = (PROGRAM, "train", "--game", game, *_options(config), "--run-dir", str(run_dir))
        evaluate = (PROGRAM, "eval", str(run_dir), "--episodes", str(episodes))
        jobs += [Job(game, "train", run_dir, train), Job(game, "eval", run_dir, evaluate)]
    return jobs


def _options(config: HierosConfig) -> list[str]:
    named = ["env.game=", "env.id=", "training.seeds="]
    if len(config.all_seeds) == 1:
        named.append("training.seed=")
    changes = assignments(make_preset(config.preset), config)
    changes = [change for change in changes if not change.startswith(tuple(named))]
    seeds = ",".join(map(str, config.all_seeds))
    return ["--preset", config.preset, "--seeds", seeds, *(x for own in changes for x in ("--set", own))]


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    is_done: Callable[[Job], bool],
    before: Callable[[Job], None] = lambda _: None,
    after: Callable[[Job, Failure | None], None] = lambda _, __: None,
) -> Outcome:
    """Run the jobs that are not done, in order, and return what came of them.

    A job that fails does not stop the others, but those of the same run that come after it are left.
    `before` and `after` are told of every job that is run.
    """
    failures: dict[Path, Failure] = {}
    for job in jobs:
        if job.run_dir in failures or is_done(job):
            continue
        before(job)
        code = executor.run(job)
        if code in STOPPED:
            return Outcome(tuple(failures.values()), code)
        failure = None if code == 0 and is_done(job) else Failure(job, code)
        if failure is not None:
            failures[job.run_dir] = failure
        after(job, failure)
    return Outcome(tuple(failures.values()), None)
