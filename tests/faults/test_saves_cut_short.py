"""A save cut short at every touch of the disk, one after the other: by death, and by a disk that is full."""

import errno
import os
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from hieros_eqx.training import arrays, checkpoint, manifest
from hieros_eqx.training.run_dir import RunDir
from hieros_eqx.training.saver import Saver
from tests.faults.running import listing

STEP = 100  # of the save that is cut short
TOUCHES = ("rename", "replace", "link", "fsync", "mkdir", "unlink", "rmdir")


class Dead(BaseException):
    """Stands for a process that does nothing any more."""


class Disk:
    """Does what it is told until a given touch. Dead: never again afterwards; full: all else works."""

    def __init__(self, patch, at: int, *, dead: bool):
        self.touched, self._at, self._dead = 0, at, dead
        for name in TOUCHES:
            patch.setattr(os, name, self._guarded(getattr(os, name)))
        patch.setattr(Path, "open", self._guarded(Path.open))

    def _guarded(self, function):
        def touch(*arguments, **named):
            self.touched += 1
            if self._dead and self.touched > self._at:
                raise Dead
            if self.touched == self._at + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*arguments, **named)

        return touch


@pytest.fixture(scope="module")
def snapshot(finished):
    """All that a save at `STEP` writes, and what is on disk before."""
    found, _ = checkpoint.newest_whole(finished.checkpoints)
    state, host, history, ledger = checkpoint.restore(
        finished.checkpoints, found, finished.config, finished.result.state.spaces
    )
    host = host._replace(counters=host.counters._replace(env_step=STEP))
    nothing = history._replace(
        actions=history.actions[:0], checks=history.checks[-1:], first=history.first[-1:]
    )
    return checkpoint.snapshot(state, host, nothing, ledger), ledger


@pytest.fixture
def fresh(finished, snapshot, tmp_path, monkeypatch):
    """A function that returns a copy of the run, and what saves it, keeping one checkpoint.

    What Orbax writes is taken from the checkpoint before, file by file.
    """

    def write(folder: Path, _arrays: object) -> None:
        for file in (path for path in (source / "agent").rglob("*") if path.is_file()):
            target = folder / file.relative_to(source / "agent")
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)

    source = finished.checkpoints / "80"
    monkeypatch.setattr(arrays, "write", write)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it counts as a touch, and takes most of the time
    ledger = snapshot[1]

    def make(name: str):
        path = tmp_path / name
        shutil.copytree(finished.path, path, copy_function=os.link)
        own = replace(ledger, path=path / "checkpoints" / ledger.path.name)
        said: list[str] = []
        saver = Saver(RunDir(path), replace(finished.config.training, keep_checkpoints=1), own, said.append)
        return path, saver, said

    return make


def save(saver: Saver, shot) -> None:
    """What `Saver.save` does, of a snapshot that is there already."""
    saver._under_way = saver._thread.submit(saver._write, shot)
    saver.wait()


def assert_whole(path: Path, step: int) -> None:
    found, problems = checkpoint.newest_whole(path / "checkpoints")
    assert (found.env_step, problems) == (step, [])
    agents = path / "agents" / "seed_0" / "checkpoints"
    assert manifest.steps(agents) == [step]
    assert checkpoint.newest_whole(agents)[1] == []


def test_killed_at_every_touch_of_the_disk(fresh, snapshot):
    shot, _ = snapshot
    newest = []
    for at in count():
        path, saver, _ = fresh(f"at_{at}")
        before = listing(path / "checkpoints")
        died = False
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, at, dead=True)
            try:
                saver._write(shot)
            except Dead:
                died = True
        saver._thread.shutdown()
        found, problems = checkpoint.newest_whole(path / "checkpoints")
        assert problems == [], at
        newest.append(found.env_step)
        if found.env_step < STEP:
            now = listing(path / "checkpoints")
            assert {name: now.get(name) for name in before} == before, at
        manifest.sweep(path / "checkpoints")
        # what the process that goes on from there writes
        ledger = replace(saver._ledger, path=path / "checkpoints" / str(found.env_step))
        next_saver = Saver(RunDir(path), saver._config, ledger, print)
        next_step = shot.host._replace(counters=shot.host.counters._replace(env_step=STEP + 2))
        next_saver._write(shot._replace(host=next_step))
        next_saver._thread.shutdown()
        assert_whole(path, STEP + 2)
        assert manifest.steps(path / "checkpoints") == [STEP + 2]
        assert not [name for name in listing(path) if ".saving" in name], at
        shutil.rmtree(path)
        if not died:
            break
    assert disk.touched == at > 60
    assert newest == sorted(newest), "the old one until the rename, the new one from then on"
    assert 10 < newest.index(STEP) < at - 10


def test_full_at_every_touch_of_the_disk(fresh, snapshot):
    """A failed save is told, what is there stays whole, and the next save has everything."""
    shot, _ = snapshot
    tried = failed = 0
    for at in count(step=3):
        path, saver, said = fresh(f"at_{at}")
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, at, dead=False)
            save(saver, shot)
        found, problems = checkpoint.newest_whole(path / "checkpoints")
        assert problems == [], at
        assert found.env_step in (saver.step, STEP), "the flush after the rename may fail, too"
        if said:
            failed += 1
            assert "No space left on device" in said[0]
            with pytest.raises(checkpoint.CheckpointError, match=f"of step {saver.step} is whole"):
                saver.finish()
        next_step = shot.host._replace(counters=shot.host.counters._replace(env_step=STEP + 2))
        save(saver, shot._replace(host=next_step))
        saver.finish()
        saver._thread.shutdown()
        assert_whole(path, STEP + 2)
        shutil.rmtree(path)
        tried += 1
        if disk.touched <= at:
            break
    assert at > 60
    assert failed > 0.7 * tried, "what cannot be a link is a copy, a draft that stays is harmless"
