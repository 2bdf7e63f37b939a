"""What the page needs an agent or a checkpoint for: a run of two levels that ends before its first update,
so that no update is compiled."""

import shutil
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.errors import CheckpointError, EnvError
from hieros_eqx.report.page.run_data import read_run
from hieros_eqx.report.page.visits import read_visits
from hieros_eqx.training import checkpoint, manifest, train

STEPS, LATER = 36, 120  # the run ends; a checkpoint that says that updates have been made


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Return the directory of the run, and its state."""
    from hieros_eqx.config import make_preset

    base = make_preset("debug")
    config = replace(
        base,
        levels=2,
        macro_length=2,
        env=replace(base.env, num_envs=2, id="hieros_eqx.envs.probe:memory"),
        training=replace(base.training, env_steps=STEPS, batch=16, sequence=4, checkpoint_every=20),
    )
    path = tmp_path_factory.mktemp("runs") / "played"
    result = train(config, run_dir=path, progress=False, command="pytest")
    assert config.train_start(0) > STEPS
    return path, result.state


@pytest.fixture
def visited(played, tmp_path):
    """Return a copy of the run with a later checkpoint, whose entries have been visited, and its state."""
    path = tmp_path / "run"
    shutil.copytree(played[0], path)
    folder, state = path / "checkpoints", played[1]
    found, _ = checkpoint.newest_whole(folder)
    restored = checkpoint.restore(folder, found, state.config, state.spaces)
    rings = tuple(
        eqx.tree_at(lambda x: x.visits, ring, _numbered(ring.visits)) for ring in restored.state.replay
    )
    state = eqx.tree_at(lambda x: x.replay, restored.state, rings)
    host = restored.host._replace(counters=restored.host.counters._replace(env_step=LATER))
    empty = checkpoint.empty_ledger(state)
    shot = checkpoint.snapshot(state, host, restored.history, empty)
    checkpoint.write(folder, shot, empty)
    return path, state


def _numbered(visits):
    return jnp.arange(visits.size, dtype=jnp.int32).reshape(visits.shape) ** 2 % 97


def test_visits_are_those_of_the_state(visited):
    path, state = visited
    env_step, visits = read_visits(read_run(path))
    assert env_step == LATER
    for own, ring in zip(visits, state.replay, strict=True):
        counted, counts = jax.device_get((ring.visits, ring.count))
        held = min(counts.min(), ring.capacity)
        wanted = [
            row[(count - held + np.arange(held)) % ring.capacity]
            for row, count in zip(counted, counts, strict=True)
        ]
        assert held > 4
        np.testing.assert_array_equal(own.visits, np.mean(wanted, axis=0))
        assert own.uniform.shape == own.expected.shape == own.visits.shape


def test_a_damaged_checkpoint_gives_way_to_the_one_before(visited):
    path, _ = visited
    (path / "checkpoints" / str(LATER) / manifest.MANIFEST).write_text("{}")
    env_step, visits = read_visits(read_run(path))
    assert env_step == STEPS
    assert [len(own.visits) for own in visits] == [0, 0]  # there was no update
    shutil.rmtree(path / "checkpoints")
    with pytest.raises(CheckpointError, match="wanted a checkpoint, got none yet"):
        read_visits(read_run(path))


def test_a_page_with_everything(played, tmp_path):
    from hieros_eqx.report.page.write import write_page

    path = write_page([played[0]], tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "What the hierarchy wants" in text and "level 1 wants" in text
    assert "Observed vectors over time" in text and "Mean squared error" in text
    assert text.count("data:image/png;base64,") == 2
    assert "Reward over this episode" in text
    assert "Nothing to show" not in text


def test_an_environment_that_is_gone_is_told(played, monkeypatch):
    from hieros_eqx.report.page import media_sections

    def gone(*_, **__):
        raise EnvError("no such environment")

    monkeypatch.setattr(media_sections, "dream", gone)
    monkeypatch.setattr(media_sections, "open_env", gone)
    sections = media_sections.media_sections(read_run(played[0]))
    assert [section.note for section in sections] == ["Nothing to show: no such environment"] * 2


def test_a_run_without_a_checkpoint_has_no_videos(played, tmp_path):
    from hieros_eqx.report.page.media_sections import media_sections

    for name in ("config.json", "spaces.json"):
        (tmp_path / name).write_bytes((played[0] / name).read_bytes())
    (section,) = media_sections(read_run(tmp_path))
    assert section.note.startswith("No agent to ask.")
