"""Episodes played by an agent and kept as they were seen, and where in them predictions start."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from hieros_eqx.agent import init_carry, policy
from hieros_eqx.agent.features import read_carry
from hieros_eqx.agent.state import ActCarry, AgentParams
from hieros_eqx.envs import NextStepEnv, VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Array, Timestep


class Recording(NamedTuple):
    """One episode from its first observation on. All arrays lead with `time`."""

    observation: np.ndarray  # as in `Timestep`
    action: np.ndarray  # float [time action]: chosen at the observation; one-hot where discrete
    reward: np.ndarray  # float32 [time]: arrived with the observation
    complete: bool
    """Recorded up to its end; otherwise the recording stopped first."""
    terminal: bool = False
    """Complete, and over by itself: not cut short by a limit."""
    value: np.ndarray | None = None
    """What the worker's critics expected, float [time kind], if they were asked."""
    memory: np.ndarray | None = None
    """The emulator's memory behind each observation, uint8 [time byte], where there is one."""


def collect_episodes(
    params: AgentParams, env: VectorEnv, num_steps: int, key: Any, *, greedy: bool = False
) -> list[Recording]:
    """Play `num_steps` steps in every environment and return the episodes, those cut short included.

    All is kept in memory, 12 kB for a step of Atari, with that of the emulator where the environments show
    it. The key is consumed. Raises `EnvError` if the environment does not fit the agent, `ValueError` if no
    step is asked for.
    """
    if num_steps < 1:
        raise ValueError(f"wanted at least 1 step, got {num_steps}.")
    if env.spaces != params.spaces:
        raise EnvError(f"wanted an environment with {params.spaces}, got {env.spaces}.")
    carry = init_carry(params, env.num_envs)
    timestep = env.reset()
    timesteps, actions, values, memories = [], [], [], []
    for step_key in jax.random.split(key, num_steps):
        carry, action, kept, value = _step(params, carry, timestep, step_key, greedy=greedy)
        timesteps.append(Timestep(*(np.array(x) for x in timestep)))
        actions.append(np.asarray(kept))
        values.append(np.asarray(value))
        if isinstance(env, NextStepEnv) and env.hidden is not None:
            memories.append(env.hidden.copy())
        timestep = env.step(np.asarray(action))
    steps = Timestep(*(np.stack(x, axis=1) for x in zip(*timesteps, strict=True)))  # [env time ...]
    action, value = np.stack(actions, axis=1), np.stack(values, axis=1)
    memory = np.stack(memories, axis=1) if memories else [None] * env.num_envs
    return [
        episode
        for i in range(env.num_envs)
        for episode in split_episodes(Timestep(*(x[i] for x in steps)), action[i], value[i], memory[i])
    ]


def _step(params, carry, timestep, key, *, greedy):
    carry, action, transitions, _ = policy(params, carry, timestep, key, greedy=greedy)
    return carry, action, transitions[0].action, worker_values(params, carry)


def worker_values(params: AgentParams, carry: ActCarry) -> Float[Array, "env kind"]:
    """Return what the worker's critics expect in the step after which `policy` returned this carry."""
    seen = read_carry(params, carry, 0).policy_input
    value = eqx.filter_vmap(lambda critic: critic.mean(critic.logits(seen)))(params.worker.critics)
    return jnp.moveaxis(value, 0, -1)


_step = jax.jit(_step, static_argnames="greedy")


def split_episodes(
    steps: Timestep, action: np.ndarray, value: np.ndarray | None = None, memory: np.ndarray | None = None
) -> list[Recording]:
    """Cut the steps of one environment, which lead with `time`, where episodes begin.

    Raises `ValueError` if there is not one action for every step.
    """
    if len(action) != len(steps.is_first):
        raise ValueError(f"wanted an action for each of {len(steps.is_first)} steps, got {len(action)}.")
    begins = np.flatnonzero(steps.is_first)
    ends = [*begins[1:], len(steps.is_first)]
    return [
        Recording(
            steps.observation[begin:end],
            action[begin:end],
            steps.reward[begin:end],
            bool(steps.is_last[end - 1]),
            bool(steps.is_terminal[end - 1]),
            None if value is None else value[begin:end],
            None if memory is None else memory[begin:end],
        )
        for begin, end in zip(begins, ends, strict=True)
    ]


def pick_starts(
    episodes: Sequence[Recording], count: int, horizon: int, rng: np.random.Generator
) -> Int[np.ndarray, "start 2"]:
    """Return `count` different starts (episode, time), spread evenly, each followed by `horizon` real steps.

    One start is drawn from each of `count` equal parts of all steps that qualify. Raises `ValueError` if
    there are fewer than `count`.
    """
    if count < 1 or horizon < 1:
        raise ValueError(f"wanted at least 1 start and 1 step, got {count} starts and {horizon} steps.")
    valid = np.array([max(0, len(episode.action) - horizon) for episode in episodes], np.int64)
    total = int(valid.sum())
    if total < count:
        raise ValueError(f"wanted {count} starts, got steps for {total}: record more or longer episodes.")
    edges = np.arange(count + 1) * total // count
    position = rng.integers(edges[:-1], edges[1:])
    before = np.concatenate([[0], np.cumsum(valid)])
    episode = np.searchsorted(before, position, side="right") - 1
    return np.stack([episode, position - before[episode]], axis=1)
