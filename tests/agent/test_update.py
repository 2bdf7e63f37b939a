"""Whole updates: who is trained by what, that the state may be donated, that nothing is traced twice."""

import importlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import act, init, update
from hieros_eqx.agent.init import _reward_weights
from hieros_eqx.agent.learn import imagination_starts
from hieros_eqx.agent.subgoal import adapt_beta
from hieros_eqx.config import SubgoalConfig
from hieros_eqx.replay.buffer import from_bits
from hieros_eqx.training.metrics import flatten
from hieros_eqx.types import ActionSpace, Batch, Latent, ObservationSpace, Spaces
from tests.agent.conftest import NUM_ENVS, SPACES, make_probe, on_host, tiny

compiled = importlib.import_module("hieros_eqx.agent.update")

ALTERNATIVES = {
    "intermediate_states": False,
    "world_model": {
        "s5": {
            "double": False,
            "ff_layers": 1,
            "discretization": "bilinear",
            "reset_state": "zeros",
            "centre_rate": 0.5,
        },
        "state_as_deter": False,
        "normalize_deter": True,
        "bin_space": "symlog",
        "upper_loss": "symlog_mse",
    },
    "subgoal": {"code": "sample", "target_kl": 0.01, "trained_on": "replay"},
    "reward": {
        "subgoal_norm": "plain",
        "novelty_norm": "mse",
        "novelty_levels": "upper",
        "extrinsic_levels": "worker",
        "macro_step": "sum",
        "symlog": False,
    },
    "behaviour": {
        "discount_time": "environment",
        "normalize_returns": False,
        "goal_lasts": "macro_step",
        "goal_input": "decoded",
        "code_log_prob": "mean",
        "upper_entropy_scale": 0.0,
    },
    "replay": {
        "sampling": "uniform",
        "etbs_scale": "capacity",
        "latents": "frozen",
        "sequence_start": "reset",
    },
    "optimizer": {"warmup": 3},
}


def played(config, spaces=SPACES, steps=300):
    """Return a state whose replay holds enough of every level to be drawn from."""
    state = init(config, spaces, jax.random.key(0))
    env = make_probe()
    timestep = env.reset()
    for _ in range(steps):
        state, action = act(state, timestep)
        chosen = np.asarray(action)
        if spaces.action.kind == "continuous":
            assert chosen.shape == (NUM_ENVS, spaces.action.size) and np.abs(chosen).max() <= 1
            chosen = np.zeros(NUM_ENVS, np.int32)
        timestep = env.step(chosen)
    return state


@pytest.fixture(scope="module")
def four():
    """Return four levels before, after one update of the worker, and after two more of the lowest three."""
    state = played(tiny(levels=4))
    before = on_host(strip(state))
    state, metrics = update(state, 1)
    first = on_host((strip(state), metrics))
    for _ in range(2):
        state, metrics = update(state, 3)
    return before, first, on_host((strip(state), metrics)), state


def strip(state):
    """Return the state without its PRNG key, which has no NumPy form."""
    return replace(state, key=jax.random.key_data(state.key))


