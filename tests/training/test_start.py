"""How runs begin: with the agents of another run, or where the caller's own environment stands."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from hieros_eqx.agent import num_seeds, select_seed
from hieros_eqx.envs.probe import memory
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import load, start, train
from hieros_eqx.training.start import Found

NOTHING = Found(None, [], [])


def begun(config, source):
    envs = start.open_envs(config, None, NOTHING)
    try:
        return start.begin(config, envs, None, source).state
    finally:
        envs.close()


def assert_params(state, agent):
    leaves = zip(jax.tree.leaves(state.params), jax.tree.leaves(agent.params), strict=True)
    for ours, theirs in leaves:
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_run_begins_with_the_agent_of_another(config, finished):
    state = begun(config, finished[1])
    assert_params(state, load(finished[1]))
    assert int(state.env_step) == 0
    assert not state.replay[0].count.any()


def test_seeds_begin_with_their_namesakes_in_order_or_all_with_the_one(side_by_side, finished):
    result, path, _, _ = side_by_side
    config = replace(result.state.config, training=replace(result.state.config.training, seeds=(8, 9)))
    state = begun(config, path)
    assert num_seeds(state) == 2
    for index, seed in enumerate((3, 0)):
        assert_params(select_seed(state, index), load(path, seed=seed))
    state = begun(config, finished[1])
    for index in range(2):
        assert_params(select_seed(state, index), load(finished[1]))
    three = replace(config, training=replace(config.training, seeds=(1, 2, 3)))
    with pytest.raises(CheckpointError, match=r"wanted the agent of 1 seed or of 3, got 2"):
        begun(three, path)


def test_an_agent_of_other_sizes_is_refused(config, finished):
    with pytest.raises(CheckpointError, match=r"its agent does not fit this configuration \(.*wanted .*got"):
        begun(replace(config, levels=1), finished[1])


def test_run_json_says_where_the_agent_came_from(config, finished, tmp_path):
    def stop(_state, _record):
        raise KeyboardInterrupt

    path = tmp_path / "run"
    train(config, run_dir=path, from_checkpoint=finished[1], callbacks=[stop], progress=False)
    assert json.loads((path / "run.json").read_text())["from_checkpoint"] == str(finished[1])


def test_the_callers_own_environment_goes_on_and_stays_open(config, tmp_path):
    """It stands at another point than the run was stopped at: that is noticed, and new episodes begin."""

    def stop(_state, record):
        if record["env_step"] == 40:
            raise KeyboardInterrupt

    env = memory(num_envs=2)
    path = tmp_path / "run"
    train(config, env, run_dir=path, callbacks=[stop], progress=False)
    result = train(config, env, run_dir=path, progress=False)
    assert result.env_step == 80
    resumed = json.loads((path / "run.json").read_text())["resumed"]
    assert resumed[0]["environments"] == "new episodes"
    assert "did not repeat itself" in resumed[0]["reason"]
    env.reset()
