"""It learns: the rungs of the probe ladder that are quick (`benchmarks/learning.py ladder` climbs all)."""

import jax
import pytest
from ladder import LADDER, measure

from hieros_eqx import train
from hieros_eqx.agent import init
from hieros_eqx.training.agents import agents_of

QUICK = ("discounting", "truncation", "action_from_observation", "episode_reset")
ALIKE = ["training.env_steps=12000"]  # one configuration and one shape for all: compiled once


@pytest.fixture(scope="module", autouse=True)
def optimised():
    """Here programs run for much longer than XLA takes for them."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.parametrize("name", QUICK)
def test_climbed_by_who_has_learned_alone(name):
    rung = LADDER[name]
    config = rung.config([0], ALIKE)
    fresh = agents_of(init(config, rung.make(num_envs=1, seed=0).spaces, jax.random.key(0)))[0]
    before = measure(rung, fresh)
    assert not rung.met(before), before
    after = measure(rung, train(config, rung.make, progress=False).agent)
    assert rung.met(after), after
