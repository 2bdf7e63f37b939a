"""Runs of different depth are compared by what they return and by what an environment step costs."""

import json

import depth
import pytest

from hieros_eqx.config import make_preset, override
from hieros_eqx.training.run_dir import write_description
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

SPACES = Spaces(
    observation=ObservationSpace(kind="vector", shape=(3,)), action=ActionSpace(kind="discrete", size=2)
)


def make_run(path, levels, seeds=(0, 1)):
    """Write a run whose returns are the number of levels."""
    config = override(make_preset("debug"), [f"levels={levels}", f"training.seeds={list(seeds)}"])
    write_description(path, config, SPACES)
    episodes = [{"seed": s, "env_step": 10 * i, "return": float(levels)} for s in seeds for i in range(1, 20)]
    (path / "episodes.jsonl").write_text("".join(json.dumps(episode) + "\n" for episode in episodes))
    return path


def test_every_level_costs_more_and_a_higher_one_less_than_a_lower_one(tmp_path):
    runs = [make_run(tmp_path / f"levels{levels}", levels) for levels in (1, 2, 3)]
    record = depth.main(["walk", *map(str, runs), "--results", str(tmp_path)])
    assert json.loads((tmp_path / "depth.jsonl").read_text()) == record
    assert (tmp_path / "depth_walk.png").stat().st_size > 2_000
    assert [row["last_tenth_of_training"] for row in record["runs"]] == [
        {"0": levels, "1": levels} for levels in (1, 2, 3)
    ]
    one, two, three = (row["mflop_per_env_step"] for row in record["runs"])
    assert 0 < three - two < two - one < one, "a level is trained k times less often than the one below"


def test_runs_that_differ_in_seeds_alone_are_one_line(tmp_path):
    runs = [make_run(tmp_path / f"seed{seed}", 1, (seed,)) for seed in (1, 0)]
    record = depth.main(["walk", *map(str, runs), "--results", str(tmp_path)])
    (row,) = record["runs"]
    assert row["runs"] == ["seed1", "seed0"]
    assert row["last_tenth_of_training"] == {"0": 1, "1": 1}
    again = make_run(tmp_path / "again", 1, (1,))
    with pytest.raises(ValueError, match="every seed once, got seed 1 in again"):
        depth.main(["walk", *map(str, [*runs, again]), "--results", str(tmp_path)])
