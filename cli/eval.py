"""`hieros-eqx eval`: play episodes with a trained agent and write the result beside the run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.scores import human_normalised

from .resolve import see_working_directory

if TYPE_CHECKING:
    from hieros_eqx.training import EvaluationResult


@click.command("eval")
@click.argument("run", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Episodes; the Atari100k protocol takes 100.",
)
@click.option(
    "--backend",
    type=click.Choice(("jax", "numpy")),
    default="jax",
    show_default=True,
    help="Array library that the agent acts with; numpy needs no compiler.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
def command(run: str, episodes: int, backend: Literal["jax", "numpy"], seed: int) -> None:
    """Play episodes with the agent of a RUN directory."""
    directory = Path(run)
    if not (directory / "config.json").exists():
        raise CheckpointError(
            f"{run}: wanted a run directory with config.json; `hieros-eqx train` writes one."
        )
    see_working_directory()
    import hieros_eqx

    agent = hieros_eqx.load(directory)
    result = hieros_eqx.evaluate(agent, None, episodes, backend=backend, seed=seed)
    record = summary(agent.config, result) | {"backend": backend, "seed": seed}
    path = free_path(directory, f"eval-seed{seed}-{backend}")
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    click.echo(describe(record))
    click.echo(f"written to {path}", err=True)


def summary(config: HierosConfig, result: "EvaluationResult") -> dict[str, Any]:
    """Return the JSON record of an evaluation."""
    game = config.env.game
    return {
        "env": game or config.env.id,
        "episodes": len(result.returns),
        "mean": result.mean,
        "median": result.median,
        "std": result.std,
        "human_normalised": None if game is None else human_normalised(game, result.mean),
        "returns": [float(value) for value in result.returns],
        "lengths": [int(value) for value in result.lengths],
        "truncated": [bool(value) for value in result.truncated],
    }


def describe(record: dict[str, Any]) -> str:
    """Return an evaluation in one line."""
    text = f"{record['episodes']} episodes: mean {record['mean']:g}, median {record['median']:g}"
    if record["human_normalised"] is not None:
        text += f", human-normalised mean {record['human_normalised']:.3f} (0: random, 1: human)"
    return text


def free_path(directory: Path, stem: str) -> Path:
    """Return a path of a JSON file that does not exist yet."""
    count = 1
    while (path := directory / f"{stem}{'' if count == 1 else f'-{count}'}.json").exists():
        count += 1
    return path
