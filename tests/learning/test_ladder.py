"""It learns: the rungs of the probe ladder that are quick (`benchmarks/learning.py ladder` climbs all)."""

import jax
import pytest
from ladder import LADDER, measure

from hieros_eqx import train
from hieros_eqx.agent import init_params
from hieros_eqx.training.agents import Agent

QUICK = ["truncation", "action_from_observation", "memory_4", "episode_reset"]


@pytest.mark.parametrize("name", QUICK)
def test_climbed(name):
    rung = LADDER[name]
    result = train(rung.config([0]), rung.make, progress=False)
    found = measure(rung, result.agent)
    assert rung.met(found), found


@pytest.mark.parametrize("name", LADDER)
def test_not_climbed_by_who_has_not_learned(name):
    rung = LADDER[name]
    config = rung.config([0])
    env = rung.make(num_envs=1, seed=0)
    agent = Agent(init_params(config, env.spaces, jax.random.key(0)), config, env.spaces)
    found = measure(rung, agent)
    assert not rung.met(found), found
