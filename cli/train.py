"""`hieros-eqx train`: train an agent, or continue the run in a directory."""

import re
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from hieros_eqx.config import HierosConfig, from_dict

from .options import config_options
from .resolve import given, read_file, resolve, see_working_directory
from .seeds import format_seeds

LONGEST_SEEDS = 40  # characters in the name of a run directory


@click.command("train")
@config_options
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where everything is written; a run that is there is continued. Default: a new one under runs/.",
)
@click.pass_context
def command(ctx: click.Context, run_dir: str | None, **_: object) -> None:
    """Train an agent on --game or --env; Ctrl-C saves and ends.

    With --run-dir alone, the run in that directory is continued with its own configuration.
    """
    from hieros_eqx.backend.allocator import keep_freed_memory  # knows JAX, which --help need not import

    keep_freed_memory()
    config = stored_config(run_dir) if run_dir and not given(ctx) else None
    if config is None:
        config = resolve(ctx, needs_environment=True)
    directory = Path(run_dir) if run_dir else new_run_dir(config, datetime.now())
    see_working_directory()
    import hieros_eqx

    command_line = shlex.join([ctx.find_root().info_name or "hieros-eqx", *sys.argv[1:]])
    result = hieros_eqx.train(config, run_dir=directory, command=command_line)
    quoted = shlex.quote(str(directory))
    if result.interrupted:
        click.echo(f"continue: hieros-eqx train --run-dir {quoted}", err=True)
    click.echo(f"play the result: hieros-eqx eval {quoted}", err=True)


def stored_config(run_dir: str) -> HierosConfig | None:
    """Return the configuration of the run in a directory, or None if there is none."""
    path = Path(run_dir) / "config.json"
    return from_dict(read_file(path)) if path.exists() else None


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
