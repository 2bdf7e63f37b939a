"""What the device does in an update: how many operations it launches, how long it works, and on what.

    python benchmarks/bench_trace.py --preset atari100k --keep traces

Runs every update program under JAX's profiler. `launches` are kernels and copies of one call; `busy` is the
time in which at least one of them ran, and the rest of the call waited for launches. Operations are grouped
by name, without the number at its end and the arguments of a template. `--keep` keeps the traces, which
Perfetto and XProf open. On a CPU the operations are those of XLA's threads, one within another.

Adds one line to `results/bench_trace.jsonl`.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
from machine import compiled, config_of, options, repeat, summary, table, timed, write
from programs import Program, fill, small_replay, update_programs

from hieros_eqx.agent.state import HierosState

SHOWN = 20  # groups of operations in the record


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    state, programs = fill(small_replay(config_of(chosen))), {}
    for name, program in update_programs(state).items():
        state, programs[name] = trace_program(program, state, chosen, name)
    rows = [
        [name, row["median_ms"], row["traced_ms"], row["busy_ms"], row["launches"]]
        for name, row in programs.items()
    ]
    print(table([["program", "ms", "traced ms", "busy ms", "launches"], *rows]))
    for name, row in programs.items():
        heads = [[f"{name}: operations", "launches", "ms"]]
        print(table(heads + [[op["name"], op["launches"], op["ms"]] for op in row["operations"]]))
    return write("bench_trace", chosen, arguments, {"programs": programs})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", repeats=3)
    parser.add_argument("--keep", type=Path, help="folder for the traces themselves")
    return parser.parse_args(arguments)


def trace_program(
    program: Program, state: HierosState, chosen: argparse.Namespace, name: str
) -> tuple[HierosState, dict[str, Any]]:
    """Return the state after all calls, and what the device did in one of them."""
    _, executable, _ = compiled(program.jitted, *program.args(state), **program.static)

    def step(state: HierosState) -> HierosState:
        return program.put(state, executable(*program.args(state)))

    times, state = repeat(step, state, chosen.repeats)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            seconds, state = timed(step, state)
        (file,) = Path(folder).rglob("*.xplane.pb")
        events = operations(jax.profiler.ProfileData.from_file(str(file)))
        if chosen.keep is not None:
            chosen.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, chosen.keep / f"{name}.xplane.pb")
    return state, summary(times) | {"traced_ms": 1e3 * seconds} | account(events)


def operations(profile: Any) -> list[tuple[str, float, float]]:
    """Return name, start and end in ns of all that XLA ran, on accelerators where there are any."""
    planes = list(profile.planes)
    accelerators = [plane for plane in planes if plane.name.startswith("/device:") and list(plane.lines)]
    found = []
    for plane in accelerators or planes:
        for line in plane.lines:
            if accelerators and not line.name.startswith("Stream"):
                continue  # summaries of the streams
            for event in line.events:
                named = event.name if accelerators else dict(event.stats).get("hlo_op")
                if named:
                    found.append((str(named), event.start_ns, event.start_ns + event.duration_ns))
    return found


def account(events: Iterable[tuple[str, float, float]]) -> dict[str, Any]:
    """Return launches, busy time (the union of all intervals) and the groups that took longest."""
    busy, until, groups = 0.0, 0.0, defaultdict(lambda: [0, 0.0])
    ordered = sorted(events, key=lambda event: event[1])
    for name, start, end in ordered:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
        group = groups[re.sub(r"<.*|\((?!anon).*|[._\d]+$", "", name)]
        group[0] += 1
        group[1] += end - start
    longest = sorted(groups.items(), key=lambda item: -item[1][1])[:SHOWN]
    return {
        "launches": len(ordered),
        "busy_ms": busy / 1e6,
        "operations": [{"name": name, "launches": n, "ms": ns / 1e6} for name, (n, ns) in longest],
    }


if __name__ == "__main__":
    main()
