"""Event files: what is in them, what a resumption makes void, and that they cannot spoil a run."""

import errno
import io
import json
import math
import shutil
from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest

from hieros_eqx.config import make_preset
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.training import TensorBoard, log, pictures, train
from hieros_eqx.training.run_dir import open_run
from tests.training.event_files import curves, events, images

CONFIG = make_preset("debug")
SEVERAL = replace(CONFIG, training=replace(CONFIG.training, seeds=(3, 0)))
SKIPPED = ("seed", "env_step", "nonfinite")


def written(run_dir, env_step, *scalars, config=CONFIG):
    """Write some (step, seed, numbers) with one sink that begins at a step."""
    sink = TensorBoard()
    sink.open(run_dir, config, env_step)
    for told in scalars:
        sink.write(*told)
    sink.close()


def test_scalars_are_read_back(tmp_path):
    written(tmp_path, 0, (20, 0, {"a/b": 1.5, "train_step": 3}), (40, 0, {"a/b": math.nan, "c": math.inf}))
    found = curves(tmp_path / "tensorboard")
    assert found["train_step"] == [(20, 3.0)]
    assert found["c"] == [(40, math.inf)]
    (_, first), (_, second) = found["a/b"]
    assert first == 1.5 and math.isnan(second)
    assert len(events(tmp_path / "tensorboard")) == 2, "a line is one event"


def test_several_seeds_have_folders_of_their_own(tmp_path):
    written(tmp_path, 0, (20, 3, {"a": 3.0}), (20, 0, {"a": 0.0}), config=SEVERAL)
    for seed in (3, 0):
        assert curves(tmp_path / "tensorboard" / f"seed_{seed}") == {"a": [(20, float(seed))]}


def test_what_came_after_the_checkpoint_is_void(tmp_path):
    written(tmp_path, 0, (20, 0, {"a": 1.0}), (40, 0, {"a": 2.0}), (60, 0, {"a": 3.0}))
    written(tmp_path, 40, (60, 0, {"a": 4.0}), (80, 0, {"a": 5.0}))
    assert curves(tmp_path / "tensorboard")["a"] == [(20, 1.0), (40, 2.0), (60, 4.0), (80, 5.0)]
    written(tmp_path, 0, (20, 0, {"a": 6.0}))  # died before its first save
    assert curves(tmp_path / "tensorboard") == {"a": [(20, 6.0)]}
    names = [path.name for path in sorted((tmp_path / "tensorboard").iterdir())]
    assert names == [f"events.out.tfevents.{n:010d}.hieros" for n in range(3)]


def test_no_file_that_is_there_is_written_to(tmp_path):
    folder, outside = tmp_path / "tensorboard", tmp_path / "outside"
    folder.mkdir()
    (folder / "events.out.tfevents.0000000001.hieros").symlink_to(outside)
    written(tmp_path, 0, (20, 0, {"a": 1.0}))
    assert not outside.exists()
    assert (folder / "events.out.tfevents.0000000002.hieros").stat().st_size > 0


def test_pictures_are_read_back(tmp_path):
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (5, 7, 3), np.uint8)
    moving = np.repeat(np.array([0, 128, 255], np.uint8)[:, None, None, None], 3, axis=3)
    moving = np.broadcast_to(moving, (3, 8, 6, 3)).copy()
    sink = TensorBoard()
    sink.open(tmp_path, CONFIG, 0)
    sink.pictures(20, 0, {"still": still, "moving": moving})
    sink.close()
    found = images(tmp_path / "tensorboard")
    ((step, png),) = found["still"]
    assert step == 20
    np.testing.assert_array_equal(imageio.imread(io.BytesIO(png)), still)
    ((_, gif),) = found["moving"]
    assert gif.startswith(b"GIF89a")
    np.testing.assert_array_equal(imageio.imread(io.BytesIO(gif), index=None)[..., :3], moving)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8)],
)
def test_what_is_no_picture(picture):
    with pytest.raises(ValueError, match=r"wanted a picture, uint8 \[height width 3\] or \[time"):
        pictures.encode(picture)


