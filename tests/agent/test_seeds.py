"""Seeds side by side: each is what it would be alone, in one program that copies nothing."""

import importlib
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import (
    LevelMetrics,
    act,
    init,
    init_seeds,
    num_seeds,
    seed_mesh,
    select_seed,
    update,
)
from hieros_eqx.agent.seeds import SeedAxis, over_seeds
from hieros_eqx.agent.update import _refresh, sample_batch
from hieros_eqx.envs.probe import memory
from hieros_eqx.replay import replay_bytes
from hieros_eqx.types import Timestep
from tests.agent.conftest import NUM_ENVS, on_host, tiny

step, compiled = (importlib.import_module(f"hieros_eqx.agent.{name}") for name in ("step", "update"))

SEEDS = (3, 0, 8)
WARM_UP, UPDATES = 60, 50
CONFIG = tiny(
    levels=2,
    world_model={"s5": {"double": False}, "head_layers": 1, "mlp_layers": 1},
    behaviour={"layers": 1},
    subgoal={"layers": 1},
)
SPACES = memory().spaces
X64 = jax.config.jax_enable_x64


@pytest.fixture(scope="module", autouse=True)
def promotion():
    """What is stored stays float32 beside a float64 agent, so the two must mix."""
    with jax.numpy_dtype_promotion("standard"):
        yield


class Run(NamedTuple):
    """What a run leaves behind."""

    actions: np.ndarray  # [step seed env]
    metrics: Any  # of the last update
    state: Any  # alive
    traces: tuple[int, int, int]


class Pool:
    """The environments of some seeds, `[seed env ...]`, each seed's made as for itself alone."""

    def __init__(self, seeds):
        self._envs = [memory(num_envs=NUM_ENVS, seed=seed) for seed in seeds]

    def reset(self):
        return self._stacked([env.reset() for env in self._envs])

    def step(self, action):
        return self._stacked([env.step(own) for env, own in zip(self._envs, action, strict=True)])

    def _stacked(self, timesteps):
        return jax.tree.map(lambda *x: np.stack(x), *timesteps)


def exact(state):
    """Return a state whose parameters, learners and carry are float64, where JAX has it."""

    def widen(x):
        return x.astype(jnp.float64) if X64 and jnp.issubdtype(x.dtype, jnp.floating) else x

    parts = jax.tree.map(widen, (state.params, state.learner, state.carry))
    return replace(state, **dict(zip(("params", "learner", "carry"), parts, strict=True)))


def traces():
    return tuple(f._cache_size() for f in (step._act, compiled._update_worker, compiled._update_upper))


def run(state, seeds):
    """Act in the environments of `seeds`, then go on acting and train both levels after every step."""
    pool, before, actions, metrics = Pool(seeds), traces(), [], None
    alone = num_seeds(state) is None
    timestep = pool.reset()
    for i in range(WARM_UP + UPDATES):
        state, action = act(state, jax.tree.map(lambda x: x[0], timestep) if alone else timestep)
        actions.append(np.array(action)[None] if alone else np.array(action))
        timestep = pool.step(actions[-1])
        if i >= WARM_UP:
            state, metrics = update(state, 2)
    new = tuple(after - was for after, was in zip(traces(), before, strict=True))
    return Run(np.stack(actions), on_host(metrics), state, new)


@pytest.fixture(scope="module")
def fresh():
    return init_seeds(CONFIG, SPACES, SEEDS)


@pytest.fixture(scope="module")
def alone():
    return [run(exact(init(CONFIG, SPACES, jax.random.key(seed))), [seed]) for seed in SEEDS]


@pytest.fixture(scope="module")
def together(fresh, alone):  # after `alone`, so that its traces are not counted here
    del alone
    return run(exact(jax.tree.map(jnp.copy, fresh)), SEEDS)


def numbers(state):
    """Return the leaves of a state by name, on the host; the key as the numbers that it is made of."""
    state = replace(state, key=jax.random.key_data(state.key))
    return {jax.tree_util.keystr(path): np.array(x) for path, x in jax.tree_util.tree_leaves_with_path(state)}


