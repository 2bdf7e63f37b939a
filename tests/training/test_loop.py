import json
import os
import shutil
import signal
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import agent
from hieros_eqx.envs.probe import memory
from hieros_eqx.errors import ConfigError, EnvError, TrainingError
from hieros_eqx.training import load, log, manifest, schedule, train


def test_counters_of_host_and_device_agree(config, finished):
    result, _, _, _ = finished
    assert (result.env_step, result.interrupted) == (80, False)
    assert int(result.state.env_step) == 80
    expected = schedule.train_steps(config, 80)
    assert min(expected) > 5
    np.testing.assert_array_equal(result.state.train_step, expected)


def test_metrics_lines(config, finished):
    _, path, records, _ = finished
    lines = log.read(path / "metrics.jsonl")
    assert [line["env_step"] for line in lines] == [20, 40, 60, 80]
    assert [step for step, _ in records] == [20, 40, 60, 80]
    assert [json.loads(json.dumps(record)) for _, record in records] == lines
    last = lines[-1]
    assert last["seed"] == config.training.seed
    assert last["train_step"] == last["level0/train_step"] == schedule.train_steps(config, 80)[0]
    assert 0 < lines[0]["seconds"] < last["seconds"]
    assert "nonfinite" not in last
    for level in ("level0", "level1"):
        assert last[f"{level}/world_model/reconstruction"] > 0
        assert f"{level}/behaviour/reward/novelty" in last


def test_episode_lines(finished):
    result, path, _, _ = finished
    lines = log.read(path / "episodes.jsonl")
    # an episode of the probe: five steps after the first, which counts as a step of the run too
    assert [line["env_step"] for line in lines] == [12 * (i // 2 + 1) for i in range(12)]
    assert [line["episode"] for line in lines] == list(range(1, 13))
    assert [line["env"] for line in lines] == [0, 1] * 6
    assert {(line["length"], line["truncated"], line["seed"]) for line in lines} == {(5, False, 0)}
    assert {line["return"] for line in lines} <= {-1.0, 1.0}
    assert tuple(line["return"] for line in lines) == result.returns


def test_the_device_is_asked_for_the_action_of_each_step_and_for_each_log_line(finished):
    assert finished[3] == 80 // 2 + 4


def test_the_newest_checkpoints_are_kept(finished):
    _, path, _, _ = finished
    assert manifest.steps(path / "checkpoints") == [72, 80]
    run = json.loads((path / "run.json").read_text())
    assert (run["command"], run["resumed"]) == ("pytest", [])


def test_a_finished_run_is_left_as_it_is(config, finished, tmp_path):
    _, path, _, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    result = train(config, run_dir=copy, progress=False)
    assert (result.env_step, result.interrupted, result.returns) == (80, False, ())
    assert (copy / "metrics.jsonl").read_bytes() == (path / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("how", ["keyboard", "signal"])
def test_an_interrupted_run_is_saved_and_continued(config, tmp_path, how):
    path = tmp_path / "run"

    def interrupt(_state, record):
        if record["env_step"] == 40:
            if how == "keyboard":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = train(config, run_dir=path, callbacks=[interrupt], progress=False)
    at = 40  # the step in which the wish came is finished
    assert (stopped.env_step, stopped.interrupted) == (at, True)
    assert stopped.signal == {"keyboard": signal.SIGINT, "signal": signal.SIGTERM}[how]
    assert manifest.steps(path / "checkpoints") == [24, at]

    # lines past the checkpoint, as a crash leaves them, are those of steps that will be taken again
    log.append(path / "metrics.jsonl", {"env_step": 60})
    log.append(path / "episodes.jsonl", {"env_step": 44, "episode": 7})
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"env_st')
    result = train(config, run_dir=path, progress=False)
    assert (result.env_step, result.interrupted) == (80, False)
    np.testing.assert_array_equal(result.state.train_step, schedule.train_steps(config, 80))
    lines = log.read(path / "metrics.jsonl")
    assert [line["env_step"] for line in lines] == [20, 40, 60, 80]
    assert np.all(np.diff([line["seconds"] for line in lines]) > 0)
    episodes = log.read(path / "episodes.jsonl")
    assert [line["env_step"] for line in episodes] == [12 * (i // 2 + 1) for i in range(12)]
    assert [line["episode"] for line in episodes] == list(range(1, 13))
    resumed = json.loads((path / "run.json").read_text())["resumed"]
    assert [(r["env_step"], r["environments"]) for r in resumed] == [(at, "actions")]


def test_a_run_with_another_configuration_is_refused(config, finished):
    _, path, _, _ = finished
    other = replace(config, training=replace(config.training, seed=7))
    with pytest.raises(ConfigError, match=r"training\.seed: 0 -> 7"):
        train(other, run_dir=path, progress=False)


def test_a_run_whose_environment_cannot_be_made_leaves_no_directory(config, tmp_path):
    other = replace(config, env=replace(config.env, id="hieros_eqx.envs.probe:no_such_probe"))
    with pytest.raises(EnvError, match="no_such_probe"):
        train(other, run_dir=tmp_path / "run", progress=False)
    with pytest.raises(ConfigError, match=r"env\.game and env\.id"):
        train(replace(config, env=replace(config.env, id=None)), run_dir=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_ones_own_environment_and_nothing_written(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    env = memory(num_envs=2)
    result = train(config, env, progress=True)
    assert (result.env_step, len(result.returns)) == (80, 12)
    assert list(tmp_path.iterdir()) == []
    assert "compiling the update of 2 levels" in capsys.readouterr().err
    env.reset()  # still open


@pytest.fixture
def poisoned(monkeypatch):
    """From step 60 on, all rewards in replay are NaN whenever an update draws from it."""
    update = agent.update

    def poison(state, depth):
        if int(state.env_step) > 60:
            ring = state.replay[0]
            ring = replace(ring, reward=jnp.full_like(ring.reward, jnp.nan))
            state = replace(state, replay=(ring, *state.replay[1:]))
        return update(state, depth)

    monkeypatch.setattr(agent, "update", poison)


@pytest.mark.usefixtures("poisoned")
def test_updates_that_are_not_finite_end_the_run_and_the_last_good_state_is_saved(config, finished, tmp_path):
    path = tmp_path / "run"
    strict = replace(config, training=replace(config.training, max_skipped_updates=5))
    with pytest.raises(TrainingError, match=r"level 0 of seed 0: .* got 5 by environment step 80") as error:
        train(strict, run_dir=path, progress=False)
    assert error.value.__notes__ == ["The run is saved at step 80; the same command continues it."]
    last = log.read(path / "metrics.jsonl")[-1]
    assert (last["env_step"], last["level0/skipped"], last["level1/skipped"]) == (80, 1.0, 0.0)
    assert "level0/world_model/loss" in last["nonfinite"]
    diagnosis = json.loads((path / "diagnosis.json").read_text())
    assert diagnosis["seeds"][0]["levels"][0]["skipped_in_row"] == 5
    assert diagnosis["seeds"][0]["levels"][0]["replay"]["reward"]["not_finite"] > 0
    saved = jax.tree.leaves(load(path, env_step=80).params.worker)
    good = jax.tree.leaves(load(finished[1], env_step=72).params.worker)
    assert all(np.isfinite(leaf).all() for leaf in saved)
    assert [leaf.shape for leaf in saved] == [leaf.shape for leaf in good]
    again = train(strict, run_dir=path, progress=False)
    assert again.env_step == 80
