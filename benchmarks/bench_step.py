"""Time acting and updating at the size of a preset, each program alone, on this machine.

    python benchmarks/bench_step.py --preset laptop

Adds one line to `results/bench_step.jsonl`: device, versions, sizes, and for acting (mean over one cycle of
the top level) and for the update of every depth the median and the spread of repeats, the compile time, and
the ratio to a float32 matrix product measured in the same run.
"""

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from machine import device

import hieros_eqx
from hieros_eqx.config import HierosConfig, override
from hieros_eqx.training import provenance
from hieros_eqx.training.log import append
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep

RESULTS = Path(__file__).parent / "results"
SPACES = Spaces(
    observation=ObservationSpace(kind="image", shape=(64, 64, 3)),
    action=ActionSpace(kind="discrete", size=18),
)
MATMUL = 1024  # a square of this size is the yardstick
EPISODE = 100  # steps


def main() -> None:
    options = parse()
    config = override(hieros_eqx.make_preset(options.preset), options.set)
    yardstick = time_matmul(options.repeats)
    state = fill(config)
    state, acting = time_acting(state, config, options.repeats)
    record: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/bench_step.py", *sys.argv[1:]]),
        "measured_at": provenance.commit(),
        "versions": provenance.versions(),
        "preset": options.preset,
        "changes": options.set,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        f"matmul_{MATMUL}": yardstick,
        "act": acting,
    }
    for depth in range(1, config.levels + 1):
        state, record[f"update_depth_{depth}"] = time_update(state, depth, options.repeats)
    for name in ("act", *(f"update_depth_{depth}" for depth in range(1, config.levels + 1))):
        record[name]["matmuls"] = record[name]["median_ms"] / yardstick["median_ms"]
        row = record[name]
        print(f"{name:16s} {row['median_ms']:9.2f} ms  (compiled in {row.get('compile_s', 0):.1f} s)")
    record["device"] = device()
    options.results.mkdir(parents=True, exist_ok=True)
    append(options.results / "bench_step.jsonl", record)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="laptop", choices=sorted(hieros_eqx.PRESETS))
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one field")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the record goes")
    return parser.parse_args()


def timestep(env_step: int, rng: np.random.Generator, num_envs: int) -> Timestep:
    """Return noise to look at, in episodes of `EPISODE` steps: time does not depend on what is seen."""
    end = np.full(num_envs, env_step % EPISODE == EPISODE - 1)
    return Timestep(
        observation=rng.integers(0, 256, (num_envs, *SPACES.observation.shape), np.uint8),
        reward=np.zeros(num_envs, np.float32),
        is_first=np.full(num_envs, env_step % EPISODE == 0),
        is_last=end,
        is_terminal=end,
    )


def fill(config: HierosConfig) -> hieros_eqx.HierosState:
    """Return a fresh agent that has acted until every level holds sequences to draw."""
    small = replace(config.replay, capacity=config.train_start(config.levels - 1) + 500)
    config = replace(config, replay=small)
    state = hieros_eqx.init(config, SPACES, jax.random.key(0))
    rng = np.random.default_rng(0)
    for env_step in range(config.train_start(config.levels - 1) // config.env.num_envs):
        state, _ = hieros_eqx.act(state, timestep(env_step, rng, config.env.num_envs))
    return jax.block_until_ready(state)


def summary(seconds: list[float]) -> dict[str, float]:
    return {
        "median_ms": 1e3 * statistics.median(seconds),
        "min_ms": 1e3 * min(seconds),
        "max_ms": 1e3 * max(seconds),
        "repeats": len(seconds),
    }


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - start, result


def time_matmul(repeats: int) -> dict[str, float]:
    square = jnp.ones((MATMUL, MATMUL), jnp.float32)
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    return summary([timed(lambda: product(square, square))[0] for _ in range(repeats)])


def time_acting(state: Any, config: HierosConfig, repeats: int) -> tuple[Any, dict[str, float]]:
    """Time whole cycles of the top level, so that all levels count as often as they act."""
    rng, cycle = np.random.default_rng(1), config.period(config.levels - 1)
    steps = [timestep(i + 1, rng, config.env.num_envs) for i in range(cycle)]
    means = []
    for _ in range(repeats):
        start = time.perf_counter()
        for step in steps:
            state, action = hieros_eqx.act(state, step)
            np.asarray(action)
        means.append((time.perf_counter() - start) / cycle)
    return state, summary(means) | {"steps_per_repeat": cycle}


def time_update(state: Any, depth: int, repeats: int) -> tuple[Any, dict[str, float]]:
    first, (state, _) = timed(lambda: hieros_eqx.update(state, depth))
    seconds = []
    for _ in range(repeats):
        taken, (state, _) = timed(lambda state=state: hieros_eqx.update(state, depth))
        seconds.append(taken)
    return state, summary(seconds) | {"compile_s": first - statistics.median(seconds)}


if __name__ == "__main__":
    main()
