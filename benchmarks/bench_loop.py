"""Time training end to end, and how much of it is neither the device's work nor the environment's.

    python benchmarks/bench_loop.py --preset laptop --game PrivateEye

Trains through the real loop until all levels are trained, then times whole cycles of the top level. In the
same process the same acts and updates run without environment, and the environment without agent. `overhead`
is the loop's time per step beyond the longer of the two. Where neither envpool nor ale-py is installed, a
made-up environment of pictures takes the game's place.

Adds one line to `results/bench_loop.jsonl`.
"""

import argparse
import importlib.util
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from machine import config_of, options, summary, table, write
from programs import small_replay, start_of_top, timestep

import hieros_eqx
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs.probe import memory
from hieros_eqx.training import schedule
from hieros_eqx.training.environment import open_env


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config, env = with_env(config_of(chosen), chosen.game)
    config = with_length(small_replay(config), chosen.repeats)
    state, loop = time_loop(config, env, chosen.seconds)
    if not loop["cycles"]:
        sys.exit(f"{chosen.seconds:.0f} s were too few: stopped at environment step {loop['env_step']}")
    state, device = time_device(config, state, chosen.repeats)
    environment = time_environment(config, env, chosen.repeats)
    step_ms = loop["per_env_step"]["median_ms"]
    longer = max(device["median_ms"], environment["median_ms"])
    updates = 1000 / step_ms / config.training.train_every
    measured = {
        "environment": config.env.game or "a made-up environment",
        "loop": loop,
        "device_alone": device,
        "environment_alone": environment,
        "env_steps_per_second": 1000 / step_ms,
        "level0_updates_per_second": updates,
        "trained_images_per_second": updates * config.training.batch * config.training.sequence,
        "overhead": step_ms / longer - 1,
    }
    print(
        table(
            [
                ["per environment step", "ms"],
                ["loop", step_ms],
                ["acts and updates alone", device["median_ms"]],
                [f"{measured['environment']} alone", environment["median_ms"]],
            ]
        )
    )
    rates = f"{1000 / step_ms:.2f} environment steps/s, {updates:.2f} updates/s"
    print(f"{rates}, overhead {measured['overhead']:.1%}")
    return write("bench_loop", chosen, arguments, measured)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--game", default="PrivateEye", help="`none`: the made-up environment")
    parser.add_argument("--seconds", type=float, default=1800, help="stop the loop after so many")
    return parser.parse_args(arguments)


def with_env(config: HierosConfig, game: str) -> tuple[HierosConfig, Any]:
    """Return the configuration and what `train` takes as environment."""
    atari = any(importlib.util.find_spec(name) for name in ("envpool", "ale_py"))
    if game == "none" or not atari:
        return config, partial(memory, images=True)
    return replace(config, env=replace(config.env, game=game)), None


def with_length(config: HierosConfig, cycles: int) -> HierosConfig:
    """Return the configuration of a run that ends `cycles` after all levels are compiled."""
    cycle = config.train_period(config.levels - 1)
    steps = (start_of_top(config) // cycle + 2 + cycles) * cycle
    return replace(config, training=replace(config.training, env_steps=steps, log_every=cycle))


def time_loop(config: HierosConfig, env: Any, seconds: float) -> tuple[HierosState, dict[str, Any]]:
    """Return the state at the end, and the time of every cycle once all levels are trained and compiled."""
    cycle, begun, marks = config.training.log_every, time.perf_counter(), []

    def mark(_state: HierosState, record: dict[str, Any]) -> None:
        marks.append((record["env_step"], time.perf_counter()))
        if marks[-1][1] - begun > seconds:
            raise KeyboardInterrupt

    result = hieros_eqx.train(config, env, callbacks=[mark], progress=False)
    steady = [at for step, at in marks if step >= start_of_top(config) + cycle]
    times = [(after - before) / cycle for before, after in itertools.pairwise(steady)]
    reached = [at - begun for step, at in marks if step >= start_of_top(config)]
    return result.state, {
        "cycles": len(times),
        "env_step": result.env_step,
        "seconds_to_the_top_level": min(reached, default=None),
        "per_env_step": summary(times) if times else None,
    }


def time_device(
    config: HierosConfig, state: HierosState, repeats: int
) -> tuple[HierosState, dict[str, float]]:
    """Run the acts and updates of whole cycles on pictures of noise, without waiting in between."""
    cycle, envs, start = config.training.log_every, config.env.num_envs, start_of_top(config)
    rng, times = np.random.default_rng(0), []
    steps = [timestep(i + 1, rng, (envs,), state.spaces) for i in range(cycle // envs)]
    for _ in range(repeats):
        begin = time.perf_counter()
        for env_step, step in zip(range(start, start + cycle, envs), steps, strict=True):
            state, _ = hieros_eqx.act(state, step)
            for depth in schedule.due_depths(config, env_step, env_step + envs):
                state, _ = hieros_eqx.update(state, depth)
        jax.block_until_ready(state)
        times.append((time.perf_counter() - begin) / cycle)
    return state, summary(times)


def time_environment(config: HierosConfig, env: Any, repeats: int) -> dict[str, float]:
    """Play random actions."""
    envs = open_env(config, env, num_envs=config.env.num_envs, seed=0, training=False)
    rng, cycle = np.random.default_rng(0), config.training.log_every
    envs.reset()
    times = []
    for _ in range(repeats):
        actions = rng.integers(0, envs.spaces.action.size, (cycle, envs.num_envs))
        begin = time.perf_counter()
        for action in actions:
            envs.step(action)
        times.append((time.perf_counter() - begin) / cycle / envs.num_envs)
    envs.close()
    return summary(times)


if __name__ == "__main__":
    main()
