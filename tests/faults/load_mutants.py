"""Load spoilt runs, one after another, and print a line of JSON for each: what was done, what came of it.

    python load_mutants.py RUN FOLDER FIRST COUNT STEPS

Run in a process of its own, where a crash is seen as one; a line is also printed before each load. Those that
load are trained on for `STEPS` steps, for which programs are compiled, if it is not 0. Anything but a
`HierosError` or a state as the configuration has it is `wrong`; so is any file opened, made or removed
outside the run, and any unpickling.
"""

import contextlib
import functools
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from hieros_eqx.errors import HierosError
from hieros_eqx.training import checkpoint, load, loop, manifest, run_dir, train
from hieros_eqx.training.metrics import flatten
from tests.faults import mutants

MEMORY = 2 * 2**30  # more than the process has after it has loaded what is whole
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
abstract = functools.cache(checkpoint._abstract_state)
seen: list[str] = []
watched: list[Path] = []  # the run, and a folder around it in which nothing else may be opened
allowed = (Path(os.devnull), Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or os.devnull))


def main(run: Path, folder: Path, first: int, count: int, steps: int) -> None:
    """Print two lines for every number from `first` on, and before them those of a run that is whole."""
    leave_out_training(steps)
    config, step = run_dir.read_config(run), manifest.steps(run / "checkpoints")[-1]
    path = folder / "run"
    sys.addaudithook(watch)
    for number in range(first - 1, first + count):
        shutil.rmtree(path, ignore_errors=True)
        mutants.copy(run, path, step)
        done = mutants.spoil(path, number) if number >= first else "nothing"
        say({"number": number, "done": done})
        began = time.monotonic()
        seen.clear()
        watched[:] = path, folder.parent
        outcomes = [outcome(lambda: go_on(config, path)), outcome(lambda: load(path))]
        watched.clear()
        wrong = [own for own in outcomes if own.startswith("wrong")] + seen
        seconds = round(time.monotonic() - began, 3)
        say({"number": number, "done": done, "outcomes": outcomes, "wrong": wrong, "seconds": seconds})
        if number < first:
            limit_memory()  # all code has been loaded


def say(record: dict[str, Any]) -> None:
    """Print a line for the process that watches."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def outcome(act: Callable[[], Any]) -> str:
    """Return what came of it in a few words."""
    try:
        act()
    except HierosError as error:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"[:500]
    return "loaded"


def go_on(config: Any, path: Path) -> None:
    """Do all that `train` does before its first step, and maybe some steps."""
    state = train(config, run_dir=path, progress=False, command="mutant").state
    wanted = flatten(abstract(config, state.spaces))
    if {name: leaf.aval for name, leaf in flatten(state).items()} != {
        name: jax.core.ShapedArray(leaf.shape, leaf.dtype) for name, leaf in wanted.items()
    }:
        raise AssertionError("shapes or dtypes differ")


def leave_out_training(steps: int) -> None:
    """Make `train` return after some steps, and do once what is the same for all."""

    @contextlib.contextmanager
    def stop_requests():
        asked: list[int] = []
        yield lambda: asked.append(1) or (2 if len(asked) == steps else None)

    checkpoint._abstract_state = abstract
    loop.stop_requests = stop_requests
    if not steps:
        loop._loop = lambda _config, begin, *_: loop.TrainResult(begin.state, 0, False, None, {})


def watch(event: str, arguments: Any) -> None:
    """Note what leaves the run directory. Python calls this for whatever touches the system."""
    if not watched:
        return
    run, surroundings = watched
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path, writes = Path(os.path.realpath(os.fsdecode(arguments[0]))), bool((arguments[2] or 0) & WRITING)
        forbidden = writes or path.is_relative_to(surroundings)
        if forbidden and not any(path.is_relative_to(own) for own in (run, *allowed)):
            seen.append(f"opened {path} {'to write' if writes else 'to read'}")
    elif event in CHANGING and not (
        isinstance(arguments[-1], int) and arguments[-1] > 0
    ):  # in an open folder
        path = Path(os.path.realpath(os.fsdecode(arguments[0])))
        if not any(path.is_relative_to(own) for own in (run, *allowed)):
            seen.append(f"{event} {path}")
    elif event.startswith("pickle") or event in ("os.system", "os.exec"):
        seen.append(event)


def limit_memory() -> None:
    """Let the process have a little more memory than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
