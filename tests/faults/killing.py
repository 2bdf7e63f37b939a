"""Kill a training process at random moments, and see each time what is left of its run."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint, manifest, run_dir
from tests.faults.logs import without_times

SCRIPT = Path(__file__).with_name("train_to_be_killed.py")
ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds without a word, after which a process hangs


class Kill(NamedTuple):
    """What was found after one kill."""

    begun: int
    """The environment step at which the process went on."""
    saved: int
    """The last step that it had saved, as far as it could say so."""
    found: int
    """The step of the newest whole checkpoint."""
    during_save: bool
    """An unfinished checkpoint was left."""


def environment(cache: Path) -> dict[str, str]:
    """Return what a process is told, with a folder for compiled programs."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HIEROS_EQX_")}
    return ours | {
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": str(ROOT),
    }


class Process:
    """A training process, and what it says."""

    def __init__(self, run: Path, cache: Path, levels: int, steps: int):
        self._errors = run.with_suffix(".stderr")
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, SCRIPT, run, str(levels), str(steps)],
                env=environment(cache),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def line(self) -> str | None:
        """Return the next line, or None at its end; `TimeoutError` if it says nothing for too long."""
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise TimeoutError(f"nothing for {PATIENCE} seconds") from None

    def rest(self) -> list[str]:
        """Return all lines to its end."""
        return list(iter(self.line, None))

    def kill(self) -> None:
        """End it at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    def errors(self) -> str:
        """Return the end of what it has written to stderr."""
        return self._errors.read_text()[-2000:]

    def _read(self) -> None:
        with self._process.stdout or nullcontext([]) as stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


@contextmanager
def process(*arguments) -> Iterator[Process]:
    """Yield a process that is gone at the end."""
    own = Process(*arguments)
    try:
        yield own
    finally:
        own.kill()


def whole_run(run: Path, cache: Path, levels: int, steps: int) -> str:
    """Train without a fault; return the digest of its state. Leaves all programs in the cache."""
    with process(run, cache, levels, steps) as own:
        lines = own.rest()
        assert lines and lines[-1].startswith("ended "), own.errors()
    return lines[-1].removeprefix("ended ")


def kill_once(run: Path, cache: Path, levels: int, steps: int, saves: int, delay: float) -> Kill | None:
    """Train on, kill some seconds after some saves, return what is left; None if it was already done.

    Raises `AssertionError` if more is lost than what came after the last save.
    """
    with process(run, cache, levels, steps) as own:
        first = own.line()
        assert first is not None and first.startswith("going on at "), own.errors()
        begun = int(first.removeprefix("going on at "))
        is_refused(run)
        lines = list(islice(iter(own.line, None), saves))
        time.sleep(delay)
        own.kill()
        lines += own.rest()
    if any(line.startswith("ended") for line in lines):
        return None
    saved = max([begun, *(int(line.removeprefix("saved ")) for line in lines)])
    folder = run / "checkpoints"
    found, problems = checkpoint.newest_whole(folder)
    at = 0 if found is None else found.env_step
    assert not problems and at >= saved, (problems, at, saved)
    return Kill(begun, saved, at, bool(list(folder.glob(".saving-*"))))


def is_refused(run: Path) -> None:
    """While a process trains in a directory no other can."""
    config, spaces = run_dir.read_config(run), run_dir.read_spaces(run)
    try:
        with run_dir.open_run(run, config, spaces):
            raise AssertionError("two processes in one directory")
    except CheckpointError as error:
        assert "another process is training there" in str(error)


def assert_same_files(run: Path, other: Path) -> None:
    """Raise `AssertionError` unless both runs have the same lines, but for their times, and checkpoints."""
    for name in ("metrics.jsonl", "episodes.jsonl"):
        assert without_times(run / name) == without_times(other / name), name
    assert manifest.steps(run / "checkpoints") == manifest.steps(other / "checkpoints")
    assert not list(run.rglob(".saving-*"))
