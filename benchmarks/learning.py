"""Does it learn? Train what is named, measure the trained agents, and leave a record.

    python benchmarks/learning.py --list
    python benchmarks/learning.py ladder                                  # every probe, one level, vectors
    python benchmarks/learning.py ladder.memory_60 --seeds 0 1 2
    python benchmarks/learning.py ladder.errands --levels 2 --variant subgoals_alone
    python benchmarks/learning.py tasks.catch
    python benchmarks/learning.py tasks.boxing --apart                    # a run for every seed
    python benchmarks/learning.py worlds.breakout --variant reset

Seeds are trained side by side in one program, or `--apart`, one after another. Every case (apart: every seed
of it) has a run directory of its own under `--out`, so that an interrupted one goes on when called again, and
one that is finished is measured anew without training. Adds one line per case to `results/learning.jsonl`,
and draws beside it what there is to see: returns of training, values against what they should be, or the
errors and pictures of what a world model foresees.
"""

import argparse
import hashlib
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ladder import LADDER, play_probe, values
from machine import RESULTS, prepare, write
from tasks import TASKS, play
from worlds import WORLDS, look, training

import hieros_eqx
from hieros_eqx.config import HierosConfig, override
from hieros_eqx.modules import WORLD_MODELS
from hieros_eqx.report import figures
from hieros_eqx.report.recording import Recording
from hieros_eqx.report.run_summary import by_seed
from hieros_eqx.training.agents import Agent
from hieros_eqx.training.log import read
from hieros_eqx.training.run_dir import RunDir

GROUPS: dict[str, Mapping[str, Any]] = {"ladder": LADDER, "tasks": TASKS, "worlds": WORLDS}
LONGEST_CASE = 200  # characters; a name on disk may have 255


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    if chosen.list:
        for group, members in GROUPS.items():
            for name, member in members.items():
                print(f"{group + '.' + name:32s}{member.env_steps:8,d} steps  {member.ability}")
        return []
    prepare()
    records = []
    for group, name in named(chosen.names):
        begun = time.monotonic()
        found = {"ladder": climb, "tasks": solve, "worlds": explore}[group](name, chosen)
        found["seconds"] = round(time.monotonic() - begun, 1)
        print(found, flush=True)
        records.append(write("learning", chosen, arguments, found))
    return records