def changed(a, b):
    """Return the share of leaves in which two trees differ."""
    pairs = list(zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    return np.mean([not np.array_equal(x, y) for x, y in pairs])


def test_depth_one_trains_the_worker_alone(four):
    before, (after, metrics), _, _ = four
    assert list(metrics) == ["level0"]
    assert changed(before.params.worker, after.params.worker) > 0.8
    assert changed(before.params.upper, after.params.upper) == 0
    assert changed(before.learner.upper, after.learner.upper) == 0
    assert after.train_step.tolist() == [1, 0, 0, 0]


def test_depth_three_trains_the_lowest_three_levels(four):
    before, _, (after, metrics), _ = four
    assert list(metrics) == ["level0", "level1", "level2"]
    for part in ("world_model", "actor", "critics", "autoencoder"):
        for index, trained in enumerate((True, True, False)):
            old, new = (getattr(s.params.upper[index], part) for s in (before, after))
            share = changed(old, new)
            assert share > 0.5 if trained else share == 0, (part, index)
    assert after.train_step.tolist() == [3, 2, 2, 0]
    assert after.learner.upper.updates.tolist() == [2, 2, 0]


def test_metrics_are_finite_and_named_by_level(four):
    _, _, (_, metrics), _ = four
    flat = flatten(metrics)
    assert all(np.isfinite(v) for v in flat.values())
    for level in range(3):
        assert {k.split("/")[1] for k in flat if k.startswith(f"level{level}/")} == {
            "world_model",
            "behaviour",
            "autoencoder",
            "goal",
            "gradient_norm",
            "clipped",
            "skipped",
        }
    assert flat["level2/behaviour/reward/subgoal"] > 0


def test_slow_critics_follow_by_their_rate(four):
    """After one update: slow = init + rate (fast - init), where the fast critic moved."""
    before, (after, _), _, _ = four
    rate = 0.02
    for slow0, fast0, slow1, fast1 in zip(
        *(
            jax.tree.leaves(tree)
            for state in (before, after)
            for tree in (state.learner.worker.slow_critics, state.params.worker.critics)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(slow0, fast0)
        np.testing.assert_allclose(slow1, fast0 + rate * (fast1 - fast0), rtol=1e-5, atol=1e-8)


def test_updates_write_fresh_latents_back_and_count_visits(four):
    before, (after, _), _, _ = four
    old, new = before.replay[0], after.replay[0]
    visited = new.visits > 0
    assert 5 <= visited.sum() <= 10 and new.visits.sum() == 10  # two sequences of five steps
    moved = np.any(np.asarray(old.deter) != np.asarray(new.deter), axis=-1)
    assert moved[visited].any() and not moved[~visited].any()
    assert np.isfinite(np.asarray(from_bits(new.deter))).all()


def test_no_two_leaves_share_a_buffer(four):
    """Donating one buffer twice is an error."""
    *_, state = four
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(strip(state)) if x.size]
    assert len(pointers) == len(set(pointers))
    fresh = init(tiny(levels=3), SPACES, jax.random.key(0))
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(strip(fresh)) if x.size]
    assert len(pointers) == len(set(pointers))


def test_donated_state_is_gone_and_nothing_is_traced_twice(four):
    *_, state = four
    # the state of this fixture is used up here; no test below may ask for it
    traces = compiled._update_worker._cache_size(), compiled._update_upper._cache_size()
    old = state.params.worker
    state, _ = update(state, 3)
    assert all(x.is_deleted() for x in jax.tree.leaves(old))
    assert (compiled._update_worker._cache_size(), compiled._update_upper._cache_size()) == traces
    before = on_host(state.params.upper)
    state, metrics = update(state, 4)
    assert changed(before[2], on_host(state.params.upper[2])) > 0.5
    flat = flatten(on_host(metrics))
    assert np.isfinite(list(flat.values())).all()
    assert flat["level3/behaviour/reward/subgoal"] == 0  # the top is given no goal


def test_depth_out_of_range_is_refused():
    state = init(tiny(levels=1), SPACES, jax.random.key(0))
    for depth in (0, 2):
        with pytest.raises(ValueError, match="depth"):
            update(state, depth)


def test_every_alternative_trains():
    """The other side of every choice, all at once: two levels, continuous actions."""
    spaces = Spaces(
        observation=ObservationSpace(kind="vector", shape=(3,)),
        action=ActionSpace(kind="continuous", size=2),
    )
    config = tiny(levels=2, **ALTERNATIVES)
    state = played(config, spaces, steps=120)
    before = on_host(strip(state))
    state, metrics = update(state, 2)
    after, flat = on_host(strip(state)), flatten(on_host(metrics))
    assert all(np.isfinite(v) for v in flat.values())
    assert changed(before.params.worker.world_model, after.params.worker.world_model) > 0.8
    for level in (after.params.worker, *after.params.upper[:1]):
        # half of the mean of what is layer-normalised, which the optimiser's rate would not reach
        assert 0.05 < np.abs(level.world_model.stack.centre).mean() < 0.5
    for old, new in zip(before.replay, after.replay, strict=True):
        np.testing.assert_array_equal(old.deter, new.deter)  # frozen
    assert after.learner.worker.autoencoder_beta != before.learner.worker.autoencoder_beta
    # warm-up: the first of three updates moves by a third of the rate, in the direction of the sign
    step = np.abs(
        after.params.worker.world_model.output.weight - before.params.worker.world_model.output.weight
    )
    np.testing.assert_allclose(step.max(), 1e-4 / 3, rtol=0.01)


def test_the_other_world_model_trains():
    state = played(tiny(levels=2, world_model={"kind": "rssm"}), steps=120)
    before = on_host(strip(state))
    state, metrics = update(state, 2)
    after = on_host(strip(state))
    assert all(np.isfinite(v) for v in flatten(on_host(metrics)).values())
    for old, new in zip(
        (before.params.worker, *before.params.upper), (after.params.worker, *after.params.upper), strict=True
    ):
        assert changed(old.world_model, new.world_model) > 0.8
        assert np.all(old.world_model.gates.weight != new.world_model.gates.weight)
    assert changed(before.replay[0].deter, after.replay[0].deter) == 1  # fresh latents are written back
    assert after.replay[0].state.shape[-1] == 0


def test_one_level_trains_without_hierarchy():
    state = played(tiny(levels=1), steps=60)
    state, metrics = update(state, 1)
    assert state.params.upper == () and list(metrics) == ["level0"]
    assert np.isfinite(list(flatten(on_host(metrics)).values())).all()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [(1, 0.3, 0.1), (1, 0.3, 0.1), (1, 0, 0.1)]),
        ({"extrinsic_levels": "worker"}, [(1, 0.3, 0.1), (0, 0.3, 0.1), (0, 0, 0.1)]),
        ({"extrinsic_levels": "upper"}, [(0, 0.3, 0.1), (1, 0.3, 0.1), (1, 0, 0.1)]),
        ({"novelty_levels": "upper"}, [(1, 0.3, 0), (1, 0.3, 0.1), (1, 0, 0.1)]),
    ],
)
def test_reward_weights_by_level(changes, wanted):
    config = tiny(levels=3, reward=changes)
    assert [_reward_weights(config, level) for level in range(3)] == wanted


