"""A fresh state that begins with what others have learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import act, init, init_seeds, select_seed, with_params
from hieros_eqx.agent.seeds import num_seeds
from tests.agent.conftest import SPACES, make_probe, tiny


@pytest.fixture(scope="module")
def config():
    return tiny()


@pytest.fixture(scope="module")
def trained(config):
    """Parameters that are nobody's fresh ones."""
    params = init(config, SPACES, jax.random.key(7)).params
    return jax.tree.map(lambda x: x + jnp.ones_like(x), params)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_parameters_and_slow_critics_are_theirs_and_the_rest_is_fresh(config, trained):
    fresh = init(config, SPACES, jax.random.key(0))
    state = with_params(fresh, [trained])
    assert_equal(state.params, trained)
    assert_equal(state.learner.worker.slow_critics, trained.worker.critics)
    for level, own in enumerate(trained.upper):
        assert_equal(jax.tree.map(lambda x, i=level: x[i], state.learner.upper.slow_critics), own.critics)
    assert_equal(state.learner.worker.actor_optimizer, fresh.learner.worker.actor_optimizer)
    assert_equal(state.replay, fresh.replay)
    pointers = [
        leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((state.params, state.learner, trained))
    ]
    assert len(set(pointers)) == len(pointers), "leaves that share a buffer cannot be donated"
    act(state, make_probe().reset())


def test_each_seed_begins_with_its_own(config, trained):
    other = jax.tree.map(lambda x: x * 2, trained)
    state = with_params(init_seeds(config, SPACES, [3, 0]), [trained, other])
    assert num_seeds(state) == 2
    for index, own in enumerate((trained, other)):
        seed = select_seed(state, index)
        assert_equal(seed.params, own)
        assert_equal(seed.learner.worker.slow_critics, own.worker.critics)
        alone = with_params(init(config, SPACES, jax.random.key((3, 0)[index])), [own])
        assert_equal(seed.learner, alone.learner)


def test_agents_that_do_not_fit_are_named(config, trained):
    fresh = init(config, SPACES, jax.random.key(0))
    with pytest.raises(ValueError, match="wanted one agent for each of 1 seeds, got 2"):
        with_params(fresh, [trained, trained])
    smaller = init(tiny(levels=2), SPACES, jax.random.key(0)).params
    with pytest.raises(ValueError, match=r"wanted .*, got none"):
        with_params(fresh, [smaller])
    wider = init(tiny(world_model={"hidden": 24}), SPACES, jax.random.key(0)).params
    with pytest.raises(ValueError, match=r"wanted float32\[.*\], got float32\[.*\]"):
        with_params(fresh, [wider])
