"""Experiments run, go on where they were, and leave a record that names no folder."""

import json

import jax
import ladder
import learning
import numpy as np
import pytest
import tasks
import worlds

from hieros_eqx.agent import init
from hieros_eqx.envs import random_length
from hieros_eqx.training.agents import agents_of
from hieros_eqx.training.environment import open_env
from hieros_eqx.types import ActionSpace

QUICK = ["training.env_steps=200", "training.train_every=20", "env.num_envs=2"]
TWO = ("--seeds", "0", "1")


def run(tmp_path, *arguments, changes=QUICK):
    sets = [word for setting in changes for word in ("--set", setting)]
    where = ["--out", str(tmp_path / "runs"), "--results", str(tmp_path)]
    (record,) = learning.main([*arguments, *sets, *where])
    lines = (tmp_path / "learning.jsonl").read_text().splitlines()
    assert json.loads(lines[-1]) == record and str(tmp_path) not in lines[-1]
    return record


def check_figures(folder, *patterns):
    """There is one figure for every pattern, with something in it, and no other."""
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    assert len(found) == len(patterns) and set(found) == set(folder.glob("*.png"))
    assert min(path.stat().st_size for path in found) > 2_000


def test_a_rung_is_climbed_and_measured_anew(tmp_path):
    record = run(tmp_path, "ladder.constant_reward", *TWO)
    assert record["experiment"].startswith("ladder.constant_reward-levels1-s5wm-seeds0_1-vector")
    assert set(record["measured"]) == {"0", "1"} and record["seeds"] == 2
    assert record["met"] == 0, "ten updates teach nothing"
    again = run(tmp_path, "ladder.constant_reward", *TWO)
    assert again["measured"] == record["measured"]
    assert len(list((tmp_path / "runs").iterdir())) == 1
    check_figures(tmp_path, "learning_constant_reward-*.png")


def test_a_task_is_played(tmp_path, monkeypatch):
    def make(num_envs=1, seed=0):
        return random_length(num_envs=num_envs, seed=seed, max_length=3)

    task = tasks.Task(env=make, ability="nothing", env_steps=10, episodes=4, changes=ladder.SIZES, least=99)
    monkeypatch.setitem(learning.GROUPS, "tasks", {"nothing": task})
    monkeypatch.setattr(learning, "TASKS", {"nothing": task})
    record = run(tmp_path, "tasks.nothing", "--kind", "rssm", "--apart", *TWO)
    assert record["interval"][0] <= record["mean_return"] <= record["interval"][1]
    assert record["met"] is False and set(record["mean_return_by_seed"]) == {"0", "1"}
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert [name.split("-")[3] for name in runs] == ["seeds0", "seeds1"], "apart: a run for every seed"
    assert record["experiment"].startswith("tasks.nothing-levels1-rssm-seeds0_1")
    check_figures(tmp_path, "learning_nothing-*.png")


def test_nothing_asked_is_nothing_met():
    def met(**asked):
        return tasks.Task(env="nothing", ability="nothing", env_steps=1, **asked).met(mean=2.0, low=1.0)

    assert met() is None
    assert (met(least=2), met(least=2.1), met(above=0.9), met(above=1)) == (True, False, True, False)
    assert (met(least=2, above=0), met(least=2, above=1.5)) == (True, False)


@pytest.fixture
def small_world(monkeypatch):
    world = worlds.World(
        game="Breakout",
        changes=(*ladder.SIZES, "behaviour.horizon=3"),
        levels=1,
        record_steps=40,
        envs=2,
        starts=4,
        horizon=5,
        samples=2,
    )
    monkeypatch.setitem(learning.GROUPS, "worlds", {"breakout": world})
    monkeypatch.setattr(learning, "WORLDS", {"breakout": world})
    return world


def check_measures(found):
    assert set(found["pictures"]) == {"starts", "step_1", "step_5"}
    assert found["seen"]["steps_with_reward"] >= 0 and 0 <= found["foreseen"]["survived"] <= 1
    assert set(found["ball"]["imagined"]) == {"step_1", "step_5"}
    assert set(found["ball"]["probe_r2"]) == {"x", "y", "velocity_x", "velocity_y"}
    json.dumps(found, allow_nan=False)


