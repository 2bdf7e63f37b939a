"""What a checkpoint holds, which are kept, and that one is there as a whole or not at all."""

import json
import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import arrays, checkpoint, content, load, log, manifest
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


def newest(folder, config, spaces):
    found, problems = checkpoint.newest_whole(folder)
    assert not problems
    return checkpoint.restore(folder, found, config, spaces)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished run, to be spoilt; hard links become files of their own."""
    shutil.copytree(finished[1], tmp_path / "run")
    return tmp_path / "run"


def test_round_trip_is_bit_exact(config, finished):
    result, path, _, _ = finished
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(result.state)}
    assert {"uint16", "float32", "uint8", "bool", "int32", "key<fry>"} <= dtypes
    state, host, history, _ = newest(path / "checkpoints", config, result.state.spaces)
    assert_same(state, result.state)
    assert not any(leaf.committed for leaf in jax.tree.leaves(state)), "programs need not compile anew"
    assert (host.counters.env_step, host.counters.episodes, host.begun) == (80, (12,), 0)
    episodes = log.read(path / "episodes.jsonl")
    assert host.recent == {0: tuple(line["return"] for line in episodes[-10:])}
    assert history.actions.shape == (40, 2)
    assert history.checks.shape == history.first.shape == (41, 2)


def test_the_running_means_of_metrics_are_kept(config, finished):
    """At 72 the last log line is that of step 60."""
    found = manifest.read(finished[1] / "checkpoints" / "72")
    _, host, _, _ = checkpoint.restore(finished[1] / "checkpoints", found, config, finished[0].state.spaces)
    assert {name: group.count for name, group in host.means.items()} == {"level0": 3, "level1": 2}
    assert all(group.total.dtype == np.float32 for group in host.means.values())


def test_a_save_writes_what_is_new(finished):
    """Files of the checkpoint before are the same files on disk."""
    folder = finished[1] / "checkpoints"
    old, new = (manifest.read(folder / step).files for step in ("72", "80"))
    shared = [name for name in new if name.startswith(("replay/", "environments/")) and name in old]
    assert len(shared) >= 4
    for name in shared:
        assert (folder / "80" / name).samefile(folder / "72" / name)
    entries = [name for name in new if "entries-80" in name or "80-entries" in name]
    assert len(entries) == 2
    assert all(new[name].size < sum(old[n].size for n in old if "entries" in n) / 4 for name in entries)


def test_bfloat16_survives(tmp_path):
    """A state may hold it, though today's replay keeps its bits as uint16."""
    item = {"params/x": jnp.asarray([1.5, -2.0], jnp.bfloat16)}
    arrays.write(tmp_path / "c", arrays.to_host(item))
    assert_same(arrays.read(tmp_path / "c", item), arrays.to_host(item))
    with pytest.raises(CheckpointError, match=r"params/x: wanted bfloat16\[3\], got bfloat16\[2\]"):
        arrays.read(tmp_path / "c", {"params/x": jnp.zeros(3, jnp.bfloat16)})


def test_copies_on_the_host_outlive_the_device():
    leaf = jnp.arange(5.0) + 1
    held = arrays.to_host({"x": leaf})["x"]
    jax.jit(lambda x: x * 0, donate_argnums=0)(leaf).block_until_ready()
    np.testing.assert_array_equal(held, [1, 2, 3, 4, 5])


def test_fresh_episodes_change_the_carry_alone(finished):
    state = finished[0].state
    fresh = checkpoint.fresh_episodes(state)
    assert jax.tree.structure(fresh) == jax.tree.structure(state)
    assert int(fresh.carry.clock.sum()) == 0 < int(state.carry.clock.sum())
    for (name, x), y in zip(flatten(state).items(), jax.tree.leaves(fresh), strict=True):
        assert x is y or name.startswith("carry/")
        assert x is y or x.aval == y.aval, f"{name}: programs need not compile anew"


def test_load_reads_the_parameters_alone(config, finished, copy):
    result = finished[0]
    for step in (72, 80):
        for part in ("rest", "replay", "environments"):
            shutil.rmtree(copy / "checkpoints" / str(step) / part)
    agent = load(copy)
    assert_same(agent.params, result.state.params)
    assert (agent.config, agent.spaces) == (config, result.state.spaces)
    earlier = load(copy, env_step=72)
    assert any(
        not np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(earlier.params), jax.tree.leaves(agent.params), strict=True)
    )


