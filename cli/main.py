"""The command group, and how every error leaves it: one line on stderr and exit code 2."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from hieros_eqx.errors import HierosError

COMMANDS = {
    "train": "train an agent, or continue a run",
    "eval": "play episodes with a trained agent",
    "scores": "show runs beside the published scores of Atari100k",
    "report": "write a page about a run, with curves, videos and subgoals",
    "play": "play one episode as a video, or in the terminal, with all subgoals",
    "suite": "train and evaluate on many games: the Atari100k table",
    "config": "print the resolved configuration as JSON",
    "games": "list the games with random, human and published scores",
    "doctor": "show versions, devices, memory and environments, and what is missing",
}
EXTRAS = {  # import name -> what to install
    "jax": "hieros-eqx",
    "equinox": "hieros-eqx",
    "optax": "hieros-eqx",
    "orbax": "hieros-eqx",
    "envpool": "hieros-eqx",
    "rich": "hieros-eqx",
    "tensorboardX": "hieros-eqx",
    "ale_py": "hieros-eqx[ale]",
    "gymnasium": "hieros-eqx[ale]",
    "imageio_ffmpeg": "hieros-eqx[report]",
    "jinja2": "hieros-eqx[report]",
    "matplotlib": "hieros-eqx[report]",
    "PIL": "hieros-eqx[report]",
    "wandb": "hieros-eqx[wandb]",
}
USAGE_ERROR, INTERRUPTED = 2, 130


def fail(message: str, code: int = USAGE_ERROR) -> None:
    """Write one line `error: ...` on stderr and exit."""
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(code)


class HierosGroup(click.Group):
    """Imports a command only when it is asked for, and turns the user's errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order in which a reader meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f".{cmd_name}", __package__).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run; exit with 0, with 2 and one line on a user's error, with 130 when interrupted."""
        options["standalone_mode"] = False
        try:
            code = super().main(args, *rest, **options)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(USAGE_ERROR)
        except click.ClickException as error:
            fail(error.format_message())
        except HierosError as error:
            fail(" ".join([str(error), *getattr(error, "__notes__", [])]))
        except ModuleNotFoundError as error:
            package = EXTRAS.get((error.name or "").partition(".")[0])
            if package is None:
                raise
            fail(f"the package {error.name!r} is missing; install it with: pip install '{package}'")
        except (click.Abort, KeyboardInterrupt):
            fail("interrupted", INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # a reader such as `head` has left
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(1)
            if error.filename is None:
                raise
            fail(f"{error.filename}: {error.strerror}")
        else:
            sys.exit(code if isinstance(code, int) else 0)


def installed_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("hieros-eqx")
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(
    cls=HierosGroup,
    context_settings={"auto_envvar_prefix": "HIEROS_EQX", "help_option_names": ["-h", "--help"]},
)
@click.version_option(installed_version(), prog_name="hieros-eqx")
def main() -> None:
    """Hieros: hierarchical imagination on S5 world models, in JAX and Equinox.

    Every option can also be given as an environment variable HIEROS_EQX_<COMMAND>_<OPTION>. An option
    beats its variable, both beat --config FILE, and that beats the preset.
    """
