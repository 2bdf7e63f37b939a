"""Files of a checkpoint cut short, changed, missing or unreadable: found, named, and never deleted."""

import os
import shutil

import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint, load, manifest
from tests.faults.running import assert_same_run, listing

PARTS = (
    "manifest.json",
    "agent/",
    "rest/",
    "replay/level0-60-entries",
    "replay/level1-60-latents",
    "environments/",
)


def cut(file):
    """By a byte; the last one of the manifest is a newline, which means nothing."""
    file.write_bytes(file.read_bytes().rstrip(b"\n")[:-1])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def remove(file):
    file.unlink()


def grow(file):
    """By 200 GB that take no room on disk."""
    os.truncate(file, 200 * 2**30)


def become_a_folder(file):
    file.unlink()
    file.mkdir()


def become_unreadable(file):
    """By a link to itself, which stops root, too."""
    file.unlink()
    file.symlink_to(file.name)


def become_a_pipe(file):
    """Who opens it without looking waits for ever."""
    file.unlink()
    os.mkfifo(file)


DAMAGES = (cut, empty, flip, grow, remove, become_a_folder, become_unreadable, become_a_pipe)


@pytest.fixture(scope="module")
def stopped(finished, tmp_path_factory):
    """A run with checkpoints at 48 and 60, of which no two share a file."""
    from tests.faults.running import Run

    linked = Run(finished.config, tmp_path_factory.mktemp("stopped") / "linked")
    linked.go_on(stop_after=30)
    assert linked.steps == [48, 60]
    return linked


@pytest.fixture
def run(stopped, tmp_path):
    return stopped.copy(tmp_path / "run")


def file_of(run, part):
    """The largest file of a part of the newest checkpoint."""
    folder = run.checkpoints / "60"
    files = (path for path in folder.rglob("*") if path.is_file())
    return max(
        (path for path in files if path.relative_to(folder).as_posix().startswith(part)),
        key=lambda path: path.stat().st_size,
    )


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_is_looked_at(stopped, run, damage):
    """Damaged alone, each is named, the checkpoint before is taken, and nothing changes on disk."""
    files = [
        path.relative_to(stopped.path) for path in (stopped.checkpoints / "60").rglob("*") if path.is_file()
    ]
    assert len(files) > 8
    for name in files:
        if damage is cut and not (stopped.path / name).stat().st_size:
            continue
        if damage in (empty, flip) and not (stopped.path / name).stat().st_size:
            continue
        damage(run.path / name)
        before = {} if damage is grow else listing(run.path)
        found, problems = checkpoint.newest_whole(run.checkpoints)
        assert found.env_step == 48, name
        assert len(problems) == 1 and "/".join(name.parts[2:]) in problems[0]
        assert damage is grow or listing(run.path) == before
        spoilt = run.path / name
        shutil.rmtree(spoilt) if spoilt.is_dir() else spoilt.unlink(missing_ok=True)
        shutil.copy2(stopped.path / name, spoilt)
    assert checkpoint.newest_whole(run.checkpoints)[0].env_step == 60


CASES = [(part, damage) for part in PARTS for damage in DAMAGES if damage is not grow]
QUICK = {
    ("manifest.json", remove),
    ("rest/", flip),
    ("replay/level1-60-latents", cut),
    ("environments/", empty),
}


@pytest.mark.parametrize(
    ("part", "damage"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow) for case in CASES],
)
def test_the_run_goes_on_from_the_checkpoint_before(finished, run, part, damage):
    file = file_of(run, part)
    damage(file)
    before = listing(run.checkpoints / "60")
    run.go_on()
    assert_same_run(run, finished)
    told = [line for line in run.said if line.startswith("damaged: ")]
    assert len(told) == 1 and file.name in told[0]
    assert any("going on from step 48" in line and "60.damaged" in line for line in run.said)
    assert listing(run.checkpoints / "60.damaged") == before, "for whoever wants to look"
    assert run.steps == finished.steps


def test_all_damaged(run):
    """Each is named and nothing is touched; what is kept of the agent alone still plays."""
    for step, part in ((48, "rest"), (60, "agent")):
        file = max((run.checkpoints / str(step) / part).rglob("*"), key=lambda path: path.stat().st_size)
        flip(file)
    before = listing(run.path)
    with pytest.raises(CheckpointError, match=r"got none\..*/60/agent/.*/48/rest/.*Nothing was changed"):
        run.go_on()
    assert listing(run.path) == before
    with pytest.warns(UserWarning, match="60/agent"):
        load(run.path)
    assert load(run.path / "agents" / "seed_0").config == run.config


def test_damage_of_a_file_that_checkpoints_share(stopped, tmp_path):
    """A file of replay is one file on disk in all checkpoints that need it: they are damaged together."""
    path = tmp_path / "run"
    shutil.copytree(stopped.path, path, copy_function=os.link)
    file = path / "checkpoints" / "48" / "replay" / "level0-48-entries.bin"
    shared = path / "checkpoints" / "60" / "replay" / file.name
    assert shared.samefile(file)
    content = file.read_bytes()
    try:
        flip(file)
        with pytest.raises(CheckpointError, match=r"/60/replay/level0-48-.*/48/replay/level0-48-"):
            checkpoint.newest_whole(path / "checkpoints")
        assert load(path).config == stopped.config
    finally:
        file.write_bytes(content)
    assert manifest.steps(path / "checkpoints") == [48, 60]