def test_every_seed_begins_as_it_would_alone(fresh):
    shapes = {name: x.shape for name, x in numbers(fresh).items()}
    for index, seed in enumerate(SEEDS):
        wanted, got = numbers(init(CONFIG, SPACES, jax.random.key(seed))), numbers(select_seed(fresh, index))
        assert list(got) == list(wanted)
        for name, value in wanted.items():
            np.testing.assert_array_equal(got[name], value, err_msg=name)
            counter = name in (".env_step", ".train_step")
            assert shapes[name] == value.shape if counter else (len(SEEDS), *value.shape)


@pytest.mark.x64
def test_every_seed_acts_and_learns_as_it_would_alone(alone, together):
    """50 updates of both levels. Nothing is chaotic enough to lift float64's rounding to 1e-6 so soon."""
    assert together.actions.shape == (WARM_UP + UPDATES, len(SEEDS), NUM_ENVS)
    for index, solo in enumerate(alone):
        np.testing.assert_array_equal(together.actions[:, index], solo.actions[:, 0])
        wanted, got = numbers(solo.state), numbers(select_seed(together.state, index))
        assert list(got) == list(wanted)
        for name, value in wanted.items():
            if np.issubdtype(value.dtype, np.floating):
                np.testing.assert_allclose(got[name], value, rtol=1e-6, atol=1e-12, err_msg=name)
            else:  # what replay holds of latents, too, and the key
                np.testing.assert_array_equal(got[name], value, err_msg=name)
        own = jax.tree.map(lambda x, index=index: x[index], together.metrics)
        for x, y in zip(jax.tree.leaves(own), jax.tree.leaves(solo.metrics), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


def test_seeds_go_separate_ways(together):
    first, second = (numbers(select_seed(together.state, index)) for index in (0, 1))
    assert (together.actions[:, 0] != together.actions[:, 1]).any()
    weights = [name for name in first if name.endswith(".weight") and ".params" in name]
    assert len(weights) > 20
    assert all((first[name] != second[name]).any() for name in weights)


def test_counters_count_one_seed(together):
    assert int(together.state.env_step) == (WARM_UP + UPDATES) * NUM_ENVS
    assert together.state.train_step.tolist() == [UPDATES, UPDATES]
    assert num_seeds(together.state) == len(SEEDS)
    assert isinstance(together.metrics["level1"], LevelMetrics)
    assert {x.shape for x in jax.tree.leaves(together.metrics)} == {(len(SEEDS),)}


def test_one_trace_for_each_program(alone, together):
    assert [solo.traces for solo in alone] == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]
    assert together.traces == (1, 1, 1)


def test_the_state_is_donated(together):
    state = jax.tree.map(jnp.copy, together.state)
    pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state.replay)]
    new, _ = act(state, Pool(SEEDS).reset())
    given = (state.carry, state.replay, state.key, state.env_step)
    assert all(x.is_deleted() for x in jax.tree.leaves(given))
    assert [x.unsafe_buffer_pointer() for x in jax.tree.leaves(new.replay)] == pointers
    after, _ = update(new, 2)
    given = (new.params, new.learner, new.replay, new.key, new.train_step)
    assert all(x.is_deleted() for x in jax.tree.leaves(given))
    assert [x.unsafe_buffer_pointer() for x in jax.tree.leaves(after.replay)] == pointers


def test_no_two_leaves_share_a_buffer(fresh, together):
    for state in (fresh, select_seed(fresh, 1), together.state, select_seed(together.state, 1)):
        leaves = jax.tree.leaves(replace(state, key=jax.random.key_data(state.key)))
        pointers = [x.unsafe_buffer_pointer() for x in leaves if x.size]
        assert len(pointers) == len(set(pointers))


@pytest.mark.x64
def test_a_selected_seed_goes_on_alone(alone, together):
    """Its state can be given away, and the one that it came from goes on as if nothing had happened."""
    before, index = numbers(together.state), 1
    timestep = memory(num_envs=NUM_ENVS, seed=77).reset()
    traced = traces()
    state, action = act(select_seed(together.state, index), timestep)
    state, metrics = update(state, 2)
    assert traces() == traced
    assert num_seeds(state) is None and state.train_step.tolist() == [UPDATES + 1] * 2
    wanted_state, wanted_action = act(jax.tree.map(jnp.copy, alone[index].state), timestep)
    _, wanted = update(wanted_state, 2)
    np.testing.assert_array_equal(action, wanted_action)
    for x, y in zip(jax.tree.leaves(metrics), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)
    for name, value in numbers(together.state).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_selecting_from_other_trees(together):
    params = together.state.params
    one, leaves = select_seed(params, 2), select_seed(jax.tree.map(np.asarray, params), 2)
    for x, own, of_numpy in zip(*map(jax.tree.leaves, (params, one, leaves)), strict=True):
        assert isinstance(own, jax.Array) and not isinstance(of_numpy, jax.Array)
        np.testing.assert_array_equal(own, x[2])
        np.testing.assert_array_equal(of_numpy, x[2])


