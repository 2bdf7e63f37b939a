"""Does it learn? Train what is named, measure the trained agents, and leave a record.

    python benchmarks/learning.py --list
    python benchmarks/learning.py ladder                                  # every probe, one level, vectors
    python benchmarks/learning.py ladder.memory_60 --seeds 0 1 2
    python benchmarks/learning.py ladder.errands --levels 2 --variant subgoals_alone

Seeds are trained side by side in one program. Every case has a run directory of its own under `--out`, so
that an interrupted one goes on when called again, and one that is finished is measured anew without training.
Adds one line per case to `results/learning.jsonl`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ladder import LADDER, measure
from machine import RESULTS, write

import hieros_eqx
from hieros_eqx.backend.allocator import keep_freed_memory
from hieros_eqx.training.log import read
from hieros_eqx.training.run_dir import RunDir

KINDS = ("s5wm", "rssm")


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    if chosen.list:
        for name, rung in LADDER.items():
            print(f"ladder.{name:26s}{rung.env_steps:8,d} steps  {rung.ability}")
        return []
    keep_freed_memory()
    records = []
    for name in chosen.names:
        group, _, own = name.partition(".")
        if group != "ladder" or (own and own not in LADDER):
            sys.exit(f"wanted ladder or ladder.NAME, got {name!r}: --list shows them")
        for rung in [own] if own else LADDER:
            records.append(climb(rung, chosen, arguments))
    return records


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["ladder"])
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--levels", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default="s5wm", help="world model")
    parser.add_argument("--images", action="store_true", help="pictures instead of vectors")
    parser.add_argument("--variant", help="one of the rung's own")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one field")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"), help="run directories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    chosen = parser.parse_args(arguments)
    chosen.preset = "laptop"
    return chosen


def climb(name: str, chosen: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Train the agents of one rung, measure them and leave the record."""
    rung = LADDER[name]
    if chosen.images and not rung.images:
        sys.exit(f"ladder.{name} has no pictures")
    changes = [f"levels={chosen.levels}", f"world_model.kind={chosen.kind}"]
    changes += dict(rung.variants)[chosen.variant] if chosen.variant else ()
    config = rung.config(chosen.seeds, [*changes, *chosen.set])
    env = partial(rung.make, images=True) if chosen.images else rung.make
    view = "image" if chosen.images else "vector"
    case = "-".join(
        [name, f"levels{config.levels}", view, chosen.kind, *([chosen.variant] if chosen.variant else [])]
    )
    path = chosen.out / case
    begun = time.monotonic()
    result = hieros_eqx.train(config, env, path)
    if result.interrupted:
        sys.exit("interrupted: call again to go on")
    by_seed = {seed: measure(rung, agent, env) for seed, agent in result.agents.items()}
    met = {seed: rung.met(found) for seed, found in by_seed.items()}
    found = {
        "experiment": f"ladder.{case}",
        "ability": rung.ability,
        "env_steps": rung.env_steps,
        "asked": {"least": dict(rung.least), "most": dict(rung.most)},
        "measured": {str(seed): own for seed, own in by_seed.items()},
        "met": sum(met.values()),
        "seeds": len(met),
        "train_seconds": round(read(RunDir(path).metrics)[-1]["seconds"], 1),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(f"{case}: {found['met']} of {len(met)} seeds; {by_seed}; {found['seconds']} s", flush=True)
    return write("learning", chosen, arguments, found)


if __name__ == "__main__":
    main()
