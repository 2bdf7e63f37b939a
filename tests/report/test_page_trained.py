"""What the page needs a trained agent or a checkpoint for: one run of two levels, with vectors."""

import jax
import numpy as np
import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.run_data import read_run
from hieros_eqx.report.visits import read_visits
from hieros_eqx.training import manifest


def test_visits_are_those_of_the_state(finished):
    result, path, _, _ = finished
    env_step, visits = read_visits(read_run(path))
    assert env_step == 80
    for own, ring in zip(visits, result.state.replay, strict=True):
        counted, counts = jax.device_get((ring.visits, ring.count))
        held = min(counts.min(), ring.capacity)
        wanted = [
            row[(count - held + np.arange(held)) % ring.capacity]
            for row, count in zip(counted, counts, strict=True)
        ]
        assert held > 4
        np.testing.assert_array_equal(own.visits, np.mean(wanted, axis=0))
        assert own.uniform.shape == own.expected.shape == own.visits.shape


def test_a_damaged_checkpoint_gives_way_to_the_one_before(finished, tmp_path):
    run = read_run(finished[1])
    older = run.checkpoints[-2]
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.json", "spaces.json", "checkpoints"):
        (copy / name).symlink_to((finished[1] / name).resolve())
    (copy / "checkpoints").unlink()
    (copy / "checkpoints").mkdir()
    for step in (older, 80):
        (copy / "checkpoints" / str(step)).mkdir()
    for file in manifest.read(finished[1] / "checkpoints" / str(older)).files:
        target = copy / "checkpoints" / str(older) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((finished[1] / "checkpoints" / str(older) / file).read_bytes())
    name = "manifest.json"
    (copy / "checkpoints" / str(older) / name).write_bytes(
        (finished[1] / "checkpoints" / str(older) / name).read_bytes()
    )
    assert read_visits(read_run(copy))[0] == older
    (copy / "checkpoints" / str(older) / name).unlink()
    with pytest.raises(CheckpointError, match=r"has no manifest\.json"):
        read_visits(read_run(copy))


def test_a_page_with_everything(finished, tmp_path):
    from hieros_eqx.report.page import write_page

    path = write_page([finished[1]], tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "What the hierarchy wants" in text and "level 1 wants" in text
    assert "Observed vectors over time" in text and "Mean squared error" in text
    assert text.count("data:image/png;base64,") == 2
    assert "Reward over this episode" in text
    assert "Nothing to show" not in text


def test_an_environment_that_is_gone_is_told(finished, monkeypatch):
    from hieros_eqx.errors import EnvError
    from hieros_eqx.report import media_sections

    def gone(*_, **__):
        raise EnvError("no such environment")

    monkeypatch.setattr(media_sections, "dream", gone)
    monkeypatch.setattr(media_sections, "open_env", gone)
    sections = media_sections.media_sections(read_run(finished[1]))
    assert [section.note for section in sections] == ["Nothing to show: no such environment"] * 2


def test_a_run_without_a_checkpoint_has_no_videos(finished, tmp_path):
    from hieros_eqx.report.media_sections import media_sections

    for name in ("config.json", "spaces.json"):
        (tmp_path / name).write_bytes((finished[1] / name).read_bytes())
    (section,) = media_sections(read_run(tmp_path))
    assert section.note.startswith("No agent to ask.")
