"""What actor and critics read while acting, read off the carry once more."""

import jax
import numpy as np

from hieros_eqx.agent import init_carry, init_params, policy
from hieros_eqx.agent.features import read_carry
from hieros_eqx.agent.levels import level_params
from hieros_eqx.backend import random, to_numpy
from tests.agent.conftest import NUM_ENVS, SPACES, make_probe, tiny


def test_the_carry_says_what_the_policy_read():
    """The greedy action of every level that acted is its actor's mode, given the features of the carry."""
    params = to_numpy(init_params(tiny(levels=3), SPACES, jax.random.key(2)))
    carry, env, key = init_carry(params, NUM_ENVS), make_probe(), random.key(0, "numpy")
    timestep, compared = env.reset(), np.zeros(3, int)
    for number in range(40):
        carry, action, _, due = policy(params, carry, timestep, random.fold_in(key, number), greedy=True)
        for level in range(3):
            own = level_params(params, level)
            mode = own.actor.mode(own.actor(read_carry(params, carry, level).policy_input))
            acted = due[level] & ~timestep.is_last
            np.testing.assert_array_equal(carry.levels[level].action[acted], mode[acted])
            compared[level] += acted.sum()
        timestep = env.step(action)
    assert compared[0] > compared[1] > compared[2] > 5