def test_a_world_is_looked_at(small_world):
    config = small_world.config([2])
    env = open_env(config, None, num_envs=1, seed=0, training=False)
    env.close()
    (untrained,) = agents_of(init(config, env.spaces, jax.random.key(0))).values()
    sight = worlds.look(small_world, untrained)
    check_measures(sight.measures)
    assert sight.shown.truth.shape[:2] == sight.errors.model[:, :2].shape == (5, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("small_world")
def test_a_world_is_learned_and_looked_at(tmp_path):
    changes = ["training.env_steps=100", "training.train_every=20"]
    record = run(tmp_path, "worlds.breakout", "--seeds", "2", "--variant", "reset", changes=changes)
    assert record["experiment"].startswith("worlds.breakout-levels1-s5wm-seeds2-reset")
    assert record["training"]["2"]["level0"]["reconstruction"]["first"] > 0
    check_measures(record["measured"]["2"])
    check_figures(tmp_path, "learning_breakout-*_errors.png", "learning_breakout-*_pictures.png")


def test_rewards_foreseen_count_while_the_episode_is_thought_to_last():
    """One reward of 1 a step over two steps; the model thinks that the first step is half likely the last."""
    part = worlds.open_loop.Prediction(
        *[np.zeros(0)] * 4,
        reward=np.ones((2, 3), np.float32),
        imagined_reward=np.ones((2, 4, 3), np.float32),
        ends=np.array([[False] * 3, [True, False, False]]),
        imagined_continuation=np.stack([np.full((4, 3), 0.5), np.full((4, 3), 0.8)]),
    )
    found = worlds.foreseen([part])
    assert found["reward_sum"] == 2 and found["reward_sum_imagined"] == 1.5
    assert found["reward_sum_error"] == 0.5 and found["reward_sum_correlation"] is None
    assert found["survived"] == pytest.approx(2 / 3) and found["survived_imagined"] == pytest.approx(0.4)


@pytest.mark.parametrize(("a", "b"), [([], []), ([2.0], [1.0]), ([1.0, 2.0], [0.0, 0.0])])
def test_nothing_correlates_with_what_does_not_vary(a, b, recwarn):
    assert worlds.correlation(np.array(a), np.array(b)) is None
    assert not recwarn.list


def test_an_unknown_variant_is_told():
    with pytest.raises(SystemExit, match="wanted a variant among rssm, reset"):
        learning.main(["worlds.pong", "--variant", "magic"])


@pytest.mark.parametrize("name", ladder.LADDER)
def test_every_rung_can_be_built(name):
    rung = ladder.LADDER[name]
    for _, changes in (("plain", ()), *rung.variants):
        config = rung.config([3, 4], changes)
        assert config.all_seeds == (3, 4) and config.training.env_steps == rung.env_steps
    env = rung.make(num_envs=2, seed=0)
    assert env.reset().observation.shape[0] == 2
    asked = dict(rung.least).keys() | dict(rung.most).keys()
    assert asked, "a rung asks for something"


def test_tasks_name_environments():
    assert tasks.TASKS["krull"].config([0]).env.game == "Krull"
    assert tasks.TASKS["krull"].above == 1598, "random play, as published"
    assert tasks.TASKS["catch"].config([0]).env.id == "Catch-v0"
    assert tasks.TASKS["pin_pad"].factory(num_envs=1, seed=0).spaces.action == ActionSpace(
        kind="discrete", size=5
    )


def test_names_of_many_changes_are_short_enough_for_a_disk_and_differ():
    def case(last):
        sets = [word for i in range(20) for word in ("--set", f"world_model.s5.step_max=0.1{i}")]
        chosen = learning.parse(["ladder.memory_4", *sets, "--set", last])
        return learning.case_of("memory_4", ladder.LADDER["memory_4"].config([0]), chosen)

    one, other = case("world_model.unimix=0.1"), case("world_model.unimix=0.2")
    assert len(one) == len(other) == learning.LONGEST_CASE and one != other
    assert one.startswith("memory_4-levels1-s5wm-seeds0-world_model_s5_step_max_0_10-")


def test_an_unknown_name_is_told():
    with pytest.raises(SystemExit, match="wanted ladder or tasks or worlds"):
        learning.main(["ladder.flying"])
