"""`hieros-eqx suite`: train and evaluate on many games, one after the other on this machine."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hieros_eqx.config import HierosConfig
from hieros_eqx.envs.names import ATARI100K_GAMES, SLIDES_GAMES, canonical_game
from hieros_eqx.errors import ConfigError, EnvError

from .options import CONFIG_OPTIONS, config_options_but
from .resolve import require_training, resolve
from .timing import duration

if TYPE_CHECKING:
    from hieros_eqx.report.suite_status import Status
    from hieros_eqx.training.suite import Failure, Job

SETS = {"slides": SLIDES_GAMES, "26": ATARI100K_GAMES}
SEEDS = (0, 1, 2, 3, 4)
OF_JOBS = (
    *(f"HIEROS_EQX_TRAIN_{name.upper()}" for name in (*CONFIG_OPTIONS, "run_dir", "from_checkpoint")),
    *(f"HIEROS_EQX_EVAL_{name}" for name in ("EPISODES", "POLICY", "SEED", "TRAIN_SEED", "CHECKPOINT")),
)
"""Variables that would make a job something else than its command says."""


class GameList(click.ParamType):
    """`slides`, `26`, or games with commas between them."""

    name = "games"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the games in the order in which they were named."""
        if not isinstance(value, str):
            return value
        if value.strip().lower() in SETS:
            return SETS[value.strip().lower()]
        try:
            games = tuple(canonical_game(name) for name in value.split(","))
        except EnvError as error:
            self.fail(f"{error} (or slides, or 26)", param, ctx)
        twice = sorted({game for game in games if games.count(game) > 1})
        if twice:
            self.fail(f"wanted every game once, got {', '.join(twice)} twice.", param, ctx)
        return games


@click.command("suite")
@click.option(
    "--games",
    type=GameList(),
    default="slides",
    show_default=True,
    metavar="GAMES",
    help="slides (the 25 of the published table), 26 (with UpNDown), or names: Pong,Krull.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder of the runs, one for each game; runs that are there are continued.",
)
@config_options_but("game", "env", "seed")
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Episodes in the evaluation of each seed.",
)
@click.option(
    "--dry-run",
    "--plan",
    "dry_run",
    is_flag=True,
    help="Print the commands that are left, those of a game in one line, and run none.",
)
@click.pass_context
def command(
    ctx: click.Context, games: tuple[str, ...], out: str, episodes: int, dry_run: bool, **_: object
) -> int:
    """Train and evaluate on many games; what is finished in --out is skipped, what is begun goes on.

    One game after the other, its seeds (default: 0-4) side by side. Ctrl-C saves and ends; the same command
    goes on. Exit codes: 0 all is done, 1 a job failed, 130 or 143 stopped by Ctrl-C or SIGTERM.
    """
    set_ = sorted(set(OF_JOBS) & set(os.environ))
    if set_:
        raise ConfigError(
            f"{', '.join(set_)}: would change what the jobs do; unset it, or use the options of `suite`."
        )
    config = resolve(ctx)
    if not (config.training.seeds or ctx.params["seeds"]):
        config = replace(config, training=replace(config.training, seeds=SEEDS))
    require_training(config)
    configs = {game: _of_game(config, game) for game in games}
    from hieros_eqx.report.suite_status import read_status
    from hieros_eqx.training.executor import SubprocessExecutor
    from hieros_eqx.training.run_dir import check
    from hieros_eqx.training.suite import plan, run_jobs

    jobs = plan(list(configs.values()), Path(out), episodes)
    for job in jobs:
        check(job.run_dir, configs[job.game])

    def status(game: str) -> "Status":
        return read_status(Path(out) / game, configs[game], episodes)

    def tell_progress() -> None:
        for line in progress({game: status(game) for game in games}, datetime.now()):
            click.echo(line, err=True)

    def tell_before(job: "Job") -> None:
        click.echo(f"run: {job.line}", err=True)

    def tell_after(job: "Job", failure: "Failure | None") -> None:
        if failure is not None:
            click.echo(f"failed: {describe_failure(failure)}; the other games go on", err=True)
        elif job.kind == "eval":
            tell_progress()

    tell_states({game: status(game) for game in games})
    if dry_run:
        for line in command_lines(jobs, {game: status(game) for game in games}):
            click.echo(line)
        return 0
    tell_progress()
    executor = SubprocessExecutor(program())
    outcome = run_jobs(jobs, executor, lambda job: status(job.game).finished(job), tell_before, tell_after)
    if outcome.stopped is not None:
        click.echo("stopped; the same command goes on", err=True)
        return outcome.stopped
    if outcome.failures:
        failed = ", ".join(failure.job.game for failure in outcome.failures)
        click.echo(f"failed: {failed}; the same command tries again", err=True)
        return 1
    click.echo(f"show the table: hieros-eqx scores {out}", err=True)
    return 0


def _of_game(config: HierosConfig, game: str) -> HierosConfig:
    return replace(config, env=replace(config.env, game=game, id=None))


def tell_states(runs: "Mapping[str, Status]") -> None:
    """Say of every game how far it is."""
    from hieros_eqx.report.suite_status import describe_status

    for game, own in runs.items():
        click.echo(f"{game:<16}{describe_status(own)}", err=True)


def progress(runs: "Mapping[str, Status]", now: datetime) -> list[str]:
    """Return what is done, what is left, and when it ends."""
    from hieros_eqx.report.suite_status import seconds_left

    left = [game for game, own in runs.items() if not own.done]
    line = f"{len(runs) - len(left)} of {len(runs)} games done"
    if not left:
        return [line]
    seconds = seconds_left(runs)
    if seconds is None:
        return [f"{line}, {len(left)} left; how long it takes is told when something was measured"]
    end = now + timedelta(seconds=seconds)
    return [f"{line}, {len(left)} left: about {duration(seconds)}, until {end:%a %d %b %H:%M}"]


def describe_failure(failure: "Failure") -> str:
    """Return which command failed, and how."""
    how = f"exit code {failure.code}"
    if failure.code == 0:
        how = "it ended well, and yet is not done"
    elif failure.code > 128:
        how = f"ended by signal {failure.code - 128}"
    return f"{failure.job.game}, {failure.job.kind} ({how}): {failure.job.line}"


def command_lines(jobs: "Sequence[Job]", runs: "Mapping[str, Status]") -> list[str]:
    """Return the commands that are left, those of a game joined to one line that any shell runs."""
    left = [job for job in jobs if not runs[job.game].finished(job)]
    return [" && ".join(job.line for job in left if job.game == game) for game in {j.game: 0 for j in left}]


def program() -> tuple[str, ...]:
    """Return what starts this program in another process."""
    beside = Path(sys.executable).with_name("hieros-eqx")
    if beside.exists():
        return (str(beside),)
    found = shutil.which("hieros-eqx")
    return (found,) if found else (sys.executable, "-c", "from hieros_eqx_cli.main import main; main()")
