"""Seeds side by side, from the loop to the files: each trains, logs and plays as it would alone."""

import json
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest
from click.testing import CliRunner

from hieros_eqx.envs.probe import memory
from hieros_eqx.errors import CheckpointError, ConfigError, EnvError
from hieros_eqx.training import checkpoint, evaluate, evaluate_seeds, load, load_all, log, manifest, train
from hieros_eqx.training.metrics import flatten

SEEDS = (3, 0)
TIMES = ("seconds", "steps_per_second")


def test_episodes_are_those_of_the_seeds_alone(side_by_side, alone):
    result, path, _, _ = side_by_side
    lines = log.read(path / "episodes.jsonl")
    for seed, (solo, solo_path) in alone.items():
        assert [line for line in lines if line["seed"] == seed] == log.read(solo_path / "episodes.jsonl")
        assert result.returns_by_seed[seed] == solo.returns_by_seed[seed] == solo.returns
    assert result.returns_by_seed[3] != result.returns_by_seed[0]
    assert result.returns == result.returns_by_seed[3] + result.returns_by_seed[0]


def test_metrics_are_those_of_the_seeds_alone(side_by_side, alone):
    _, path, records, _ = side_by_side
    lines = log.read(path / "metrics.jsonl")
    assert [(line["env_step"], line["seed"]) for line in lines] == [
        (step, seed) for step in (20, 40, 60, 80) for seed in SEEDS
    ]
    assert [json.loads(json.dumps(record)) for _, record in records] == lines
    assert [step for step, _ in records] == [line["env_step"] for line in lines]
    for seed, (_, solo_path) in alone.items():
        own, wanted = (
            [line for line in log.read(p / "metrics.jsonl") if line["seed"] == seed]
            for p in (path, solo_path)
        )
        for mine, theirs in zip(own, wanted, strict=True):
            assert list(mine) == list(theirs)
            for key in mine.keys() - TIMES:
                # float32: sums in another order, 15 updates on top of each other
                np.testing.assert_allclose(mine[key], theirs[key], rtol=1e-4, atol=1e-6, err_msg=key)
    assert lines[-1]["level0/world_model/reconstruction"] != lines[-2]["level0/world_model/reconstruction"]


def test_the_device_is_asked_once_for_the_actions_and_lines_of_all_seeds(side_by_side):
    assert side_by_side[3] == 80 // 2 + 4


def test_agents_are_those_of_the_seeds_alone(side_by_side, alone):
    result, _, _, _ = side_by_side
    assert list(result.agents) == list(SEEDS)
    for seed, (solo, _) in alone.items():
        assert result.agents[seed].config == solo.agent.config
        assert_close(result.agents[seed].params, solo.agent.params)
        assert solo.agents.keys() == {seed}
    with pytest.raises(ValueError, match="wanted a run of one seed, got 3, 0"):
        result.agent  # noqa: B018


def test_the_agent_of_a_seed_is_loaded_from_the_run_or_from_its_own_folder(side_by_side, alone):
    result, path, _, _ = side_by_side
    assert sorted(p.name for p in (path / "agents").iterdir()) == ["seed_0", "seed_3"]
    assert list(load_all(path)) == list(SEEDS)
    for seed in SEEDS:
        assert manifest.steps(path / "agents" / f"seed_{seed}" / "checkpoints") == [80]
        wanted = result.agents[seed]
        for agent in (
            load(path, seed=seed),
            load(path, env_step=80, seed=seed),
            load_all(path)[seed],
            load(path / "agents" / f"seed_{seed}"),
            load(path / "agents" / f"seed_{seed}", seed=seed),
        ):
            assert (agent.config, agent.spaces) == (wanted.config, wanted.spaces)
            assert agent.config == agent.params.config == result.state.config.for_seed(seed)
            assert_same(agent.params, wanted.params)
    _, solo_path = alone[3]
    assert_same(load(solo_path / "agents" / "seed_3").params, load(solo_path).params)
    assert load_all(solo_path).keys() == {3}


def test_a_seed_that_is_not_there(side_by_side):
    _, path, _, _ = side_by_side
    with pytest.raises(CheckpointError, match="wanted `seed` to be one of 3, 0, got none"):
        load(path)
    with pytest.raises(CheckpointError, match="wanted `seed` to be one of 3, 0, got 1"):
        load(path, seed=1)
    with pytest.raises(CheckpointError, match="wanted `seed` to be one of 0, got 3"):
        load(path / "agents" / "seed_0", seed=3)
    with pytest.raises(CheckpointError, match=r"wanted a checkpoint at step 5, got those at \[72, 80\]"):
        load(path, env_step=5, seed=3)


