"""Does it learn? Train what is named, measure the trained agents, and leave a record.

    python benchmarks/learning.py --list
    python benchmarks/learning.py ladder                                  # every probe, one level, vectors
    python benchmarks/learning.py ladder.memory_60 --seeds 0 1 2
    python benchmarks/learning.py ladder.errands --levels 2 --variant subgoals_alone
    python benchmarks/learning.py tasks.catch
    python benchmarks/learning.py worlds.breakout --variant reset

Seeds are trained side by side in one program. Every case has a run directory of its own under `--out`, so
that an interrupted one goes on when called again, and one that is finished is measured anew without training.
Adds one line per case to `results/learning.jsonl`, and for a task draws its returns beside it.
"""

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ladder import LADDER, measure
from machine import RESULTS, write
from tasks import TASKS, play
from worlds import WORLDS, look, training

import hieros_eqx
from hieros_eqx.backend.allocator import keep_freed_memory
from hieros_eqx.config import HierosConfig
from hieros_eqx.modules import WORLD_MODELS
from hieros_eqx.report import figures
from hieros_eqx.training.log import read
from hieros_eqx.training.run_dir import RunDir

GROUPS: dict[str, Mapping[str, Any]] = {"ladder": LADDER, "tasks": TASKS, "worlds": WORLDS}


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    if chosen.list:
        for group, members in GROUPS.items():
            for name, member in members.items():
                print(f"{group + '.' + name:32s}{member.env_steps:8,d} steps  {member.ability}")
        return []
    keep_freed_memory()
    records = []
    for group, name in named(chosen.names):
        found = {"ladder": climb, "tasks": solve, "worlds": explore}[group](name, chosen)
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


def train(config: HierosConfig, env: Any, path: Path) -> hieros_eqx.TrainResult:
    """Train, or go on with, a run; end the program if it was interrupted."""
    result = hieros_eqx.train(config, env, path)
    if result.interrupted:
        sys.exit("interrupted: call again to go on")
    return result


def variant_of(member: Any, chosen: argparse.Namespace) -> tuple[str, ...]:
    """Return the fields of the variant that is asked for."""
    variants = dict(getattr(member, "variants", ()))
    if chosen.variant and chosen.variant not in variants:
        sys.exit(f"wanted a variant among {', '.join(variants) or 'none'}, got {chosen.variant!r}")
    return variants[chosen.variant] if chosen.variant else ()


def case_of(name: str, config: HierosConfig, chosen: argparse.Namespace, *more: str) -> str:
    """Return the name of one case, which is that of its run directory."""
    seeds = "seeds" + "_".join(str(seed) for seed in config.all_seeds)
    settings = [re.sub(r"\W+", "_", setting).strip("_") for setting in chosen.set]
    return "-".join([name, f"levels{config.levels}", config.world_model.kind, seeds, *more, *settings])


def solve(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train the agents of one task and let them play."""
    task = TASKS[name]
    config = task.config(chosen.seeds, [*changes_of(chosen), *chosen.set])
    case = case_of(name, config, chosen)
    path, begun = chosen.out / case, time.monotonic()
    result = train(config, task.factory, path)
    episodes = read(RunDir(path).episodes)
    returns = [line["return"] for line in episodes]
    threshold = task.above if task.least is None else task.least
    asked = None if threshold is None else float(threshold)
    figures.return_curves(episodes, chosen.results / f"learning_{case}.png", title=case, asked=asked)
    return {
        "experiment": f"tasks.{case}",
        "ability": task.ability,
        "env_steps": config.training.env_steps,
        **play(task, result.agents, returns),
        **seconds_of(path, begun),
    }


def seconds_of(path: Path, begun: float) -> dict[str, float]:
    trained = read(RunDir(path).metrics)[-1]["seconds"]
    return {"train_seconds": round(trained, 1), "seconds": round(time.monotonic() - begun, 1)}


def explore(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train agents on a game and ask their lowest world models for what they have not seen."""
    world = WORLDS[name]
    config = world.config(chosen.seeds, [*changes_of(chosen), *variant_of(world, chosen), *chosen.set])
    more = [chosen.variant] if chosen.variant else []
    case = case_of(name, config, chosen, *more)
    path, begun = chosen.out / case, time.monotonic()
    agents = train(config, None, path).agents
    lines = read(RunDir(path).metrics)
    return {
        "experiment": f"worlds.{case}",
        "ability": world.ability,
        "env_steps": config.training.env_steps,
        "training": {
            str(seed): training([line for line in lines if line["seed"] == seed]) for seed in agents
        },
        "measured": {str(seed): look(world, agent) for seed, agent in agents.items()},
        **seconds_of(path, begun),
    }


def climb(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train the agents of one rung and measure them."""
    rung = LADDER[name]
    if chosen.images and not rung.images:
        sys.exit(f"ladder.{name} has no pictures")
    config = rung.config(chosen.seeds, [*changes_of(chosen), *variant_of(rung, chosen), *chosen.set])
    env = partial(rung.make, images=True) if chosen.images else rung.make
    more = [chosen.variant] if chosen.variant else []
    case = case_of(name, config, chosen, "image" if chosen.images else "vector", *more)
    path, begun = chosen.out / case, time.monotonic()
    by_seed = {seed: measure(rung, agent, env) for seed, agent in train(config, env, path).agents.items()}
    return {
        "experiment": f"ladder.{case}",
        "ability": rung.ability,
        "env_steps": config.training.env_steps,
        "asked": {"least": dict(rung.least), "most": dict(rung.most)},
        "measured": {str(seed): own for seed, own in by_seed.items()},
        "met": sum(rung.met(own) for own in by_seed.values()),
        "seeds": len(by_seed),
        **seconds_of(path, begun),
    }


if __name__ == "__main__":
    main()
