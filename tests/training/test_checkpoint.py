import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint, load
from hieros_eqx.training.metrics import flatten


def assert_same(a, b):
    """Same tree, same dtypes, same bits."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (name, x), (_, y) in zip(flatten(a).items(), flatten(b).items(), strict=True):
        assert x.dtype == y.dtype, name
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert np.asarray(x).shape == np.asarray(y).shape, name
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes(), name


def test_round_trip_is_bit_exact(config, finished):
    result, path, _, _ = finished
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(result.state)}
    assert {"uint16", "float32", "uint8", "bool", "int32", "key<fry>"} <= dtypes
    state, host = checkpoint.restore(path / "checkpoints", config, result.state.spaces)
    assert_same(state, result.state)
    assert host["env_step"] == 80
    assert host["episodes"] == [12]
    assert not any(leaf.committed for leaf in jax.tree.leaves(state)), "programs need not compile anew"


def test_bfloat16_survives(tmp_path):
    """A state may hold it, though today's replay keeps its bits as uint16."""
    item = {"params/x": jnp.asarray([1.5, -2.0], jnp.bfloat16)}
    with ocp.CheckpointManager(tmp_path / "c") as manager:
        manager.save(0, args=ocp.args.Composite(agent=ocp.args.StandardSave(item)))
        manager.wait_until_finished()
    found = checkpoint._restore_item(tmp_path / "c", 0, checkpoint.AGENT, {"params": {"x": item["params/x"]}})
    assert_same(found, item)
    with pytest.raises(CheckpointError, match=r"params/x: wanted bfloat16\[3\], got bfloat16\[2\]"):
        checkpoint._restore_item(
            tmp_path / "c", 0, checkpoint.AGENT, {"params": {"x": jnp.zeros(3, jnp.bfloat16)}}
        )


def test_fresh_episodes_change_the_carry_alone(finished):
    state = finished[0].state
    fresh = checkpoint.fresh_episodes(state)
    assert jax.tree.structure(fresh) == jax.tree.structure(state)
    assert int(fresh.carry.clock.sum()) == 0 < int(state.carry.clock.sum())
    for (name, x), y in zip(flatten(state).items(), jax.tree.leaves(fresh), strict=True):
        assert x is y or name.startswith("carry/")
        assert x is y or x.aval == y.aval, f"{name}: programs need not compile anew"


def test_load_reads_the_parameters_alone(config, finished, tmp_path):
    result, path, _, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    for step in (72, 80):
        shutil.rmtree(copy / "checkpoints" / str(step) / "rest")
        (copy / "checkpoints" / str(step) / "rest").mkdir()
    agent = load(copy)
    assert_same(agent.params, result.state.params)
    assert (agent.config, agent.spaces) == (config, result.state.spaces)
    earlier = load(copy, env_step=72)
    assert any(
        not np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(earlier.params), jax.tree.leaves(agent.params), strict=True)
    )


def test_an_incomplete_checkpoint_is_never_used(config, finished, tmp_path):
    result, path, _, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    folder = copy / "checkpoints"
    shutil.copytree(folder / "80", folder / "96.orbax-checkpoint-tmp")
    shutil.copytree(folder / "80", folder / "90")
    (folder / "90" / "_CHECKPOINT_METADATA").unlink()
    shutil.copytree(folder / "80", folder / "92")
    shutil.rmtree(folder / "92" / "host")
    assert checkpoint.complete_steps(folder) == [72, 80]
    _, host = checkpoint.restore(folder, config, result.state.spaces)
    assert host["env_step"] == 80


def test_nothing_to_load(config, finished, tmp_path):
    result, path, _, _ = finished
    with pytest.raises(CheckpointError, match=r"wanted a run directory with config\.json"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match=r"wanted a checkpoint at step 3, got those at \[72, 80\]"):
        load(path, env_step=3)
    shutil.copy(path / "config.json", tmp_path)
    shutil.copy(path / "spaces.json", tmp_path)
    with pytest.raises(CheckpointError, match="wanted a checkpoint, got none"):
        load(tmp_path)
    assert checkpoint.restore(tmp_path / "checkpoints", config, result.state.spaces) is None
