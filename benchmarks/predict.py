"""Predict a run on a GPU that is not here, from what its programs compute, move and launch.

    python benchmarks/predict.py --preset atari100k --seeds 1 5

Adds one line to `results/predict.jsonl`: per environment step (levels weighed as often as they are trained)
FLOPs, bytes moved, kernels launched, and the time that these predict. Nothing is run. What is assumed stands
in `ASSUMPTIONS`, and nothing is claimed beyond it.

FLOPs are exact: products and convolutions of the traced program, loops with their trips, acting as if all
levels acted. The least bytes are operands and results of those, and what is learned, read and written once.
Bytes and launches are proxies: those of the program that XLA's CPU compiler makes of the forms that a GPU
would take. A GPU's fusions are larger, so that both are too many; its libraries choose other kernels, so that
neither is exact.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any
from unittest import mock

import jax
from flops import count
from hlo import traffic
from machine import config_of, options, table, write
from programs import (
    Program,
    abstract_state,
    abstract_timestep,
    act_program,
    per_env_step,
    small_replay,
    update_programs,
)

from hieros_eqx.backend import tree_bytes
from hieros_eqx.config import HierosConfig

ASSUMPTIONS = {
    "gpu": "one H100 SXM",
    "peak_tflops": {"float32": 400.0, "bfloat16": 990.0},  # float32 on tensor cores (TF32)
    "bandwidth_tb_per_s": 3.35,
    "environment_ms": 0.4,  # one Atari step of four frames, beside the updates
    # at best compute, memory and launches (in a CUDA graph) overlap; at worst one follows the other
    "at_best": {"bytes": "least_bytes", "share_of_peak": 0.4, "share_of_bandwidth": 0.8, "launch_us": 2.0},
    "at_worst": {"bytes": "bytes", "share_of_peak": 0.1, "share_of_bandwidth": 0.5, "launch_us": 4.0},
}
COSTS = ("flops", "least_bytes", "bytes", "launches")


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = config_of(chosen)
    by_seeds = {str(seeds): predict(config, seeds) for seeds in chosen.seeds}
    head = ["seeds", "GFLOP", "least GB", "GB", "launches"]
    head += ["at best: ms", "min a run", "at worst: ms", "min a run"]
    rows = []
    for seeds, found in by_seeds.items():
        flops, least, moved, launched = (found["per_env_step"][name] for name in COSTS)
        times = [found[case][unit] for case in ("at_best", "at_worst") for unit in ("ms", "run_minutes")]
        rows.append([seeds, flops / 1e9, least / 1e9, moved / 1e9, launched, *times])
    print(table([head, *rows]))
    return write("predict", chosen, arguments, {"assumptions": ASSUMPTIONS, "by_seeds": by_seeds})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", preset="atari100k")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 5], help="trained side by side")
    return parser.parse_args(arguments)


def predict(config: HierosConfig, seeds: int) -> dict[str, Any]:
    """Return the costs of every program and of an environment step, and the time that they predict."""
    small, axis = small_replay(config), None if seeds == 1 else seeds
    state = abstract_state(small, seeds=axis)
    programs = {"act": act_program(state, abstract_timestep(small, seeds=axis)), **update_programs(state)}
    costs = {name: cost(name, program, state) for name, program in programs.items()}
    acting, *updates = costs.values()
    amortised = {name: per_env_step(config, [row[name] for row in updates], acting[name]) for name in COSTS}
    times = {case: milliseconds(amortised, config.precision, case) for case in ("at_best", "at_worst")}
    return {
        "programs": costs,
        "per_env_step": amortised,
        **{
            case: {**parts, "run_minutes": parts["ms"] * config.training.env_steps / 6e4}
            for case, parts in times.items()
        },
    }


def cost(name: str, program: Program, state: Any) -> dict[str, float]:
    """Return FLOPs, bytes and launches of one program in the forms that an accelerator takes."""
    with mock.patch.object(jax.lax, "platform_dependent", _accelerator_form):
        traced = program.jitted.trace(*program.args(state), **program.static)
        found = traffic(traced.lower().compile().as_text())
    products = count(traced.jaxpr)
    _, params, learner, *_ = program.args(state)
    learned = 0 if name == "act" else tree_bytes((params, learner))
    return {
        "flops": products.flops,
        "least_bytes": products.bytes + 2 * learned,
        "bytes": found.bytes,
        "launches": found.launches,
    }


def _accelerator_form(*args: Any, default: Any, **_: Any) -> Any:
    return default(*args)


def milliseconds(costs: dict[str, float], precision: str, case: str) -> dict[str, float]:
    """Return the time of each resource and what they make together."""
    shares: Any = ASSUMPTIONS[case]
    peaks: Any = ASSUMPTIONS["peak_tflops"]
    bandwidth: Any = ASSUMPTIONS["bandwidth_tb_per_s"]
    environment: Any = ASSUMPTIONS["environment_ms"]
    times = {
        "compute_ms": costs["flops"] / (peaks[precision] * 1e9 * shares["share_of_peak"]),
        "memory_ms": costs[shares["bytes"]] / (bandwidth * 1e9 * shares["share_of_bandwidth"]),
        "launch_ms": costs["launches"] * shares["launch_us"] / 1e3,
    }
    if case == "at_best":
        return times | {"ms": max(*times.values(), environment)}
    return times | {"ms": sum(times.values()) + environment}


if __name__ == "__main__":
    main()
