"""From options, environment variables, a file and a preset to one configuration, in that order of weight."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hieros_eqx.config import HierosConfig, from_dict, make_preset, override
from hieros_eqx.config.schema import migrate
from hieros_eqx.config.strict_json import parse_json
from hieros_eqx.config.validation import reject
from hieros_eqx.errors import ConfigError

from .options import AUTO, CONFIG_OPTIONS
from .seeds import format_seeds
from .timing import expected_time

_FIELDS = {  # option -> path of its field
    "levels": ("levels",),
    "env_steps": ("training", "env_steps"),
    "seed": ("training", "seed"),
    "env_backend": ("env", "backend"),
}
_LAYERS = (ParameterSource.ENVIRONMENT, ParameterSource.COMMANDLINE)  # weakest first


def given(ctx: click.Context, layer: ParameterSource | None = None) -> dict[str, Any]:
    """Return the config options that were given, all or those of one layer."""
    layers = _LAYERS if layer is None else (layer,)
    return {name: ctx.params[name] for name in CONFIG_OPTIONS if ctx.get_parameter_source(name) in layers}


def resolve(ctx: click.Context, *, needs_environment: bool = False) -> HierosConfig:
    """Return the configuration that a command's options ask for; says on stderr what `auto` chose."""
    options = given(ctx)
    tree = read_file(Path(options["config"])) if "config" in options else {}
    wanted = options.get("preset", tree.pop("preset", AUTO))
    if not isinstance(wanted, str):
        raise reject("preset", wanted, "a text")
    name, platform, found = automatic_preset() if wanted == AUTO else (wanted, "", "")
    config = from_dict(tree, base=make_preset(name))
    for layer in _LAYERS:
        config = _apply(config, given(ctx, layer))
    config = _canonical(config)
    if needs_environment:
        _require_environment(config)
        require_training(config)
    if wanted == AUTO:
        time = expected_time(name, platform, config.training.env_steps, len(config.all_seeds))
        click.echo(f"preset auto: {name} ({found}); {time}", err=True)
    return config


def automatic_preset() -> tuple[str, str, str]:
    """Return the preset that fits this machine, the platform, and what was found, in words."""
    import jax

    try:
        platform, kind = jax.default_backend(), jax.devices()[0].device_kind
    except RuntimeError as error:
        raise ConfigError(
            f"--preset auto: JAX finds no device ({error}); `hieros-eqx doctor` shows more."
        ) from None
    if platform == "cpu":
        return "laptop", platform, "no accelerator found"
    return "atari100k", platform, f"found {kind}"


def read_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in a configuration file, or raise `ConfigError`."""
    try:
        tree = parse_json(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: wanted a JSON object of fields, got {type(tree).__name__}.")
    return migrate(tree)


def see_working_directory() -> None:
    """Let `--env module:factory` find modules in the working directory, after all that is installed."""
    directory = os.getcwd()
    if directory not in sys.path:
        sys.path.append(directory)


def _canonical(config: HierosConfig) -> HierosConfig:
    if config.env.game is None:
        return config
    from hieros_eqx.envs.names import canonical_game

    return replace(config, env=replace(config.env, game=canonical_game(config.env.game)))


def _require_environment(config: HierosConfig) -> None:
    if config.env.game is None and config.env.id is None:
        raise ConfigError(
            "no environment: give --game NAME (an Atari game, as in --game PrivateEye) "
            "or --env ID (any other: an id, or module:factory)."
        )


def require_training(config: HierosConfig) -> None:
    """Refuse a run that ends before its first update, and say which upper levels will not be trained."""
    for level in range(config.levels):
        period = config.train_period(level)
        first = -(-config.train_start(level) // period) * period
        if first <= config.training.env_steps:
            continue
        if level == 0:
            raise reject(
                "training.env_steps",
                config.training.env_steps,
                f">= {first}, so that the agent is trained at all",
                "Take more steps, or a smaller training.sequence, batch or train_every, or env.num_envs.",
            )
        click.echo(
            f"note: level {level} is not trained, it would begin at step {first:,} of "
            f"{config.training.env_steps:,}; take more --env-steps or --levels {level}",
            err=True,
        )
        return


def _apply(config: HierosConfig, options: dict[str, Any]) -> HierosConfig:
    if "game" in options and "env" in options:
        raise ConfigError(f"--game {options['game']} and --env {options['env']}: give one of both.")
    if "seed" in options and "seeds" in options:
        seeds = format_seeds(options["seeds"])
        raise ConfigError(f"--seed {options['seed']} and --seeds {seeds}: give one of both.")
    tree: dict[str, Any] = {}
    for name, path in _FIELDS.items():
        if name in options:
            node = tree
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = options[name]
    if "seed" in options:
        tree.setdefault("training", {}).update(seeds=())
    if "seeds" in options:
        tree.setdefault("training", {}).update(seeds=options["seeds"])
    if "game" in options:
        tree.setdefault("env", {}).update(game=options["game"], id=None)
    if "env" in options:
        tree.setdefault("env", {}).update(game=None, id=options["env"])
    config = from_dict(tree, base=config)
    assignments = options.get("set", ())
    if any(a.partition("=")[0].strip() == "preset" for a in assignments):
        raise ConfigError("--set preset=...: choose the preset with --preset NAME.")
    return override(config, assignments)
