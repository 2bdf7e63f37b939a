"""`hieros-eqx train`: train an agent, or continue the run in a directory."""

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import ConfigError

from .options import config_options
from .resolve import given, resolve, see_working_directory
from .seeds import format_seeds

if TYPE_CHECKING:  # knows JAX, which --help need not import
    from hieros_eqx.training import Pictures, Sink

LONGEST_SEEDS = 40  # characters in the name of a run directory
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"  # XLA's flag; nothing to do on other platforms


@click.command("train")
@config_options
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where everything is written; a run that is there is continued. Default: a new one under runs/.",
)
@click.option(
    "--from-checkpoint",
    type=click.Path(exists=True, file_okay=False),
    metavar="RUN",
    help="Begin a new run with the agent (or the agents, seed by seed) of this run directory.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Let a GPU compute the same bits every time, at some cost; CPUs do so anyway.",
)
@click.option(
    "--tensorboard/--no-tensorboard",
    default=True,
    show_default=True,
    help="Write event files for TensorBoard into the run's directory.",
)
@click.option(
    "--wandb", metavar="PROJECT", help="Log to this project of Weights & Biases, too (extra `wandb`)."
)
@click.pass_context
def command(
    ctx: click.Context,
    run_dir: str | None,
    from_checkpoint: str | None,
    deterministic: bool,
    tensorboard: bool,
    wandb: str | None,
    **_: object,
) -> int:
    """Train an agent on --game or --env; Ctrl-C or SIGTERM saves and ends, a second one ends at once.

    With --run-dir alone, the run in that directory is continued with its own configuration, exactly from
    its newest checkpoint. Exit codes: 0 finished, 2 a mistake in what was given, 130 or 143 stopped by
    Ctrl-C or SIGTERM (and saved), 1 anything else.
    """
    if deterministic:  # before JAX is imported
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    from hieros_eqx.backend.allocator import keep_freed_memory  # knows JAX, which --help need not import
    from hieros_eqx.backend.compiler import compile_quickly_for_gpu

    keep_freed_memory()
    compile_quickly_for_gpu()
    if run_dir is not None and not run_dir.strip():
        raise ConfigError(f"--run-dir {run_dir!r}: wanted the path of a directory.")
    config = stored_config(run_dir) if run_dir and not given(ctx) else None
    if config is None:
        config = resolve(ctx, needs_environment=True)
    directory = Path(run_dir) if run_dir else new_run_dir(config, datetime.now())
    sinks = _sinks(tensorboard, wandb)
    see_working_directory()
    import hieros_eqx

    command_line = shlex.join([ctx.find_root().info_name or "hieros-eqx", *sys.argv[1:]])
    with _plain_interrupts():
        result = hieros_eqx.train(
            config,
            run_dir=directory,
            from_checkpoint=from_checkpoint,
            command=command_line,
            sinks=sinks,
            pictures=_pictures() if sinks else None,
        )
    quoted = shlex.quote(str(directory))
    if result.interrupted:
        click.echo(f"continue: hieros-eqx train --run-dir {quoted}", err=True)
    click.echo(f"play the result: hieros-eqx eval {quoted}", err=True)
    return 128 + result.signal if result.signal is not None else 0


def _sinks(tensorboard: bool, wandb: str | None) -> "list[Sink]":
    """Return the loggers that were asked for."""
    from hieros_eqx.training import TensorBoard, WeightsAndBiases

    chosen: list[Sink] = [TensorBoard()] if tensorboard else []
    return chosen if wandb is None else [*chosen, WeightsAndBiases(wandb)]


def _pictures() -> "Pictures | None":
    """Return what draws for them; None without the extra that writes pictures, which is said."""
    if find_spec("imageio") is None:
        click.echo("no pictures for TensorBoard: they need pip install 'hieros-eqx[report]'", err=True)
        return None
    from hieros_eqx.report.watch.training_pictures import training_pictures

    return training_pictures


@contextmanager
def _plain_interrupts() -> Iterator[None]:
    """Let Ctrl-C end the process as SIGTERM does, where training does not take it as a wish to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def stored_config(run_dir: str) -> HierosConfig | None:
    """Return the configuration of the run in a directory, or None if there is none."""
    path = Path(run_dir)
    if not (path / "config.json").exists():
        return None
    from hieros_eqx.training.run_dir import read_config

    return read_config(path)


def new_run_dir(config: HierosConfig, now: datetime, root: Path = Path("runs")) -> Path:
    """Return a directory that does not exist yet, named after environment, preset, seeds and time."""
    env = re.sub(r"[^A-Za-z0-9]+", "-", config.env.game or config.env.id or "env").strip("-")
    name = f"{env}-{config.preset}-{_name_seeds(config.all_seeds)}-{now:%Y%m%d-%H%M%S}"
    taken = 1
    while (directory := root / (name if taken == 1 else f"{name}-{taken}")).exists():
        taken += 1
    return directory


def _name_seeds(seeds: Sequence[int]) -> str:
    """Return `seed3`, `seeds0-3`, `seeds0-2_7`, or only how many where that would be long."""
    listed = format_seeds(seeds).replace(",", "_")
    if len(listed) > LONGEST_SEEDS:
        return f"{len(seeds)}seeds"
    return f"seed{'s' if len(seeds) > 1 else ''}{listed}"
