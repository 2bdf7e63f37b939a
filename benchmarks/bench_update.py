"""Time the updates of all levels and the parts of an update, each compiled program alone.

    python benchmarks/bench_update.py --preset atari100k

Adds one line to `results/bench_update.jsonl`. For every program: median and spread, FLOPs, share of the
machine's measured matmul peak, planned memory, compile time. `per_env_step` weighs the updates as often as
they come.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import jax
from flops import count
from machine import (
    compiled,
    config_of,
    device_peak,
    host_peak_mb,
    matmul_peak,
    options,
    program_memory,
    repeat,
    summary,
    table,
    write,
)
from parts import Part, parts
from programs import Program, fill, per_env_step, small_replay, update_programs

from hieros_eqx.agent.state import HierosState


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    config = small_replay(config_of(chosen))
    state = fill(config)
    state, updates = time_updates(state, chosen.repeats)
    memory = {"host_peak_mb": host_peak_mb(), **device_peak()}  # before anything else is compiled
    peak = matmul_peak()
    yardstick = peak["bfloat16" if config.precision == "bfloat16" else "float32"]["gflops"]
    pieces = {f"level{level}": time_parts(state, level, chosen.repeats) for level in chosen.parts}
    for measured in (updates, *pieces.values()):
        for row in measured.values():
            row["gflops"] = row["flops"] / row["median_ms"] / 1e6
            row["share_of_peak"] = row["gflops"] / yardstick
    print(table([HEAD, *rows(updates), *(row for group in pieces.values() for row in rows(group))]))
    amortised = {
        name: per_env_step(config, [row[name] for row in updates.values()]) for name in ("median_ms", "flops")
    }
    print(f"updates of all levels per environment step: {amortised['median_ms']:.2f} ms")
    return write(
        "bench_update",
        chosen,
        arguments,
        {
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
            "matmul_peak": peak,
            "memory_after_updates": memory,
            "updates": updates,
            "parts": pieces,
            "per_env_step": amortised,
        },
    )


HEAD = ["program", "ms", "min", "max", "GFLOP", "of peak", "compile s", "MB"]


def rows(measured: dict[str, dict[str, Any]]) -> list[list[Any]]:
    return [
        [
            name,
            row["median_ms"],
            row["min_ms"],
            row["max_ms"],
            row["flops"] / 1e9,
            f"{row['share_of_peak']:.0%}",
            row["compile_s"],
            row["memory"]["total_mb"],
        ]
        for name, row in measured.items()
    ]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "")
    parser.add_argument(
        "--parts", type=int, nargs="*", default=[0], metavar="LEVEL", help="levels taken apart (default: 0)"
    )
    return parser.parse_args(arguments)


def time_updates(state: HierosState, repeats: int) -> tuple[HierosState, dict[str, Any]]:
    """Return the state after all updates, and what was measured of every program."""
    measured = {}
    for name, program in update_programs(state).items():
        state, measured[name] = time_program(program, state, repeats)
    return state, measured


def time_program(program: Program, state: HierosState, repeats: int) -> tuple[HierosState, dict[str, Any]]:
    traced, executable, seconds = compiled(program.jitted, *program.args(state), **program.static)

    def step(state: HierosState) -> HierosState:
        return program.put(state, executable(*program.args(state)))

    times, state = repeat(step, state, repeats)
    return state, summary(times) | costs(traced, executable, seconds)


def time_parts(state: HierosState, level: int, repeats: int) -> dict[str, Any]:
    return {name: time_part(part, repeats) for name, part in parts(state, level).items()}


def time_part(part: Part, repeats: int) -> dict[str, Any]:
    jitted = jax.jit(part.function, donate_argnums=0 if part.carried else ())
    traced, executable, seconds = compiled(jitted, *part.args)
    if part.carried:
        times, _ = repeat(lambda carry: executable(carry, *part.args[1:])[0], part.args[0], repeats)
    else:
        times, _ = repeat(lambda _: executable(*part.args), None, repeats)
    return summary(times) | costs(traced, executable, seconds)


def costs(traced: Any, executable: Any, compile_seconds: float) -> dict[str, Any]:
    return {
        "flops": count(traced.jaxpr).flops,
        "compile_s": compile_seconds,
        "memory": program_memory(executable),
    }


if __name__ == "__main__":
    main()
