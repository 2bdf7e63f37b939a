"""`hieros-eqx eval`: play episodes with a trained agent and write the result beside the run."""

import json
import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hieros_eqx.config import HierosConfig
from hieros_eqx.config.validation import show
from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.scores import human_normalised

from .resolve import see_working_directory

if TYPE_CHECKING:
    from hieros_eqx.training import EvaluationResult


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
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="Seed of environments and noise.",
)
@click.option(
    "--train-seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of a run of several seeds, the agent of this one. Default: all.",
)
@click.option(
    "--checkpoint",
    type=Checkpoint(),
    default="newest",
    show_default=True,
    metavar="WHICH",
    help="Checkpoint to play: newest, best (of the latest returns while training), or its step.",
)
def command(
    run: str,
    episodes: int,
    backend: Literal["jax", "numpy"],
    seed: int,
    train_seed: int | None,
    checkpoint: "int | Literal['best'] | None",
) -> None:
    """Play episodes with the agent, or agents, of a RUN directory."""
    directory = Path(run)
    if not (directory / "config.json").exists():
        raise CheckpointError(
            f"{run}: wanted a run directory with config.json; `hieros-eqx train` writes one."
        )
    see_working_directory()
    import hieros_eqx

    if train_seed is None:
        agents = hieros_eqx.load_all(directory, checkpoint)
    else:
        agents = {train_seed: hieros_eqx.load(directory, checkpoint, seed=train_seed)}
    results = hieros_eqx.evaluate_seeds(agents, None, episodes, backend=backend, seed=seed)
    config = next(iter(agents.values())).config
    record = join(config, results) if len(results) > 1 else summary(config, results.popitem()[1])
    record |= {"backend": backend, "seed": seed} | ({} if train_seed is None else {"train_seed": train_seed})
    chosen = "" if train_seed is None else f"-train-seed{train_seed}"
    if checkpoint is not None:
        record |= {"checkpoint": checkpoint}
        chosen += f"-{checkpoint}"
    path = free_path(directory, f"eval{chosen}-seed{seed}-{backend}")
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for line in describe(record):
        click.echo(line)
    click.echo(f"written to {path}", err=True)


def summary(config: HierosConfig, result: "EvaluationResult") -> dict[str, Any]:
    """Return the JSON record of an evaluation of one agent."""
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


def join(config: HierosConfig, results: "Mapping[int, EvaluationResult]") -> dict[str, Any]:
    """Return the JSON record of an evaluation of several seeds, with the mean of their mean returns."""
    game, means = config.env.game, [result.mean for result in results.values()]
    mean = statistics.fmean(means)
    return {
        "env": game or config.env.id,
        "episodes": len(next(iter(results.values())).returns),
        "mean": mean,
        "std": statistics.pstdev(means),
        "human_normalised": None if game is None else human_normalised(game, mean),
        "seeds": {str(seed): summary(config, result) for seed, result in results.items()},
    }


def describe(record: dict[str, Any]) -> list[str]:
    """Return an evaluation in one line; of several seeds, in one for each and one for their mean."""
    seeds = record.get("seeds")
    if seeds is None:
        played = f"{record['episodes']} episodes: mean {record['mean']:g}, median {record['median']:g}"
        return [played + _human(record)]
    lines = [f"seed {seed}: {line}" for seed, own in seeds.items() for line in describe(own)]
    return [*lines, f"mean over {len(seeds)} seeds: {record['mean']:g}{_human(record)}"]


def _human(record: dict[str, Any]) -> str:
    if record["human_normalised"] is None:
        return ""
    return f", human-normalised mean {record['human_normalised']:.3f} (0: random, 1: human)"


def free_path(directory: Path, stem: str) -> Path:
    """Return a path of a JSON file that does not exist yet."""
    count = 1
    while (path := directory / f"{stem}{'' if count == 1 else f'-{count}'}.json").exists():
        count += 1
    return path
