"""Runs that are stopped at will, and whether two of them became the same, bit for bit."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from hieros_eqx.config import HierosConfig
from hieros_eqx.training import loop, manifest, train
from hieros_eqx.training.metrics import flatten
from hieros_eqx.training.saver import Saver
from tests.faults.logs import without_times


class Run:
    """A run directory and what training there has given so far."""

    def __init__(self, config: HierosConfig, path: Path):
        self.config, self.path = config, path
        self.checkpoints = path / "checkpoints"
        self.result = None
        self.said: list[str] = []
        """What was told while it ran, of all calls."""
        self.saver: Saver | None = None
        """Of the newest call."""

    def go_on(self, stop_after: int | None = None, env=None, callbacks: Sequence = (), **saving):
        """Begin or continue; return what `train` does. Stopped after some steps, as a signal would.

        `saving` are settings of the saving alone: in the configuration they would be compiled anew.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "stop_requests", lambda: _stop(stop_after))
            patch.setattr(loop, "make_progress", lambda *_, **__: Silent(self.said))
            patch.setattr(loop, "Saver", partial(self._make_saver, saving))
            self.result = train(
                self.config, env, run_dir=self.path, callbacks=callbacks, progress=False, command="pytest"
            )
        return self.result

    def _make_saver(self, saving, run, training, *rest) -> Saver:
        self.saver = Saver(run, replace(training, **saving), *rest)
        return self.saver

    def copy(self, path: Path, keep: Sequence[int] | None = None) -> "Run":
        """Return a copy that has the checkpoints at the steps `keep` alone; None: all."""
        shutil.copytree(self.path, path, ignore=None if keep is None else _other_checkpoints(keep))
        return Run(self.config, path)

    def lines(self, name: str) -> list[dict]:
        """Return the records of `metrics` or `episodes` without their times."""
        return without_times(self.path / f"{name}.jsonl")

    def run_json(self) -> dict:
        """Return what `run.json` says."""
        return json.loads((self.path / "run.json").read_text())

    @property
    def steps(self) -> list[int]:
        """Of the checkpoints."""
        return manifest.steps(self.checkpoints)


class Silent:
    """A display that keeps what is said."""

    def __init__(self, said: list[str]):
        self.say = said.append

    def step(self, env_step):
        pass

    def note(self, told):
        pass

    def close(self):
        pass


def assert_same_run(run: Run, other: Run) -> None:
    """Same state to the bit, same lines but for their times."""
    assert_same(run.result.state, other.result.state)
    for name in ("metrics", "episodes"):
        assert run.lines(name) == other.lines(name), name
        assert run.lines(name)


def assert_same(a, b) -> None:
    """Same tree, same dtypes, same bits."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (name, x), y in zip(flatten(a).items(), jax.tree.leaves(b), strict=True):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        x, y = np.asarray(x), np.asarray(y)
        assert (x.dtype, x.shape) == (y.dtype, y.shape), name
        assert x.tobytes() == y.tobytes(), name


def listing(path: Path) -> dict[str, str]:
    """Return every file, folder and link below a path, with a hash of what is in it."""
    return {found.relative_to(path).as_posix(): _kind(found) for found in sorted(path.rglob("*"))}


def _kind(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if path.is_dir():
        return "folder"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "special"


@contextmanager
def _stop(after: int | None):
    """What `stop_requests` yields: it is asked once in every step."""
    asked = []

    def stop():
        asked.append(1)
        return 2 if len(asked) == after else None

    yield stop


def _other_checkpoints(keep: Sequence[int]):
    def ignored(folder: str, names: list[str]) -> list[str]:
        if Path(folder).name != "checkpoints" or Path(folder).parent.parent.name == "agents":
            return []
        return [name for name in names if int(name) not in keep]

    return ignored