def named(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return group and name of all that is asked for."""
    found = []
    for name in names:
        group, _, own = name.partition(".")
        if group not in GROUPS or (own and own not in GROUPS[group]):
            sys.exit(
                f"wanted {' or '.join(GROUPS)}, alone or as in ladder.discounting, got {name!r}: see --list"
            )
        found += [(group, each) for each in ([own] if own else GROUPS[group])]
    return found


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=["ladder"])
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--apart", action="store_true", help="one seed after another, a run for each")
    parser.add_argument("--levels", type=int, default=None, help="default: 1, of Atari 3")
    parser.add_argument("--kind", choices=sorted(WORLD_MODELS), default="s5wm", help="world model")
    parser.add_argument("--images", action="store_true", help="pictures instead of vectors")
    parser.add_argument("--variant", help="one of the rung's own")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one field")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"), help="run directories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    chosen = parser.parse_args(arguments)
    chosen.preset = "laptop"
    return chosen


def changes_of(chosen: argparse.Namespace) -> list[str]:
    levels = [] if chosen.levels is None else [f"levels={chosen.levels}"]
    return [*levels, f"world_model.kind={chosen.kind}"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The agents of one case, by seed, and what their runs wrote."""

    case: str
    agents: Mapping[int, Agent]
    metrics: list[dict[str, Any]]
    episodes: list[dict[str, Any]]
    record: dict[str, Any]
    """What every experiment tells of itself."""


def train(group: str, name: str, chosen: argparse.Namespace, env: Any, *more: str) -> Trained:
    """Train, or go on with, the seeds of one case; end the program if that was interrupted."""
    member = GROUPS[group][name]
    changes = [*changes_of(chosen), *variant_of(member, chosen), *chosen.set]
    more = (*more, chosen.variant) if chosen.variant else more
    whole = member.config(chosen.seeds, changes)
    agents: dict[int, Agent] = {}
    metrics, episodes, seconds = [], [], 0.0
    for seeds in [[seed] for seed in whole.all_seeds] if chosen.apart else [whole.all_seeds]:
        config = override(whole, [f"training.seeds={list(seeds)}"])
        run = RunDir(chosen.out / case_of(name, config, chosen, *more))
        result = hieros_eqx.train(config, env, run.path)
        if result.interrupted:
            sys.exit("interrupted: call again to go on")
        agents |= result.agents
        metrics += read(run.metrics)
        episodes += read(run.episodes)
        seconds += metrics[-1]["seconds"]
    case = case_of(name, whole, chosen, *more)
    return Trained(
        case=case,
        agents=agents,
        metrics=metrics,
        episodes=episodes,
        record={
            "experiment": f"{group}.{case}",
            "ability": member.ability,
            "env_steps": whole.training.env_steps,
            "train_seconds": round(seconds, 1),
        },
    )


def variant_of(member: Any, chosen: argparse.Namespace) -> tuple[str, ...]:
    """Return the fields of the variant that is asked for."""
    variants = dict(getattr(member, "variants", ()))
    if chosen.variant and chosen.variant not in variants:
        sys.exit(f"wanted a variant among {', '.join(variants) or 'none'}, got {chosen.variant!r}")
    return variants[chosen.variant] if chosen.variant else ()


def case_of(name: str, config: HierosConfig, chosen: argparse.Namespace, *more: str) -> str:
    """Return the name of one case, which is that of its run directory; of a long one, part and a digest."""
    seeds = "seeds" + "_".join(str(seed) for seed in config.all_seeds)
    settings = [re.sub(r"\W+", "_", setting).strip("_") for setting in chosen.set]
    case = "-".join([name, f"levels{config.levels}", config.world_model.kind, seeds, *more, *settings])
    if len(case) <= LONGEST_CASE:
        return case
    digest = hashlib.sha256(case.encode()).hexdigest()[:8]
    return f"{case[: LONGEST_CASE - len(digest) - 1]}-{digest}"


def solve(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train the agents of one task and let them play."""
    task = TASKS[name]
    trained = train("tasks", name, chosen, task.factory)
    draw_returns(trained, chosen, task.above if task.least is None else task.least)
    return trained.record | play(task, trained.agents, trained.episodes)


def draw_returns(trained: Trained, chosen: argparse.Namespace, asked: float | None) -> None:
    """Draw the returns of training, if any episode was finished."""
    if trained.episodes:
        path = figure_of(trained, chosen)
        asked = None if asked is None else float(asked)
        figures.return_curves(trained.episodes, path, title=trained.case, asked=asked)


def draw_values(
    trained: Trained,
    chosen: argparse.Namespace,
    played: Mapping[int, Sequence[Recording]],
    worth: Callable[[Recording, HierosConfig], np.ndarray],
) -> None:
    """Draw the values of the states of some episodes against what they are worth."""
    told = {seed: np.concatenate([values(episode) for episode in own]) for seed, own in played.items()}
    truth = {
        seed: np.concatenate([worth(episode, trained.agents[seed].config) for episode in own])
        for seed, own in played.items()
    }
    figures.values(told, truth, figure_of(trained, chosen), title=trained.case)


def figure_of(trained: Trained, chosen: argparse.Namespace, *more: str) -> Path:
    """Return where a figure of one case goes."""
    return chosen.results / ("_".join(["learning", trained.case, *filter(None, more)]) + ".png")


def explore(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train agents on a game and ask their lowest world models for what they have not seen."""
    world = WORLDS[name]
    trained = train("worlds", name, chosen, None)
    measured = {}
    for seed, agent in trained.agents.items():
        sight = look(world, agent)
        measured[str(seed)] = sight.measures
        figure = partial(figure_of, trained, chosen, f"seed{seed}" if len(trained.agents) > 1 else "")
        figures.open_loop_errors(sight.errors, figure("errors"), samples=world.samples)
        figures.open_loop_pictures(sight.shown, world.steps_shown, figure("pictures"))
    return trained.record | {
        "training": {str(seed): training(lines) for seed, lines in by_seed(trained.metrics).items()},
        "measured": measured,
    }


def climb(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train the agents of one rung and measure them."""
    rung = LADDER[name]
    if chosen.images and not rung.images:
        sys.exit(f"ladder.{name} has no pictures")
    env = partial(rung.make, images=True) if chosen.images else rung.make
    trained = train("ladder", name, chosen, env, "image" if chosen.images else "vector")
    played = {seed: play_probe(rung, agent, env) for seed, agent in trained.agents.items()}
    measured = {seed: rung.measure(own, trained.agents[seed].config) for seed, own in played.items()}
    if rung.worth is None:
        draw_returns(trained, chosen, dict(rung.least).get("return"))
    else:
        draw_values(trained, chosen, played, rung.worth)
    return trained.record | {
        "asked": {"least": dict(rung.least), "most": dict(rung.most)},
        "measured": {str(seed): own for seed, own in measured.items()},
        "met": sum(rung.met(own) for own in measured.values()),
        "seeds": len(measured),
    }


if __name__ == "__main__":
    main()