LARGE = tiny(levels=2, training={"env_steps": 3_000_000})


def shapes_of(function):
    return jax.eval_shape(function)


def test_appending_copies_no_ring():
    """Of three seeds' rings XLA copies nothing aside; a `where` over a ring would need as much again."""
    state = shapes_of(lambda: init_seeds(LARGE, SPACES, SEEDS))
    timestep = shapes_of(lambda: jax.tree.map(jnp.asarray, Pool(SEEDS).reset()))
    arguments = (state.params, state.carry, state.replay, state.key, state.env_step, timestep)
    memory = step._act.lower(*arguments, seeds=SeedAxis()).compile().memory_analysis()
    rings = len(SEEDS) * replay_bytes(LARGE, SPACES)
    smallest = min(x.size * x.dtype.itemsize for x in jax.tree.leaves(state.replay) if x.ndim > 2)
    assert rings > 1e9 and smallest > 2e6
    assert memory.alias_size_in_bytes > rings
    assert memory.temp_size_in_bytes < smallest


def test_drawing_and_writing_back_copies_no_ring():
    def turn(ring, key):
        ring, drawn, batch = sample_batch((ring,), 0, key, LARGE)
        read = sum(x.astype(jnp.float32).sum() for x in jax.tree.leaves(batch))  # latents depend on all of it
        shape = batch.reward.shape
        latent = jax.tree.map(lambda x: jnp.broadcast_to(x + read, (*shape, *x.shape[1:])), batch.before)
        return _refresh(ring, drawn, latent, LARGE), read

    state = shapes_of(lambda: init_seeds(LARGE, SPACES, SEEDS))
    program = jax.jit(over_seeds(turn, SeedAxis()), donate_argnums=0)
    memory = program.lower(state.replay[0], state.key).compile().memory_analysis()
    assert memory.alias_size_in_bytes > 5e8
    assert memory.temp_size_in_bytes < 2e6


def test_timesteps_of_other_environments_are_refused(fresh):
    one = memory(num_envs=NUM_ENVS).reset()
    solo, both = select_seed(fresh, 0), Pool(SEEDS).reset()
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), both)
    for state, timestep, wanted in (
        (solo, both, r"observation.*\(3, 2\), \[env \.\.\.\], got \(3, 3, 2\)"),
        (fresh, flat, r"observation.*\(3, 3, 2\), \[seed env \.\.\.\], got \(9, 2\)"),
        (fresh, one, r"observation.*\(3, 3, 2\).*got \(3, 2\)"),
        (solo, one._replace(reward=one.reward[:1]), r"reward.*\(3,\), \[env \.\.\.\], got \(1,\)"),
        (solo, one._replace(observation=one.observation[:, :1]), r"observation.*got \(3, 1\)"),
    ):
        with pytest.raises(ValueError, match=wanted):
            act(state, Timestep(*timestep))
    assert not any(x.is_deleted() for x in jax.tree.leaves((solo, fresh)))


def test_what_cannot_be_selected_or_made(fresh):
    for index in (-1, 3):
        with pytest.raises(ValueError, match=f"one of 3 seeds, got {index}"):
            select_seed(fresh, index)
    with pytest.raises(ValueError, match="seed axis"):
        select_seed(select_seed(fresh, 0), 0)
    with pytest.raises(ValueError, match="at least one seed"):
        init_seeds(CONFIG, SPACES, ())
    two = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
    with pytest.raises(ValueError, match=r"'seed'.*got \{'batch': 1\}"):
        init_seeds(CONFIG, SPACES, SEEDS, two)
    assert num_seeds(select_seed(fresh, 0)) is None
    assert seed_mesh(3) is None or len(jax.devices()) > 1
    with pytest.raises(ValueError, match="depth"):
        update(fresh, 3)
