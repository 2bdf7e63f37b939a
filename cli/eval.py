"""`hieros-eqx eval`: play episodes with a trained agent and write the result beside the run."""

import time
from pathlib import Path
from typing import Literal

import click

from .resolve import see_working_directory
from .runs import checkpoint_option, policy_option, require_run, seed_option, train_seed_option

NUM_ENVS = 8


@click.command("eval")
@click.argument("run", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Episodes of each seed; the Atari100k protocol takes 100.",
)
@policy_option
@click.option(
    "--backend",
    type=click.Choice(("jax", "numpy")),
    default="jax",
    show_default=True,
    help="Array library that the agent acts with; numpy needs no compiler.",
)
@seed_option("environments")
@click.option(
    "--num-envs",
    type=click.IntRange(min=1),
    default=NUM_ENVS,
    show_default=True,
    metavar="N",
    help="Environments side by side, of each seed; the result depends on their number.",
)
@train_seed_option("all")
@checkpoint_option
def command(
    run: str,
    episodes: int,
    policy: Literal["sample", "mode"] | None,
    backend: Literal["jax", "numpy"],
    seed: int,
    num_envs: int,
    train_seed: int | None,
    checkpoint: "int | Literal['best'] | None",
) -> None:
    """Play episodes with the agent, or agents, of a RUN directory.

    Prints mean return with its 95 % bootstrap interval, median, lengths and human-normalised score, and
    writes them with every episode to a new eval-*.json in RUN. Equal options give equal episodes.
    """
    directory = require_run(run)
    see_working_directory()
    import hieros_eqx
    from hieros_eqx.report.evaluation_record import describe, make_record
    from hieros_eqx.training.log import write_json

    if train_seed is None:
        agents = hieros_eqx.load_all(directory, checkpoint)
    else:
        agents = {train_seed: hieros_eqx.load(directory, checkpoint, seed=train_seed)}
    first = next(iter(agents.values()))
    _tell_unfinished(run, first.env_step, first.config.training.env_steps)
    chosen = first.config.behaviour.evaluation_policy if policy is None else policy
    num_envs = min(num_envs, episodes)
    begin = time.monotonic()
    results = hieros_eqx.evaluate_seeds(
        agents, None, episodes, backend=backend, greedy=chosen == "mode", seed=seed, num_envs=num_envs
    )
    record = make_record(
        first.config,
        results,
        env_step=first.env_step,
        policy=chosen,
        backend=backend,
        seed=seed,
        num_envs=num_envs,
        seconds=time.monotonic() - begin,
    )
    parts = (
        "eval",
        *(() if train_seed is None else (f"train-seed{train_seed}",)),
        *(() if checkpoint is None else (str(checkpoint),)),
        *(() if policy is None else (policy,)),
        f"seed{seed}",
        backend,
    )
    path = free_path(directory, "-".join(parts))
    write_json(path, record)
    for line in describe(record):
        click.echo(line)
    click.echo(f"written to {path}", err=True)


def _tell_unfinished(run: str, env_step: int | None, env_steps: int) -> None:
    if env_step is not None and env_step < env_steps:
        click.echo(
            f"note: {run} is played as it was after {env_step:,} of its {env_steps:,} environment steps",
            err=True,
        )


def free_path(directory: Path, stem: str) -> Path:
    """Return a path of a JSON file that does not exist yet."""
    count = 1
    while (path := directory / f"{stem}{'' if count == 1 else f'-{count}'}.json").exists():
        count += 1
    return path