def test_load_takes_the_one_before_a_damaged_agent(finished, copy):
    file = max((copy / "checkpoints" / "80" / "agent").rglob("*"), key=lambda p: p.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=rf"{file.name}: is damaged \(wanted \d+ bytes, got \d+\)"):
        agent = load(copy)
    assert_same(agent.params, load(finished[1], env_step=72).params)
    with pytest.raises(CheckpointError, match=file.name):
        load(copy, env_step=80)


def test_what_was_not_committed_is_no_checkpoint(copy):
    folder = copy / "checkpoints"
    shutil.copytree(folder / "80", folder / ".saving-96")
    assert manifest.steps(folder) == [72, 80]
    manifest.sweep(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["72", "80"]


def test_a_folder_without_manifest_is_named_and_kept(copy):
    folder = copy / "checkpoints"
    (folder / "80" / "manifest.json").unlink()
    found, problems = checkpoint.newest_whole(folder)
    assert found.env_step == 72
    assert problems == [f"{folder / '80'}: has no manifest.json."]
    assert manifest.set_aside(folder, 80).name == "80.damaged"
    shutil.copytree(folder / "72", folder / "80")
    assert manifest.set_aside(folder, 80).name == "80.damaged-2"
    assert manifest.steps(folder) == [72]


def test_checkpoints_of_the_format_before_are_refused_with_the_reason(copy):
    folder = copy / "checkpoints"
    shutil.rmtree(folder / "72")
    (folder / "80" / "manifest.json").unlink()
    (folder / "80" / "_CHECKPOINT_METADATA").touch()
    (folder / "80" / "host").mkdir()
    with pytest.raises(CheckpointError, match=r"got none\. .*80: has no manifest.json \(its format is older"):
        checkpoint.newest_whole(folder)


def test_a_newer_format_is_refused(copy):
    file = copy / "checkpoints" / "80" / "manifest.json"
    body = json.loads(file.read_text()) | {"format": 2}
    file.write_text(json.dumps(body))
    with pytest.raises(CheckpointError, match="wanted format 1, got 2"):
        manifest.read(file.parent)


def test_nothing_to_load(finished, tmp_path):
    _, path, _, _ = finished
    with pytest.raises(CheckpointError, match=r"wanted a run directory with config\.json"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match=r"wanted a checkpoint at step 3, got those at \[72, 80\]"):
        load(path, env_step=3)
    shutil.copy(path / "config.json", tmp_path)
    shutil.copy(path / "spaces.json", tmp_path)
    with pytest.raises(CheckpointError, match="wanted a checkpoint, got none"):
        load(tmp_path)
    assert checkpoint.newest_whole(tmp_path / "checkpoints") == (None, [])


def test_the_newest_and_the_best_are_kept(config, finished, copy):
    """The score is that of the manifests: 24 is better than all after it."""
    result = finished[0]
    folder = copy / "checkpoints"
    restored = newest(folder, config, result.state.spaces)
    shutil.rmtree(folder / "72")
    for step, value in ((100, 5.0), (101, 1.0), (102, 5.0), (103, 2.0), (104, None)):
        returns = (value,) * 10 if value is not None else (1e9,) * 9
        counters = restored.host.counters._replace(env_step=step)
        host = restored.host._replace(counters=counters, recent={0: returns})
        ledger = replace(restored.ledger, path=folder / "80")
        nothing = restored.history._replace(actions=restored.history.actions[:0])
        nothing = nothing._replace(checks=nothing.checks[-1:], first=nothing.first[-1:])
        shot = checkpoint.snapshot(restored.state, host, nothing, ledger)
        checkpoint.write(folder, shot, ledger)
    assert checkpoint.best_step(folder) == 102
    checkpoint.retire(folder, 2)
    assert manifest.steps(folder) == [102, 103, 104]
    assert_same(load(copy, "best").params, result.state.params)
    assert_same(newest(folder, config, result.state.spaces).state, result.state)


def test_no_score_before_every_seed_has_finished_enough_episodes(config, finished):
    host = newest(finished[1] / "checkpoints", config, finished[0].state.spaces).host
    assert content.score(host._replace(recent={0: (1.0,) * 10, 3: (3.0,) * 10})) == 2.0
    assert content.score(host._replace(recent={0: (1.0,) * 10, 3: (3.0,) * 9})) is None
