"""Runs of different depth are compared by what they return and by what an environment step costs."""

import json

import depth

from hieros_eqx.config import make_preset, override
from hieros_eqx.training.run_dir import write_description
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

SPACES = Spaces(
    observation=ObservationSpace(kind="vector", shape=(3,)), action=ActionSpace(kind="discrete", size=2)
)


def make_run(path, levels):
    """Write a run of two seeds whose returns are the number of levels."""
    config = override(make_preset("debug"), [f"levels={levels}", "training.seeds=[0,1]"])
    write_description(path, config, SPACES)
    episodes = [
        {"seed": s, "env_step": 10 * i, "return": float(levels)} for s in (0, 1) for i in range(1, 20)
    ]
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