def test_a_run_without_a_directory_has_no_place_for_them():
    with pytest.raises(ConfigError, match="give `run_dir`"):
        TensorBoard().open(None, CONFIG, 0)


def test_links_are_not_followed(finished, config, tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(finished[1], run)
    outside.mkdir()
    (run / "tensorboard").mkdir()
    (run / "tensorboard" / "seed_0").symlink_to(outside)
    spaces = finished[0].state.spaces
    with pytest.raises(CheckpointError, match="Links are not followed"), open_run(run, config, spaces):
        pass
    shutil.rmtree(run / "tensorboard")
    (run / "tensorboard").symlink_to(outside)
    with pytest.raises(CheckpointError, match="Links are not followed"), open_run(run, config, spaces):
        pass


def expected(run_dir):
    """Return the curves that the files of lines say there should be."""
    found = {}
    for line in log.read(run_dir / "metrics.jsonl"):
        for name in [name for name in line if name not in SKIPPED]:
            found.setdefault(name, []).append((line["env_step"], line[name]))
    for line in log.read(run_dir / "episodes.jsonl"):
        for name in ("return", "length", "truncated"):
            found.setdefault(f"episode/{name}", []).append((line["env_step"], float(line[name])))
    return found


def without_times(path):
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "steps_per_second")} for line in lines]


def test_a_run_that_is_stopped_and_goes_on_has_the_curves_of_its_lines(config, finished, tmp_path):
    """And the sink, its pictures and the resumption change no number of the run."""
    path, drawn = tmp_path / "run", []

    def draw(_state, env_step):
        drawn.append(env_step)
        return {"noise": np.full((2, 2, 3), env_step, np.uint8)}

    def stop(_state, record):
        if record["env_step"] == 60:
            raise KeyboardInterrupt

    first = train(
        config, run_dir=path, callbacks=[stop], progress=False, sinks=[TensorBoard()], pictures=draw
    )
    assert first.interrupted and drawn == [24, 48], "one who wants to stop does not wait for pictures"
    shutil.rmtree(path / "checkpoints" / "60")  # as if it had died after the checkpoint at 48
    train(config, run_dir=path, progress=False, sinks=[TensorBoard()], pictures=draw)
    assert drawn == [24, 48, 72, 80]
    for name in ("metrics.jsonl", "episodes.jsonl"):
        assert without_times(path / name) == without_times(finished[1] / name)
    found, wanted = curves(path / "tensorboard"), expected(path)
    assert found.keys() == wanted.keys()
    for name, curve in found.items():
        assert [step for step, _ in curve] == [step for step, _ in wanted[name]], name
        np.testing.assert_allclose(
            [value for _, value in curve], [value for _, value in wanted[name]], rtol=1e-6, err_msg=name
        )  # float32
    assert [step for step, _ in images(path / "tensorboard")["noise"]] == [24, 48, 72, 80]
    files = sorted((path / "tensorboard").iterdir())
    train(config, run_dir=path, progress=False, sinks=[TensorBoard()])
    assert sorted((path / "tensorboard").iterdir()) == files, "a finished run is left as it is"


def test_a_full_disk_leaves_it_out_and_the_run_goes_on(config, finished, tmp_path, monkeypatch, capsys):
    from tensorboardX.record_writer import RecordWriter

    write, path = RecordWriter.write, tmp_path / "run"

    def full(self, data):
        if len(data) > 1000:  # a line of metrics
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, data)

    monkeypatch.setattr(RecordWriter, "write", full)
    result = train(config, run_dir=path, sinks=[TensorBoard()], progress=True)
    assert (result.env_step, result.interrupted) == (80, False)
    assert without_times(path / "metrics.jsonl") == without_times(finished[1] / "metrics.jsonl")
    said = [line for line in capsys.readouterr().err.splitlines() if "TensorBoard" in line]
    assert said == [
        "TensorBoard.write failed (OSError: [Errno 28] No space left on device); training goes on without it"
    ]
    assert set(curves(path / "tensorboard")) == {"episode/return", "episode/length", "episode/truncated"}
