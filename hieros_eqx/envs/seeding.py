"""One seed per environment, from the seeds of the agents."""

from collections.abc import Iterable, Sequence

import numpy as np

from hieros_eqx.errors import EnvError

MOST_ENVS = 2**16  # far beyond what is stepped at once; a slip of the pen would fill the memory with them


def env_seeds(seed: int | Sequence[int], num_envs: int, *, training: bool = True) -> list[int]:
    """Seeds in [0, 2^31) for `num_envs` environments, distinct for each agent.

    With several agent seeds, each gets `num_envs / len(seed)` environments, agent after agent. Environment
    i of agent seed s gets a number that depends on s, i and `training` alone, drawn by `SeedSequence(s,
    spawn_key=(training, i))`: it does not change with the number of environments or of agents. (A number
    that the same agent has already, one in 2^31, is moved up by one.)

    Raises `EnvError` for what is no whole number, is negative, or cannot be shared evenly.
    """
    agents = [seed] if isinstance(seed, int) else list(seed) if isinstance(seed, Iterable) else [seed]
    for number in (*agents, num_envs):
        if not isinstance(number, int | np.integer) or isinstance(number, bool):
            raise EnvError(f"wanted whole numbers as seed and `num_envs`, got {number!r}")
    if num_envs > MOST_ENVS:
        raise EnvError(f"wanted at most {MOST_ENVS} environments, got {num_envs}")
    if num_envs < 1 or not agents or num_envs % len(agents):
        raise EnvError(f"wanted a multiple of {len(agents)} agent seeds as `num_envs`, got {num_envs}")
    if min(agents) < 0:
        raise EnvError(f"wanted seeds of at least 0, got {min(agents)}")
    share = num_envs // len(agents)
    return [number for agent in agents for number in _seeds_of_one(int(agent), share, training)]


def _seeds_of_one(agent: int, num_envs: int, training: bool) -> list[int]:
    seeds: dict[int, None] = {}  # in order
    for i in range(num_envs):
        sequence = np.random.SeedSequence(agent, spawn_key=(int(training), i))
        number = int(sequence.generate_state(1)[0]) >> 1
        while number in seeds:
            number = (number + 1) % 2**31
        seeds[number] = None
    return list(seeds)
