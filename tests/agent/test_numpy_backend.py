"""The same modules with NumPy leaves: logits on real frames, and acting without a compiler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import init_carry, init_params, policy
from hieros_eqx.agent.features import read
from hieros_eqx.agent.levels import level_params
from hieros_eqx.backend import random, to_numpy
from hieros_eqx.config import make_preset
from hieros_eqx.envs import make_env


@pytest.fixture(scope="module")
def frames():
    """Return spaces and ten steps of Pong in two environments."""
    env = make_env(game="Pong", num_envs=2, seed=3)
    steps = [env.reset()]
    for i in range(9):
        steps.append(env.step(np.array([i % 6, (i + 3) % 6], np.int32)))
    env.close()
    return env.spaces, steps


@pytest.fixture(scope="module")
def params(frames):
    return init_params(make_preset("debug"), frames[0], jax.random.key(7))


def logits(own, timestep, gumbel, code):
    """Return posterior logits and the worker's action logits for one step after nothing."""
    model = own.world_model
    before = model.initial(timestep.reward.shape)
    action = np.zeros((2, 6), gumbel.dtype)
    observed = model.observe_step(
        model.prepare(), timestep.observation, action, timestep.is_first, before, gumbel
    )
    return observed.posterior, own.actor(read(own, observed.latent, code).policy_input)


def test_logits_on_real_frames(frames, params, rng):
    """float64 NumPy leaves against the float32 leaves under JAX, step by step."""
    exact = to_numpy(params, np.float64)
    code = np.zeros((2, 16))
    code[:, ::4] = 1
    compute = jax.jit(logits)
    for timestep in frames[1]:
        gumbel = rng.gumbel(size=(2, 4, 4))
        wanted = logits(exact.worker, timestep, gumbel, code)
        own, given, subgoal = params.worker, jnp.float32(gumbel), jnp.float32(code)
        got = compute(own, jax.tree.map(jnp.asarray, timestep), given, subgoal)
        for a, b in zip(got, wanted, strict=True):
            assert isinstance(b, np.ndarray) and b.dtype == np.float64
            np.testing.assert_allclose(a, b, atol=2e-5)  # float32 through some ten layers, logits of order 1


@pytest.mark.parametrize("epsilon", [None, 0.5])
def test_acting_compiles_nothing(frames, params, epsilon):
    """Three levels act on NumPy leaves alone; everything that comes out is NumPy, the actions are legal."""
    leaves = to_numpy(params)
    carry, key = init_carry(leaves, 2), random.key(0, "numpy")
    with jax.transfer_guard("disallow_explicit"):
        for i, timestep in enumerate(frames[1]):
            carry, action, transitions, due = policy(
                leaves, carry, timestep, random.fold_in(key, i), epsilon=epsilon
            )
            assert action.dtype == np.int32 and action.shape == (2,)
            assert ((action >= 0) & (action < 6)).all()
            assert all(isinstance(x, np.ndarray | np.generic) for x in jax.tree.leaves((carry, transitions)))
            assert [bool(d.all()) for d in due] == [True, i % 4 == 0, i % 16 == 0]


def test_a_level_is_sliced_alike(params):
    """Level 1 of the stacked tree is the same in both backends."""
    own, leaves = level_params(params, 1), level_params(to_numpy(params), 1)
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(leaves), strict=True):
        assert isinstance(b, np.ndarray | np.generic)
        np.testing.assert_array_equal(a, b)
