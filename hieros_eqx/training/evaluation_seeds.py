"""Playing with the agents of several seeds side by side, as one program."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import jax

from hieros_eqx import agent as stations
from hieros_eqx.agent.levels import stack
from hieros_eqx.agent.state import AgentParams
from hieros_eqx.backend import random
from hieros_eqx.config import differences
from hieros_eqx.training.agents import Agent
from hieros_eqx.training.environment import EnvLike, is_made, lead_with_env, lead_with_seed, open_env
from hieros_eqx.training.evaluation import (
    EvaluationResult,
    check_request,
    check_spaces,
    evaluate,
    play,
    result_of,
    shares,
    step,
)


def evaluate_seeds(
    agents: Mapping[int, Agent],
    env: EnvLike = None,
    episodes: int = 10,
    *,
    backend: Literal["jax", "numpy"] = "jax",
    greedy: bool | None = None,
    seed: int = 0,
    num_envs: int = 1,
) -> dict[int, EvaluationResult]:
    """Let every agent play `episodes`, and return each one's result: what `evaluate` returns for it alone.

    That is: all meet the same environments, `num_envs` for each, and draw the same noise. `env` is None, an
    id or a factory, for every agent needs environments of its own. On NumPy one agent plays after the other.

    Raises `ValueError` if there is no agent or episode, if an environment is given as an object, or if the
    agents differ in more than their seeds; `EnvError` if the environment does not fit them.
    """
    if not agents:
        raise ValueError("wanted at least one agent, got none.")
    if is_made(env):
        raise ValueError(
            "wanted None, an id or a factory as `env`, got an environment: each agent needs its own."
        )
    if backend == "numpy" or len(agents) == 1:
        return {
            number: evaluate(
                agent, env, episodes, backend=backend, greedy=greedy, seed=seed, num_envs=num_envs
            )
            for number, agent in agents.items()
        }
    first = next(iter(agents.values()))
    for agent in agents.values():
        check_request(agent, episodes, backend, greedy)
    greedy = check_request(first, episodes, backend, greedy)
    params = stack([_params_like(agent, first) for agent in agents.values()])
    count, num_envs = len(agents), min(num_envs, episodes)
    envs = open_env(first.config, env, num_envs=count * num_envs, seed=[seed] * count, training=False)
    try:
        check_spaces(first, envs)
        carry = jax.vmap(partial(stations.init_carry, num_envs=num_envs))(params)
        take = partial(_step_seeds, params, greedy=greedy)
        played = play(envs, shares(episodes, num_envs) * count, take, carry, random.key(seed, backend))
    finally:
        envs.close()
    by_agent = [played[i : i + num_envs] for i in range(0, len(played), num_envs)]
    return {number: result_of(own) for number, own in zip(agents, by_agent, strict=True)}


def _params_like(agent: Agent, first: Agent) -> AgentParams:
    """Return parameters that can be stacked with those of the first: on the host, with its configuration."""
    alike = agent.config.for_seed(first.config.training.seed)
    differing = differences(first.config, alike)
    if differing:
        raise ValueError(f"wanted agents that differ in their seeds alone, got {'; '.join(differing)}.")
    return replace(jax.device_get(agent.params), config=first.config)


def _step_seeds(params: Any, carry: Any, timestep: Any, key: Any, number: Any, *, greedy: bool) -> Any:
    count = carry.clock.shape[0]
    carry, action = _step_jax(params, carry, lead_with_seed(timestep, count), key, number, greedy=greedy)
    return carry, lead_with_env(action, count)


@partial(jax.jit, static_argnames="greedy")
def _step_jax(params, carry, timestep, key, number, *, greedy):
    one = partial(step, greedy=greedy)
    return jax.vmap(one, in_axes=(0, 0, 0, None, None))(params, carry, timestep, key, number)
