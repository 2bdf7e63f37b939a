"""Playing with a trained agent: neither replay nor optimiser, on either array library."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import numpy as np

from hieros_eqx import agent as agents
from hieros_eqx.agent.state import AgentParams
from hieros_eqx.backend import random, to_numpy
from hieros_eqx.envs import VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.training import episodes as tracking
from hieros_eqx.training import metrics
from hieros_eqx.training.agents import Agent
from hieros_eqx.training.environment import EnvLike, is_made, open_env
from hieros_eqx.types import Timestep


@dataclass(frozen=True)
class EvaluationResult:
    """Episodes played, grouped by environment and in order within one."""

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    truncated: tuple[bool, ...]

    @property
    def mean(self) -> float:
        """Mean return."""
        return statistics.fmean(self.returns)

    @property
    def median(self) -> float:
        """Median return."""
        return statistics.median(self.returns)

    @property
    def std(self) -> float:
        """Standard deviation of the returns over episodes (0 for one)."""
        return statistics.pstdev(self.returns)


def evaluate(
    agent: Agent,
    env: EnvLike = None,
    episodes: int = 10,
    *,
    backend: Literal["jax", "numpy"] = "jax",
    greedy: bool | None = None,
    seed: int = 0,
    num_envs: int = 1,
) -> EvaluationResult:
    """Play whole episodes and return their returns and lengths; the same for the same seed and `num_envs`.

    `env` as in `train`, a `VectorEnv` of any number of environments; None plays what the agent was trained
    on, with other seeds. `num_envs` of them play side by side (unless `env` is a `VectorEnv`, which has its
    own number). Every environment plays a fixed share of the episodes, so that short ones do not count more
    often than long ones. `greedy` takes modes instead of samples (default: `behaviour.evaluation_policy`).
    `backend="numpy"` acts with NumPy copies of the same parameters and compiles nothing.

    Raises `ValueError` if no episode is asked for, `EnvError` if the environment does not fit the agent.
    """
    greedy = check_request(agent, episodes, backend, greedy)
    num_envs = getattr(env, "num_envs", 1) if is_made(env) else min(num_envs, episodes)
    envs = open_env(agent.config, env, num_envs=num_envs, seed=seed, training=False)
    try:
        check_spaces(agent, envs)
        params = to_numpy(agent.params) if backend == "numpy" else agent.params
        take = partial(step if backend == "numpy" else _step_jax, params, greedy=greedy)
        carry, key = agents.init_carry(params, num_envs), random.key(seed, backend)
        return result_of(play(envs, shares(episodes, num_envs), take, carry, key))
    finally:
        if not is_made(env):
            envs.close()


def check_request(agent: Agent, episodes: int, backend: str, greedy: bool | None) -> bool:
    """Return whether to take modes; `ValueError` if what is asked for cannot be played."""
    if not hasattr(agent, "params"):
        raise ValueError(f"wanted an `Agent`, as `load` returns it, got {type(agent).__name__}.")
    if not isinstance(episodes, int) or episodes < 1:
        raise ValueError(f"wanted at least 1 episode, as a whole number; got {episodes!r}.")
    if backend not in ("jax", "numpy"):
        raise ValueError(f'`backend` must be "jax" or "numpy"; got {backend!r}.')
    return agent.config.behaviour.evaluation_policy == "mode" if greedy is None else greedy


def check_spaces(agent: Agent, envs: VectorEnv) -> None:
    """Raise `EnvError` if the environments are not such as the agent was built for."""
    if envs.spaces != agent.spaces:
        raise EnvError(f"wanted an environment with {agent.spaces}, got {envs.spaces}.")


def shares(episodes: int, num_envs: int) -> list[int]:
    """Return how many of the episodes each environment plays."""
    return [(episodes + num_envs - 1 - i) // num_envs for i in range(num_envs)]


def step(params: AgentParams, carry: Any, timestep: Timestep, key: Any, number: Any, *, greedy: bool) -> Any:
    """Return the new carry and the actions at step `number` of an evaluation."""
    carry, action, _, _ = agents.policy(params, carry, timestep, random.fold_in(key, number), greedy=greedy)
    return carry, action


_step_jax = jax.jit(step, static_argnames="greedy")


def play(
    envs: VectorEnv, quota: Sequence[int], take: Callable[..., Any], carry: Any, key: Any
) -> list[list[tracking.Episode]]:
    """Play until every environment has finished its quota; return the episodes by environment.

    `take(carry, timestep, key, number)` returns the new carry and the actions.
    """
    open_episodes = tracking.open_episodes(envs.num_envs)
    finished: list[list[tracking.Episode]] = [[] for _ in range(envs.num_envs)]
    timestep, number = envs.reset(), 0
    while True:
        open_episodes, ended = tracking.observe(open_episodes, timestep)
        for episode in ended:
            if len(finished[episode.env]) < quota[episode.env]:
                finished[episode.env].append(episode)
        if all(len(done) == share for done, share in zip(finished, quota, strict=True)):
            return finished
        carry, action = take(carry, timestep, key, np.int32(number))
        timestep = envs.step(metrics.fetch(action))
        number += 1


def result_of(finished: Sequence[Sequence[tracking.Episode]]) -> EvaluationResult:
    """Return the result of episodes by environment."""
    played = [episode for done in finished for episode in done]
    return EvaluationResult(
        returns=tuple(episode.episode_return for episode in played),
        lengths=tuple(episode.length for episode in played),
        truncated=tuple(episode.truncated for episode in played),
    )
