"""Time acting: one environment step through all levels, replay included, action fetched to the host.

    python benchmarks/bench_act.py --preset atari100k --envs 1 8

Adds one line to `results/bench_act.jsonl`. A repeat is one cycle of the top level, so that every level counts
as often as it acts; times are per agent step.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flops import count
from machine import compiled, config_of, options, program_memory, summary, table, write
from programs import ATARI, act_program, fill, small_replay, timestep

import hieros_eqx
from hieros_eqx.config import HierosConfig

WARM_UP = 2  # cycles


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = config_of(chosen)
    acting = {}
    for envs in chosen.envs:
        at = replace(config, env=replace(config.env, num_envs=envs))
        acting[f"envs_{envs}"] = time_acting(at, chosen.repeats)
    rows = [[name, r["median_ms"], r["min_ms"], r["max_ms"], r["compile_s"]] for name, r in acting.items()]
    print(table([["acting", "ms", "min", "max", "compile s"], *rows]))
    return write("bench_act", chosen, arguments, {"act": acting})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--envs", type=int, nargs="+", default=[1], help="numbers of environments")
    return parser.parse_args(arguments)


def time_acting(config: HierosConfig, repeats: int) -> dict[str, Any]:
    cycle = config.period(config.levels - 1)
    lead = (config.env.num_envs,)
    config = small_replay(config)
    rng = np.random.default_rng(1)
    steps = [timestep(i, rng, lead, ATARI) for i in range(cycle)]
    state = hieros_eqx.init(config, ATARI, jax.random.key(0))
    program = act_program(state, steps[0])
    traced, executable, seconds = compiled(program.jitted, *program.args(state), **program.static)
    state, means = fill(config, steps=0), []
    for _ in range(repeats + WARM_UP):
        start = time.perf_counter()
        for step in steps:
            state, action = hieros_eqx.act(state, step)
            np.asarray(action)
        means.append((time.perf_counter() - start) / cycle)
    return summary(means[WARM_UP:]) | {
        "steps_per_repeat": cycle,
        "flops_all_levels": count(traced.jaxpr).flops,
        "compile_s": seconds,
        "memory": program_memory(executable),
    }


if __name__ == "__main__":
    main()
