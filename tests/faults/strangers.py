"""Let a process load many spoilt runs, and note what became of each, even where it crashed or hung."""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("load_mutants.py")
ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds for one load; a compilation takes longer than any


def load_all(
    run: Path,
    folder: Path,
    first: int,
    count: int,
    *,
    steps: int = 0,
    environment: dict[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a record for each of the mutants `first` to `first + count - 1` of a run.

    What is `wrong` in a record must not be; a crash and a hang are, too, and the next process goes on behind
    it. `folder` is for the copies, with nothing beside it that they may know of.
    """
    end = first + count
    while first < end:
        begun: dict[str, Any] | None = None
        arguments = [str(x) for x in (run, folder, first, end - first, steps)]
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "PYTHONPATH": str(ROOT)}
            | {"HIEROS_EQX_COMPILATION_CACHE": "off"}
            | (environment or {}),
        )
        try:
            for record in _lines(process):
                if "outcomes" not in record:
                    begun = record
                    continue
                assert record["number"] >= first or record["outcomes"] == ["loaded"] * 2, record
                if record["number"] >= first:
                    yield record
                    first, begun = record["number"] + 1, None
        finally:
            process.kill()
            process.communicate()
        if begun is not None or first < end:
            assert begun is not None and begun["number"] >= first, "the process does not begin"
            yield begun | {
                "outcomes": [],
                "wrong": [f"crashed or hung ({process.returncode})"],
                "seconds": 0.0,
            }
            first = begun["number"] + 1


def _lines(process: subprocess.Popen) -> Iterator[dict[str, Any]]:
    """Yield what a process says, until it ends or says nothing for too long."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        text = b""
        while selector.select(PATIENCE):
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                return
            *lines, text = (text + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines)