def test_a_run_of_seeds_is_continued(side_by_side, alone, tmp_path):
    """From the checkpoint at 72, as if the rest had been lost."""
    result, path, _, _ = side_by_side
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    shutil.rmtree(copy / "checkpoints" / "80")
    found, _ = checkpoint.newest_whole(copy / "checkpoints")
    state, host, _, _ = checkpoint.restore(
        copy / "checkpoints", found, result.state.config, result.state.spaces
    )
    assert host.counters.episodes == (12, 12)
    np.testing.assert_array_equal(state.env_step, 72)
    assert jax.tree.map(np.shape, state) == jax.tree.map(np.shape, result.state)

    again = train(result.state.config, run_dir=copy, progress=False)
    assert (again.env_step, again.interrupted) == (80, False)
    lines = log.read(copy / "metrics.jsonl")
    assert [(line["env_step"], line["seed"]) for line in lines] == [
        (step, seed) for step in (20, 40, 60, 80) for seed in SEEDS
    ]
    assert json.loads((copy / "run.json").read_text())["resumed"][0]["env_step"] == 72
    for seed in SEEDS:
        own = log.read(copy / "episodes.jsonl")
        assert [line["episode"] for line in own if line["seed"] == seed] == list(range(1, 13))
        # the agent that lay there at 80 was that of a past which is gone
        assert_same(load(copy / "agents" / f"seed_{seed}").params, again.agents[seed].params)
        solo = train(*resumable(alone[seed], tmp_path / str(seed)), progress=False)
        assert_close(again.agents[seed].params, solo.agent.params)


def resumable(run, path):
    result, original = run
    shutil.copytree(original, path)
    shutil.rmtree(path / "checkpoints" / "80")
    return result.state.config, None, path


def test_other_seeds_are_another_run(side_by_side):
    result, path, _, _ = side_by_side
    other = replace(result.state.config, training=replace(result.state.config.training, seeds=(3, 1)))
    with pytest.raises(ConfigError, match=r"training\.seeds: \[3, 0\] -> \[3, 1\]"):
        train(other, run_dir=path, progress=False)


def test_ones_own_environment_has_room_for_all_seeds(config):
    several = replace(config, training=replace(config.training, seeds=SEEDS))
    with pytest.raises(EnvError, match="wanted 4 environments"):
        train(several, memory(num_envs=2), progress=False)


@pytest.mark.parametrize("backend", ["jax", "numpy"])
def test_every_agent_plays_as_it_would_alone(side_by_side, backend):
    agents = side_by_side[0].agents
    results = evaluate_seeds(agents, None, 3, backend=backend, seed=5)
    assert list(results) == list(SEEDS)
    for seed, agent in agents.items():
        assert results[seed] == evaluate(agent, None, 3, backend=backend, seed=5)
        assert results[seed].lengths == (5, 5, 5)
    again = [evaluate_seeds(agents, None, 3, backend=backend, seed=5, num_envs=2) for _ in range(2)]
    assert again[0] == again[1], "the same seed, the same episodes"
    for seed, agent in agents.items():
        assert again[0][seed] == evaluate(agent, None, 3, backend=backend, seed=5, num_envs=2)
    assert evaluate(agents[3], memory(num_envs=2), 1, backend=backend, num_envs=7).lengths == (5,)


def test_the_command_line_plays_all_seeds(side_by_side, tmp_path):
    from hieros_eqx_cli.main import main

    copy = tmp_path / "run"
    shutil.copytree(side_by_side[1], copy)
    result = CliRunner().invoke(main, ["eval", str(copy), "--episodes", "2", "--backend", "numpy"])
    assert result.exit_code == 0, result.stderr
    wanted = evaluate_seeds(side_by_side[0].agents, None, 2, backend="numpy", num_envs=2)
    means = {seed: played.mean for seed, played in wanted.items()}
    *lines, last = result.stdout.splitlines()
    assert [line.partition(" episodes: ")[0] for line in lines] == ["seed 3: 2", "seed 0: 2"]
    assert last.startswith(f"mean over 2 seeds: {sum(means.values()) / 2:g} [")
    record = json.loads((copy / "eval-seed0-numpy.json").read_text())
    assert {int(seed): own["mean"] for seed, own in record["seeds"].items()} == means
    assert (record["env_step"], record["final"]) == (80, True)


def test_impossible_evaluations(side_by_side):
    agents = side_by_side[0].agents
    with pytest.raises(ValueError, match="at least one agent"):
        evaluate_seeds({})
    with pytest.raises(ValueError, match="at least 1 episode"):
        evaluate_seeds(agents, None, 0)
    with pytest.raises(ValueError, match="an id or a factory"):
        evaluate_seeds(agents, memory(num_envs=2))
    with pytest.raises(EnvError, match="wanted an environment with"):
        evaluate_seeds(agents, "hieros_eqx.envs.probe:constant_reward", 1)
    other = replace(agents[0], config=replace(agents[0].config, levels=1))
    with pytest.raises(ValueError, match="levels: 2 -> 1"):
        evaluate_seeds({3: agents[3], 0: other})


def assert_close(a, b):
    for (name, x), (_, y) in zip(flatten(a).items(), flatten(b).items(), strict=True):
        # float32, 15 updates of Adam, each of 1e-4 at most in the direction of a noisy sign
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5, err_msg=name)


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (name, x), (_, y) in zip(flatten(a).items(), flatten(b).items(), strict=True):
        assert x.dtype == y.dtype, name
        np.testing.assert_array_equal(x, y, err_msg=name)
