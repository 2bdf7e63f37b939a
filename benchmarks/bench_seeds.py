"""Time the updates and acting of several seeds trained side by side as one program.

    python benchmarks/bench_seeds.py --preset laptop --seeds 1 2 4 8

Adds one line to `results/bench_seeds.jsonl`: per number of seeds the time of every program, and per seed
relative to one seed alone (1: nothing is won; 0.5: twice the seeds an hour).
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from bench_update import time_program
from machine import config_of, options, repeat, summary, table, write
from programs import ATARI, fill, per_env_step, small_replay, timestep, update_programs

import hieros_eqx
from hieros_eqx.config import HierosConfig


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = small_replay(config_of(chosen))
    by_seeds = {seeds: time_seeds(config, seeds, chosen.repeats) for seeds in chosen.seeds}
    first = min(by_seeds)
    for seeds, group in by_seeds.items():
        for name, row in group.items():
            alone = by_seeds[first][name]["median_ms"] / first
            row["per_seed_relative"] = row["median_ms"] / seeds / alone
    names = list(by_seeds[first])
    rows = [
        [seeds, *(x for name in names for x in (group[name]["median_ms"], group[name]["per_seed_relative"]))]
        for seeds, group in by_seeds.items()
    ]
    print(table([["seeds", *(x for name in names for x in (f"{name} ms", "a seed"))], *rows]))
    return write(
        "bench_seeds",
        chosen,
        arguments,
        {"by_seeds": {str(seeds): group for seeds, group in by_seeds.items()}},
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 4, 8])
    return parser.parse_args(arguments)


def time_seeds(config: HierosConfig, seeds: int, repeats: int) -> dict[str, Any]:
    """Return the times of one number of seeds; one seed is an agent without the axis, as `train` makes it."""
    axis = None if seeds == 1 else seeds
    state = fill(config, seeds=axis)
    lead = (config.env.num_envs,) if axis is None else (seeds, config.env.num_envs)
    step = timestep(1, np.random.default_rng(1), lead, ATARI)
    acting, (state, _) = repeat(lambda carry: hieros_eqx.act(carry[0], step), (state, None), 5 * repeats)
    measured: dict[str, Any] = {"act": summary(acting)}
    for name, program in update_programs(state).items():
        state, measured[name] = time_program(program, state, repeats)
    acting_ms, *updates = (row["median_ms"] for row in measured.values())
    total = per_env_step(config, updates, acting_ms)
    return measured | {"per_env_step": {"median_ms": total}}


if __name__ == "__main__":
    main()
