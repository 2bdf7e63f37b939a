"""The options that decide a configuration, shared by `train` and `config`."""

from collections.abc import Callable
from typing import Any

import click

from hieros_eqx.config import PRESETS

from .seeds import SeedList

AUTO = "auto"
BACKENDS = ("auto", "envpool", "ale", "gymnasium")

_OPTIONS = (  # in the order of `CONFIG_OPTIONS`
    click.option("--game", metavar="NAME", help="Atari game, in any usual spelling; see `hieros-eqx games`."),
    click.option("--env", metavar="ID", help="Any other environment: an id, or module:factory."),
    click.option(
        "--preset",
        type=click.Choice((AUTO, *PRESETS)),
        show_default=AUTO,
        help="Where to start from. auto: atari100k where an accelerator is found, laptop on a CPU.",
    ),
    click.option("--levels", type=int, metavar="N", help="Levels of the hierarchy; 1 turns it off."),
    click.option("--env-steps", type=int, metavar="N", help="Environment steps of the whole run."),
    click.option("--seed", type=int, metavar="S", help="Seed of everything random."),
    click.option(
        "--seeds",
        type=SeedList(),
        metavar="LIST",
        help="Several seeds trained side by side as one program: 0,1,2,3 or 0-3 or 0-2,7.",
    ),
    click.option("--env-backend", type=click.Choice(BACKENDS), help="Library that steps the environment."),
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE.json",
        help="Configuration file: any part of what `hieros-eqx config` prints.",
    ),
    click.option(
        "--set",
        multiple=True,
        metavar="PATH=VALUE",
        help="Set one field, as in world_model.s5.num_blocks=2; may be repeated.",
    ),
)
CONFIG_OPTIONS = (  # in the order of `CONFIG_OPTIONS`
    "game",
    "env",
    "preset",
    "levels",
    "env_steps",
    "seed",
    "seeds",
    "env_backend",
    "config",
    "set",
)


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that decide a configuration to a command."""
    return config_options_but()(function)


def config_options_but(*left_out: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds the options that decide a configuration to a command, but some."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, option in reversed(list(zip(CONFIG_OPTIONS, _OPTIONS, strict=True))):
            if name not in left_out:
                function = option(function)
        return function

    return add
