import json
from dataclasses import replace

import pytest

from hieros_eqx.config import make_preset
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.training import provenance, run_dir
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

CONFIG = make_preset("debug")
SPACES = Spaces(
    observation=ObservationSpace(kind="image", shape=(64, 64, 3)), action=ActionSpace(kind="discrete", size=5)
)


def contents(path):
    return {p.name: p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_run_keeps_configuration_and_spaces(tmp_path):
    path = tmp_path / "some" / "run"
    with run_dir.open_run(path, CONFIG, SPACES) as run:
        assert run.path == path
    assert run_dir.read_config(path) == CONFIG
    assert run_dir.read_spaces(path) == SPACES
    before = contents(path)
    with run_dir.open_run(path, CONFIG, SPACES):
        pass
    assert contents(path) == before


def test_another_configuration_is_refused_with_the_differences(tmp_path):
    with run_dir.open_run(tmp_path, CONFIG, SPACES):
        pass
    before = contents(tmp_path)
    other = replace(CONFIG, levels=2, training=replace(CONFIG.training, env_steps=800))
    with pytest.raises(ConfigError, match=r"levels: 3 -> 2.*training.env_steps: 400 -> 800"):
        run_dir.check(tmp_path, other)
    with pytest.raises(ConfigError), run_dir.open_run(tmp_path, other, SPACES):
        pass
    assert contents(tmp_path) == before


def test_other_spaces_are_refused(tmp_path):
    with run_dir.open_run(tmp_path, CONFIG, SPACES):
        pass
    other = replace(SPACES, action=ActionSpace(kind="discrete", size=6))
    with pytest.raises(CheckpointError, match="size=6"), run_dir.open_run(tmp_path, CONFIG, other):
        pass


def test_a_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match=r"thesis.tex"), run_dir.open_run(tmp_path, CONFIG, SPACES):
        pass
    with pytest.raises(CheckpointError, match="got a file"):
        run_dir.check(tmp_path / "thesis.tex", CONFIG)
    assert contents(tmp_path) == before


def test_two_processes_do_not_share_a_directory(tmp_path):
    with (
        run_dir.open_run(tmp_path, CONFIG, SPACES),
        pytest.raises(CheckpointError, match="another process"),
        run_dir.open_run(tmp_path, CONFIG, SPACES),
    ):
        pass


def test_no_or_a_damaged_configuration(tmp_path):
    with pytest.raises(CheckpointError, match=r"wanted a run directory with config.json"):
        run_dir.read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json: cannot be read"):
        run_dir.check(tmp_path, CONFIG)


def test_run_json_says_where_a_run_comes_from(tmp_path):
    path = tmp_path / "run.json"
    provenance.record_start(path, "hieros-eqx train --seed 3", 0)
    provenance.record_start(path, "hieros-eqx train", 250)
    run = json.loads(path.read_text())
    assert run["command"] == "hieros-eqx train --seed 3"
    assert {"python", "jax", "numpy", "hieros-eqx"} <= set(run["versions"])
    assert run["device"]["count"] >= 1
    assert "commit" in run
    assert run["started"].endswith("+00:00")
    assert [(r["env_step"], r["command"]) for r in run["resumed"]] == [(250, "hieros-eqx train")]
