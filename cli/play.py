"""`hieros-eqx play`: one episode of a trained agent as a video or in the terminal, with all subgoals."""

import math
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hieros_eqx.errors import ConfigError

from .main import INTERRUPTED
from .resolve import see_working_directory
from .runs import checkpoint_option, policy_option, require_run, seed_option, train_seed_option

if TYPE_CHECKING:  # know JAX, which --help need not import
    from rich.console import Console

    from hieros_eqx.envs import VectorEnv
    from hieros_eqx.training import Agent

MOST_STEPS = 2000
PICTURES_FPS, NUMBERS_FPS = 15.0, 5.0  # in the terminal
FOR_VIDEOS = ("imageio_ffmpeg", "matplotlib", "PIL")


@click.command("play")
@click.argument("run", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE.mp4",
    help="The video; a file that is there is replaced.",
)
@click.option("--terminal", is_flag=True, help="Play in the terminal, in 24-bit colour, instead.")
@checkpoint_option
@train_seed_option("the first")
@seed_option("environment")
@policy_option
@click.option(
    "--max-steps",
    type=click.IntRange(min=1),
    default=MOST_STEPS,
    show_default=True,
    metavar="N",
    help="Where a longer episode is cut short.",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    metavar="RATE",
    help="Steps shown in a second. Default: 15; fewer for short videos, or numbers in a terminal.",
)
def command(
    run: str,
    out: str | None,
    terminal: bool,
    checkpoint: "int | Literal['best'] | None",
    train_seed: int | None,
    seed: int,
    policy: Literal["sample", "mode"] | None,
    max_steps: int,
    fps: float | None,
) -> int:
    """Play one episode with the agent of a RUN directory and show it: a video, or the terminal.

    It shows what the worker sees and does, what every level above wants it to see (the subgoal, decoded),
    and the rewards and values of all levels.
    """
    if fps is not None and not math.isfinite(fps):
        raise ConfigError(f"--fps {fps}: wanted a number above 0.")
    if (out is None) != terminal:
        raise click.UsageError("wanted one of --out FILE.mp4 and --terminal.")
    console = terminal_console() if out is None else None
    if out is not None:
        check_target(Path(out))
    directory = require_run(run)
    see_working_directory()
    import hieros_eqx
    from hieros_eqx.training import enable_compilation_cache
    from hieros_eqx.training.environment import open_env
    from hieros_eqx.training.run_dir import read_config

    if train_seed is None:
        train_seed = read_config(directory).all_seeds[0]
    agent = hieros_eqx.load(directory, checkpoint, seed=train_seed)
    enable_compilation_cache()
    environment = open_env(agent.config, None, num_envs=1, seed=seed, training=False)
    options: dict[str, Any] = {
        "seed": seed,
        "max_steps": max_steps,
        "greedy": None if policy is None else policy == "mode",
        "fps": fps,
    }
    click.echo(f"playing {title_of(agent)}; the first step compiles, which can take a minute", err=True)
    try:
        if console is not None:
            return play_in_terminal(agent, environment, console, **options)
        assert out is not None
        return play_to_file(agent, environment, out, **options)
    finally:
        environment.close()


def play_to_file(
    agent: "Agent",
    environment: "VectorEnv",
    out: str,
    *,
    seed: int,
    max_steps: int,
    greedy: bool | None,
    fps: float | None,
) -> int:
    """Play, write the video, and return the exit code."""
    from hieros_eqx.backend import random
    from hieros_eqx.report.watch.episode_video import default_fps, write_episode
    from hieros_eqx.report.watch.subgoals import watch

    episode = watch(agent, environment, random.key(seed, "jax"), max_steps, greedy=greedy)
    click.echo(told(len(episode.reward) - 1, float(episode.reward.sum()), complete=episode.complete))
    rate = default_fps(len(episode.reward)) if fps is None else fps
    video = write_episode(episode, out, title=title_of(agent), fps=rate)
    click.echo(f"written to {out} ({len(video) / 1e6:.2f} MB)", err=True)
    return 0


def play_in_terminal(
    agent: "Agent",
    environment: "VectorEnv",
    console: "Console",
    *,
    seed: int,
    max_steps: int,
    greedy: bool | None,
    fps: float | None,
) -> int:
    """Play before the user's eyes, and return the exit code; Ctrl-C ends it at once."""
    from hieros_eqx.backend import random
    from hieros_eqx.report.watch.subgoals import decode_codes, watch_steps
    from hieros_eqx.report.watch.terminal import show_steps

    if fps is None:
        fps = PICTURES_FPS if agent.spaces.observation.kind == "image" else NUMBERS_FPS
    steps = watch_steps(agent, environment, random.key(seed, "jax"), max_steps, greedy=greedy)
    count, total, complete, code = -1, 0.0, False, 0
    try:
        decode = partial(decode_codes, agent.params)
        with closing(show_steps(steps, console, decode=decode, title=title_of(agent), fps=fps)) as shown:
            for step in shown:
                count, total, complete = count + 1, total + float(step.reward), bool(step.is_last)
    except KeyboardInterrupt:
        code = INTERRUPTED
    click.echo(told(max(count, 0), total, complete=complete))
    return code


def told(steps: int, total: float, *, complete: bool) -> str:
    """Return how an episode went, in one line."""
    return f"{steps} step{'' if steps == 1 else 's'}, return {total:g}" + (
        "" if complete else ", not played to its end"
    )


def title_of(agent: "Agent") -> str:
    """Return what is played, for people."""
    return agent.config.env.game or agent.config.env.id or "environment"


def terminal_console() -> "Console":
    """Return the terminal; `click.UsageError` where there is none."""
    from rich.console import Console

    console = Console(color_system="truecolor")  # many terminals have it and do not say so
    if not console.is_terminal or console.is_dumb_terminal:
        raise click.UsageError("--terminal wants a terminal with colours: use --out FILE.mp4 instead.")
    return console


def check_target(out: Path) -> None:
    """Raise what would be wrong with a video after an episode has been played, before."""
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"--out {str(out)!r}: wanted a file that ends in .mp4.")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {str(out)!r}: wanted a file in a directory that exists.")
    for name in FOR_VIDEOS:
        import_module(name)
