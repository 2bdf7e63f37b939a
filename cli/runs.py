"""What the commands that take a RUN share: its directory, and which agent of it plays how."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hieros_eqx.config.validation import show
from hieros_eqx.errors import CheckpointError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Checkpoint(click.ParamType):
    """`newest` (None), `best`, or a step."""

    name = "checkpoint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None, "best" or the step."""
        if value in (None, "best") or isinstance(value, int):
            return value
        if value == "newest":
            return None
        if re.fullmatch("[0-9]{1,20}", value) is None:
            self.fail(f"{show(value)} is not newest, best or an environment step.", param, ctx)
        return int(value)


checkpoint_option = click.option(
    "--checkpoint",
    type=Checkpoint(),
    default="newest",
    show_default=True,
    metavar="WHICH",
    help="Checkpoint to play: newest, best (of the latest returns while training), or its step.",
)
policy_option = click.option(
    "--policy",
    type=click.Choice(("sample", "mode")),
    help="Draw actions, or take the likeliest. Default: the run's behaviour.evaluation_policy.",
)


def train_seed_option(default: str) -> Decorator:
    """Return the option for the agent of one seed; `default` says in words who plays without it."""
    return click.option(
        "--train-seed",
        type=click.IntRange(min=0),
        metavar="N",
        help=f"Of a run of several seeds, the agent of this one. Default: {default}.",
    )


def seed_option(of: str) -> Decorator:
    """Return the option for the seed of what is played; `of` says of what."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="S",
        help=f"Seed of {of} and noise.",
    )


def require_run(run: str) -> Path:
    """Return a run's directory, or raise `CheckpointError` if there is no configuration in it."""
    directory = Path(run)
    if not (directory / "config.json").exists():
        raise CheckpointError(
            f"{run}: wanted a run directory with config.json; `hieros-eqx train` writes one."
        )
    return directory
