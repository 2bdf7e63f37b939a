"""It learns: the rungs of the probe ladder that are quick (`benchmarks/learning.py ladder` climbs all)."""

import jax
import pytest
from ladder import LADDER, measure

from hieros_eqx import train
from hieros_eqx.agent import init
from hieros_eqx.training.agents import agents_of

QUICK = {
    "discounting": 8_000,
    "truncation": 8_000,
    "action_from_observation": 12_000,
    "episode_reset": 12_000,
}
ALIKE = ["replay.capacity=12000"]  # one shape for all: compiled once


@pytest.fixture(scope="module", autouse=True)
def optimised():
    """Here programs run for much longer than XLA takes for them."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.parametrize(("name", "env_steps"), QUICK.items())
def test_climbed_by_who_has_learned_alone(name, env_steps):
    rung = LADDER[name]
    config = rung.config([0], [*ALIKE, f"training.env_steps={env_steps}"])
    fresh = agents_of(init(config, rung.make(num_envs=1, seed=0).spaces, jax.random.key(0)))[0]
    before = measure(rung, fresh)
    assert not rung.met(before), before
    after = measure(rung, train(config, rung.make, progress=False).agent)
    assert rung.met(after), after
