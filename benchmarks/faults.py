"""Try faults many more times than the tests do: kill training processes, load files that were spoilt.

    python benchmarks/faults.py --kills 30 --files 5000

Adds one line to `results/faults.jsonl`. A run is killed (`kill -9`) at random moments, most of them during a
save, and goes on each time: in the end it must be, to the bit, the run that was never killed. Files of
another run are spoilt by number, every second time with true checksums, and loaded in a process that is
watched (`tests/faults/`); those that load are trained on for two steps. Records of files lie in `--folder`,
from where an interrupted call goes on.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are no package that is installed

import numpy as np
from machine import options, table, write

from tests.faults import killing, strangers

LEVELS = 2


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    measured: dict[str, Any] = {}
    if chosen.kills:
        measured["kills"] = kill(folder, chosen)
        print(table([list(measured["kills"]), list(measured["kills"].values())]))
    if chosen.files:
        measured["files"] = load_files(folder, chosen)
        print(table([["outcome", "files"], *measured["files"]["outcomes"].items()]))
    return write("faults", chosen, arguments, measured)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", preset="debug", repeats=1)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=400, help="environment steps of the run that is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, default=None, help="for runs, records and compiled programs")
    return parser.parse_args(arguments)


def kill(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Kill a run so many times; starts another one where it ends before."""
    whole, cache = folder / "whole", folder / "cache"
    shutil.rmtree(whole, ignore_errors=True)
    began = time.monotonic()
    digest = killing.whole_run(whole, cache, LEVELS, chosen.steps)
    rng, kills, runs, same = np.random.default_rng(chosen.seed), [], 0, 0
    while len(kills) < chosen.kills:
        run = folder / f"killed_{runs}"
        shutil.rmtree(run, ignore_errors=True)
        runs += 1
        while len(kills) < chosen.kills:
            saves, delay = int(rng.integers(20)), rng.uniform(0.0, 0.3)
            found = killing.kill_once(run, cache, LEVELS, chosen.steps, saves, delay)
            if found is None:
                break
            kills.append(found)
            print(found)
        with killing.process(run, cache, LEVELS, chosen.steps) as own:
            same += own.rest()[-1] == f"ended {digest}"
        killing.assert_same_files(run, whole)
    return {
        "kills": len(kills),
        "during_a_save": sum(found.during_save for found in kills),
        "without_a_whole_checkpoint": sum(found.found < found.saved for found in kills),
        "runs": runs,
        "runs_ending_as_the_whole_one": same,
        "steps_gone_on_by": [found.found - found.begun for found in kills],
        "seconds": round(time.monotonic() - began),
    }


def load_files(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Load so many spoilt runs, from the first that no record is there of."""
    base, records = folder / "base", folder / "files.jsonl"
    if not base.exists():
        with killing.process(base, folder / "cache", LEVELS, chosen.steps) as own:
            assert "saved 54" in iter(own.line, None), own.errors()
    done = [json.loads(line) for line in records.read_text().splitlines()] if records.exists() else []
    case = folder / "surroundings" / "case"
    case.mkdir(parents=True, exist_ok=True)
    environment = killing.environment(folder / "cache")
    left = chosen.files - len(done)
    for record in strangers.load_all(base, case, len(done), left, steps=2, environment=environment):
        with records.open("a") as file:
            file.write(json.dumps(record) + "\n")
        done.append(record)
        if record["wrong"]:
            print(record)
    outcomes = Counter("; ".join(text.partition(":")[0] for text in record["outcomes"]) for record in done)
    sealed = [record for record in done if record["number"] % 2]
    return {
        "files": len(done),
        "with_true_checksums": len(sealed),
        "of_these_loaded": sum(record["outcomes"][:1] == ["loaded"] for record in sealed),
        "outcomes": dict(outcomes.most_common()),
        "by_change": dict(Counter(record["done"].split()[0] for record in done).most_common()),
        "wrong": [record for record in done if record["wrong"]],
        "seconds": round(sum(record["seconds"] for record in done)),
        "slowest_seconds": max((record["seconds"] for record in done), default=0.0),
    }


if __name__ == "__main__":
    main()
