"""Only the level and the seed that an update is not finite of skip it; replay stays in place."""

import importlib
import itertools
from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import init_seeds, update
from hieros_eqx.agent.seeds import SeedAxis, over_seeds
from hieros_eqx.agent.skip import drop_if
from hieros_eqx.replay import init_replay
from tests.agent.conftest import SPACES, on_host, tiny
from tests.agent.stocked import SMALL, assert_same, changed, counts, stocked

compiled = importlib.import_module("hieros_eqx.agent.update")

pytestmark = pytest.mark.no_cover  # traces much, and nothing that others do not cover

SEEDS, LEVELS = (3, 0), 3


def put(state, where, seed, value):
    """Return a state in which the leaf that `where` names is `value` throughout for one seed."""
    leaf = where(state)
    return eqx.tree_at(where, state, leaf.at[seed].set(jnp.full_like(leaf[seed], value)))


def reward(state, level):
    return state.replay[level].reward


def observation(state, level):
    return state.replay[level].observation


def betas_above(state, level):
    del level  # of all levels above the worker: two are sick
    return state.learner.upper.autoencoder_beta


def critics(state, level):
    return jax.tree.leaves(state.params.upper[level - 1].critics)[0]


CASES = {  # what is put where: the leaf of a level, seed, value, levels that fall sick
    "a NaN reward of the worker": (reward, 0, 1, np.nan, {0}),
    "a NaN observation": (observation, 0, 0, np.nan, {0}),
    "a NaN reward above": (reward, 2, 0, np.nan, {2}),
    "an infinite loss": (betas_above, 1, 1, np.inf, {1, 2}),
    "a NaN parameter": (critics, 2, 0, np.nan, {2}),
}


def copy(state):
    return jax.tree.map(jnp.copy, state)


@pytest.fixture(scope="module")
def healthy():
    """Return a state of two seeds with entries to draw from, and what two updates make of what it learns."""
    state = init_seeds(tiny(levels=LEVELS, **SMALL), SPACES, SEEDS)
    state = replace(state, replay=stocked(state.replay, np.random.default_rng(0)))
    after, _ = twice(copy(state))
    return state, on_host(after.params), on_host(after.learner)


def twice(state):
    for _ in range(2):
        state, metrics = update(state, LEVELS)
    return state, metrics


def of(tree, level, seed):
    """Return what a tree of parameters or learners holds of one level of one seed."""
    upper = tree.upper
    if level == 0:
        own = tree.worker
    elif isinstance(upper, tuple):
        own = upper[level - 1]
    else:
        own = jax.tree.map(lambda x: x[:, level - 1], upper)
    return jax.tree.map(lambda x: np.array(x[seed]), own)


@pytest.mark.parametrize("case", CASES)
def test_only_the_sick_level_of_the_sick_seed_is_skipped_and_it_can_heal(healthy, case):
    fresh, params, learner = healthy
    leaf, at, sick_seed, value, sick_levels = CASES[case]
    where = partial(leaf, level=at)
    state = put(copy(fresh), where, sick_seed, value)
    before = on_host((state.params, state.learner, state.replay))
    state, metrics = twice(state)
    for level, seed in itertools.product(range(LEVELS), range(len(SEEDS))):
        new = of(state.params, level, seed), of(state.learner, level, seed)
        old = of(before[0], level, seed), of(before[1], level, seed)
        sick = level in sick_levels and seed == sick_seed
        assert float(metrics[f"level{level}"].skipped[seed]) == sick
        assert counts(new[1]) == ((0, 2, 2) if sick else (2, 0, 0))
        ring, was = state.replay[level], before[2][level]
        assert np.asarray(ring.visits[seed]).sum() == 2 * 2 * 5  # updates, sequences and their steps
        written = any(
            (np.asarray(getattr(ring, name)[seed]) != getattr(was, name)[seed]).any()
            for name in ("stoch", "deter", "state")
        )
        assert written == (not sick)
        if sick:
            assert_same(new, old)
        else:
            assert changed(new[0], old[0]) > 0.8
        if seed != sick_seed:  # which has noticed nothing
            assert_same(new, (of(params, level, seed), of(learner, level, seed)))
    assert state.train_step.tolist() == [2] * LEVELS
    # with the cause taken away, the next update is a good one
    state = put(state, where, sick_seed, 0.5 if at != 2 else 0.0)
    state, metrics = update(state, LEVELS)
    for level in sick_levels:
        assert counts(of(state.learner, level, sick_seed)) == (1, 2, 0)
        assert float(metrics[f"level{level}"].skipped[sick_seed]) == 0
        assert changed(of(state.params, level, sick_seed), of(before[0], level, sick_seed)) > 0.8


LARGE = tiny(levels=2, training={"env_steps": 3_000_000})


@pytest.mark.parametrize("seeds", [None, 3])
def test_dropping_latents_copies_no_ring(seeds):
    """As `test_drawing_and_writing_back_copies_no_ring`, but the device learns whether to write at all."""

    def turn(ring, key, skipped):
        ring, drawn, batch = compiled.sample_batch((ring,), 0, key, LARGE)
        read = sum(x.astype(jnp.float32).sum() for x in jax.tree.leaves(batch))  # latents depend on all of it
        shape = batch.reward.shape
        latent = jax.tree.map(lambda x: jnp.broadcast_to(x + read, (*shape, *x.shape[1:])), batch.before)
        return compiled._refresh(ring, drop_if(skipped, drawn, ring), latent, LARGE), read

    arguments = jax.eval_shape(
        lambda: (init_replay(LARGE, SPACES)[0], jax.random.key(0), jnp.zeros((), jnp.float32))
    )
    if seeds is not None:
        arguments = jax.tree.map(lambda x: jax.ShapeDtypeStruct((seeds, *x.shape), x.dtype), arguments)
    axis = None if seeds is None else SeedAxis()
    memory = jax.jit(over_seeds(turn, axis), donate_argnums=0).lower(*arguments).compile().memory_analysis()
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(arguments[0]))
    assert held > 2e8 and memory.alias_size_in_bytes >= held
    assert memory.temp_size_in_bytes < 2e6
