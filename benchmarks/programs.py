"""The compiled programs of an agent, one by one: acting, and the update of level 0 and of the levels above.

Here and in `parts.py` alone the benchmarks know what is private to `hieros_eqx.agent`.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

import hieros_eqx
from hieros_eqx.agent import init_seeds
from hieros_eqx.agent.seeds import seed_axis
from hieros_eqx.agent.state import AgentParams, HierosState, Learner
from hieros_eqx.config import HierosConfig
from hieros_eqx.training.memory import ATARI
from hieros_eqx.types import Spaces, Timestep

_act = importlib.import_module("hieros_eqx.agent.step")._act
_update = importlib.import_module("hieros_eqx.agent.update")

EPISODE = 100  # steps of the made-up environment


# -------------------------------------------------------------------------------------------- agents


def timestep(env_step: int, rng: np.random.Generator, lead: tuple[int, ...], spaces: Spaces) -> Timestep:
    """Return noise to look at, in episodes of `EPISODE` steps: time does not depend on what is seen."""
    end = np.full(lead, env_step % EPISODE == EPISODE - 1)
    shape = (*lead, *spaces.observation.shape)
    noise = rng.integers(0, 256, shape, np.uint8)
    return Timestep(
        observation=noise if spaces.observation.kind == "image" else noise.astype(np.float32) / 255,
        reward=np.zeros(lead, np.float32),
        is_first=np.full(lead, env_step % EPISODE == 0),
        is_last=end,
        is_terminal=end,
    )


def small_replay(config: HierosConfig, more: int = 500) -> HierosConfig:
    """Return the configuration with rings that hold no more than a benchmark writes."""
    return replace(config, replay=replace(config.replay, capacity=start_of_top(config) + more))


def start_of_top(config: HierosConfig) -> int:
    """Return the environment step from which all levels are trained."""
    return config.train_start(config.levels - 1)


def fill(
    config: HierosConfig, spaces: Spaces = ATARI, *, steps: int | None = None, seeds: int | None = None
) -> HierosState:
    """Return a fresh agent that has acted until every level holds sequences to draw."""
    lead: tuple[int, ...] = (config.env.num_envs,)
    if seeds is None:
        state = hieros_eqx.init(config, spaces, jax.random.key(0))
    else:
        state, lead = init_seeds(config, spaces, range(seeds)), (seeds, *lead)
    rng = np.random.default_rng(0)
    count = (start_of_top(config) if steps is None else steps) // config.env.num_envs
    for env_step in range(count):
        state, _ = hieros_eqx.act(state, timestep(env_step, rng, lead, spaces))
    return jax.block_until_ready(state)


def abstract_state(config: HierosConfig, spaces: Spaces = ATARI, seeds: int | None = None) -> HierosState:
    """Return shapes and dtypes of a fresh agent, or of several seeds, without making it."""
    if seeds is None:
        return jax.eval_shape(partial(hieros_eqx.init, config, spaces), jax.random.key(0))
    return jax.eval_shape(lambda: init_seeds(config, spaces, range(seeds)))


def abstract_timestep(config: HierosConfig, spaces: Spaces = ATARI, seeds: int | None = None) -> Timestep:
    """Return shapes and dtypes of what the environments return."""
    lead = (config.env.num_envs,) if seeds is None else (seeds, config.env.num_envs)
    made = timestep(0, np.random.default_rng(0), lead, spaces)
    return Timestep(*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in made))


# ------------------------------------------------------------------------------------ whole programs


class Program(NamedTuple):
    """A jitted function with the arguments that one state gives it, and the way back into the state."""

    jitted: Any
    args: Callable[[HierosState], tuple]
    static: dict[str, Any]
    put: Callable[[HierosState, Any], HierosState]


def act_program(state: HierosState, step: Timestep) -> Program:
    """Return acting, on one timestep."""
    return Program(
        _act,
        lambda s: (s.params, s.carry, s.replay, s.key, s.env_step, step),
        {"seeds": seed_axis(state.key)},
        lambda s, out: replace(s, carry=out[0], replay=out[1], key=out[2], env_step=out[3]),
    )


def worker_program(state: HierosState) -> Program:
    """Return the update of level 0."""

    def args(s: HierosState) -> tuple:
        return s.key, s.params.worker, s.learner.worker, s.train_step, s.replay[0]

    def put(s: HierosState, out: Any) -> HierosState:
        key, worker, learner, train_step, ring, _ = out
        return replace(
            s,
            key=key,
            params=AgentParams(worker, s.params.upper, s.config, s.spaces),
            learner=Learner(learner, s.learner.upper),
            train_step=train_step,
            replay=(ring, *s.replay[1:]),
        )

    static = {"config": state.config, "seeds": seed_axis(state.key)}
    return Program(_update._update_worker, args, static, put)


def upper_program(state: HierosState, depth: int) -> Program:
    """Return the update of levels 1 .. depth-1."""

    def args(s: HierosState) -> tuple:
        return s.key, s.params.upper, s.learner.upper, s.train_step, s.replay

    def put(s: HierosState, out: Any) -> HierosState:
        key, upper, learner, train_step, replay, _ = out
        return replace(
            s,
            key=key,
            params=AgentParams(s.params.worker, upper, s.config, s.spaces),
            learner=Learner(s.learner.worker, learner),
            train_step=train_step,
            replay=replay,
        )

    static = {"config": state.config, "depth": depth, "seeds": seed_axis(state.key)}
    return Program(_update._update_upper, args, static, put)


def update_programs(state: HierosState) -> dict[str, Program]:
    """Return the programs that updates are made of: `level0`, `levels1`, `levels1-2`, ..."""
    programs = {"level0": worker_program(state)}
    for depth in range(2, state.config.levels + 1):
        name = "level1" if depth == 2 else f"levels1-{depth - 1}"
        programs[name] = upper_program(state, depth)
    return programs


def per_env_step(config: HierosConfig, updates: Sequence[float], act: float = 0.0) -> float:
    """Return the cost of one environment step: acting, and the updates as often as they come.

    `updates` are the costs of `update_programs`, in their order.
    """
    k, top = config.macro_length, config.levels - 1
    total = updates[0]
    for above, cost in enumerate(updates[1:], start=1):  # due with so many levels, and no more
        total += cost * (1 / k**above - (1 / k ** (above + 1) if above < top else 0))
    return act + total / config.training.train_every