def test_discount_by_level():
    assert [tiny(levels=3).discount(i) for i in range(3)] == [0.997] * 3
    config = tiny(levels=3, behaviour={"discount_time": "environment"})
    assert [config.discount(i) for i in range(3)] == [0.997, 0.997**3, 0.997**9]


def test_beta_steers_the_kl_of_sampled_codes():
    config = SubgoalConfig(code="sample", factors=8, target_kl=10.0)
    up = adapt_beta(np.float32(0.2), np.float32(2.0), config)  # 16 nats: too much
    down = adapt_beta(np.float32(0.2), np.float32(0.5), config)  # 4 nats: too little
    assert up > 0.2 > down
    assert adapt_beta(np.float32(0.0), np.float32(0.1), config) == 0
    assert adapt_beta(np.float32(0.5), np.float32(9.0), SubgoalConfig()) == np.float32(0.5)


def test_every_posterior_state_is_a_start_with_its_own_code(rng):
    time, batch = 4, 3
    where = np.arange(time * batch).reshape(time, batch)  # start number of every step
    terminal, last = rng.random((2, time, batch)) < 0.4
    code = rng.random((time, batch, 4, 4)).astype(np.float32)
    blank = Batch(**dict.fromkeys(Batch._fields))._replace(
        code=jnp.asarray(code), is_terminal=jnp.asarray(terminal), is_last=jnp.asarray(terminal | last)
    )
    latent = Latent(
        *(jnp.asarray(rng.normal(size=(time, batch, *size))) for size in ((2, 3), (5,), (6,), ()))
    )
    starts, codes, alive = imagination_starts(latent, blank)
    for t in range(time):
        for b in range(batch):
            for got, wanted in zip(starts, latent, strict=True):
                np.testing.assert_array_equal(got[where[t, b]], wanted[t, b])
            np.testing.assert_array_equal(codes[where[t, b]], code[t, b])
            assert float(alive[where[t, b]]) == (not terminal[t, b])
