"""Disks that are full or cannot be written, and two processes that want one directory."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import log, train
from tests.faults.running import Run, assert_same_run, listing


@pytest.fixture
def disk(tmp_path):
    """A disk of its own: 16 MB of memory."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(path)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs a file system of its own, which only root may mount (and not everywhere)")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Leave 64 kB: room for lines, not for a checkpoint."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 65536)))
    return ballast


def test_a_disk_that_is_full_for_a_while(finished, disk):
    """The save at 48 fails, which is told; the next one holds everything."""
    run = Run(finished.config, disk / "run")
    run.go_on(stop_after=15)
    assert run.steps == [24, 30]
    before = listing(run.checkpoints)
    ballast = fill(disk)

    def look(_state, record):
        if record["env_step"] == 60:
            run.saver.wait()
            assert run.steps == [24, 30]
            assert listing(run.checkpoints) == before
            ballast.unlink()

    run.go_on(callbacks=[look])
    assert any("a save failed, training goes on" in text for text in run.said), run.said
    assert run.steps == [72, 80]
    assert_same_run(run, finished)


def test_a_disk_that_stays_full(finished, disk):
    run = Run(finished.config, disk / "run")
    run.go_on(stop_after=15)
    before = listing(run.checkpoints)
    ballast = fill(disk)
    with pytest.raises(CheckpointError, match=r"the last save failed \(.*The checkpoint of step 30 is whole"):
        run.go_on()
    assert listing(run.checkpoints) == before
    ballast.unlink()
    run.go_on()
    assert_same_run(run, finished)


def test_a_line_that_cannot_be_written(again, monkeypatch):
    """A full disk may refuse the line of an episode first."""
    append = log.append

    def full(path, record):
        if record["env_step"] == 36:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        append(path, record)

    monkeypatch.setattr(log, "append", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        again.go_on()
    assert "saved at step 36" in error.value.__notes__[0]
    monkeypatch.undo()
    assert again.steps[-1] == 36


def test_a_disk_that_is_read_only(finished, disk):
    run = Run(finished.config, disk / "run")
    run.go_on(stop_after=13)
    before = listing(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for path in (run.path, disk / "new"):
        with pytest.raises(CheckpointError, match=r"cannot be written|Read-only"):
            train(finished.config, run_dir=path, progress=False)
    assert listing(disk) == before


HOLD = """
import sys, time
from pathlib import Path
from hieros_eqx.training.run_dir import open_run, read_config, read_spaces
path = Path(sys.argv[1])
with open_run(path, read_config(path), read_spaces(path)):
    print("held", flush=True)
    time.sleep(600)
"""


def test_two_processes_in_one_directory(finished, again):
    again.go_on(stop_after=3)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, again.path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CheckpointError, match="another process is training there"):
            again.go_on()
        assert again.steps == [6]
    finally:
        holder.kill()  # as a crash would: nothing of the lock is left
        holder.stdout.close()
        holder.wait()
    again.go_on()
    assert_same_run(again, finished)
