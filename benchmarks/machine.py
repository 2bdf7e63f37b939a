"""What all benchmarks share: options, the machine and its peak, timing, and the record that is left."""

import argparse
import os
import platform
import resource
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import hieros_eqx
from hieros_eqx.backend.allocator import keep_freed_memory
from hieros_eqx.backend.compiler import compile_quickly_for_gpu
from hieros_eqx.config import HierosConfig, override
from hieros_eqx.training import provenance
from hieros_eqx.training.log import append

RESULTS = Path(__file__).parent / "results"
TINY = (  # a size of the benchmarks alone, the smallest that is timed, over `atari100k`
    "world_model.cnn_depth=8",
    "world_model.hidden=64",
    "world_model.deter=64",
    "world_model.stoch=8",
    "world_model.classes=8",
    "world_model.mlp_width=64",
    "world_model.s5.width=64",
    "world_model.s5.state=32",
    "world_model.s5.num_blocks=2",
    "behaviour.hidden=64",
    "behaviour.horizon=8",
    "subgoal.factors=4",
    "subgoal.classes=4",
    "subgoal.hidden=64",
    "training.batch=8",
    "training.sequence=32",
)
PEAK_SIZE = {"cpu": 2048}  # sides of the square matrices of the yardstick
PEAK_SIZE_ELSEWHERE = 8192


# ------------------------------------------------------------------------------------------ options


def prepare() -> None:
    """Set this process up as `hieros-eqx train` does."""
    keep_freed_memory()
    compile_quickly_for_gpu()


def options(description: str, *, preset: str = "laptop", repeats: int = 7) -> argparse.ArgumentParser:
    """Return a parser of the options all benchmarks have; the process is prepared."""
    prepare()
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--preset", default=preset, choices=[*sorted(hieros_eqx.PRESETS), "tiny"])
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="one field of the preset"
    )
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    return parser


def config_of(chosen: argparse.Namespace) -> HierosConfig:
    """Return the configuration that the options ask for."""
    if chosen.preset == "tiny":
        return override(hieros_eqx.make_preset("atari100k"), [*TINY, *chosen.set])
    return override(hieros_eqx.make_preset(chosen.preset), chosen.set)


# ------------------------------------------------------------------------------------------ machine


def device() -> dict[str, Any]:
    """Return JAX's device, the processor, its usable cores, and the peak memory of this process so far."""
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.is_file() else []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = jax.devices()[0]
    return {
        "platform": found.platform,
        "kind": found.device_kind,
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": cores,
        "peak_memory_mb": host_peak_mb(),
    } | device_peak()


def host_peak_mb() -> int:
    """Return the largest resident size of this process so far."""
    unit = 1024**2 if platform.system() == "Darwin" else 1024  # bytes there, kilobytes here
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def device_peak() -> dict[str, int]:
    """Return the most memory that this process had on its accelerator; nothing on a CPU."""
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" not in stats:
        return {}
    return {"device_peak_memory_mb": round(stats["peak_bytes_in_use"] / 1024**2)}


def matmul_peak(repeats: int = 5, size: int | None = None) -> dict[str, dict[str, float]]:
    """Return the rate of a large square matrix product, the yardstick of this machine, by dtype.

    `float32` is JAX's default precision, which on a GPU may be TF32; `float32_highest` is not.
    """
    size = size or PEAK_SIZE.get(jax.default_backend(), PEAK_SIZE_ELSEWHERE)
    found = {}
    for name, dtype, precision in (
        ("float32", jnp.float32, None),
        ("float32_highest", jnp.float32, "highest"),
        ("bfloat16", jnp.bfloat16, None),
    ):
        square = jnp.ones((size, size), dtype)
        product = jax.jit(
            lambda x, p=precision: jnp.matmul(x, x, precision=p, preferred_element_type=jnp.float32)
        )
        times = [timed(product, square)[0] for _ in range(repeats + 1)][1:]
        best = min(times)
        found[name] = summary(times) | {"gflops": 2e-9 * size**3 / best, "size": size}
    return found


# ------------------------------------------------------------------------------------------- timing


def timed(call: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """Return the seconds until the result is there, and the result."""
    start = time.perf_counter()
    result = jax.block_until_ready(call(*args))
    return time.perf_counter() - start, result


def repeat(
    step: Callable[[Any], Any], carry: Any, repeats: int, *, warm_up: int = 1
) -> tuple[list[float], Any]:
    """Return the seconds of `repeats` steps, each given what the one before returned, and the last result."""
    seconds = []
    for _ in range(warm_up + repeats):
        taken, carry = timed(step, carry)
        seconds.append(taken)
    return seconds[warm_up:], carry


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Return median and spread in milliseconds."""
    return {
        "median_ms": 1e3 * statistics.median(seconds),
        "min_ms": 1e3 * min(seconds),
        "max_ms": 1e3 * max(seconds),
        "repeats": len(seconds),
    }


def compiled(jitted: Any, *args: Any, **static: Any) -> tuple[Any, Any, float]:
    """Return the traced program, its executable for these arguments, and the seconds XLA took for it."""
    traced = jitted.trace(*args, **static)
    lowered = traced.lower()
    start = time.perf_counter()
    executable = lowered.compile()
    return traced, executable, time.perf_counter() - start


def program_memory(executable: Any) -> dict[str, float]:
    """Return what XLA has planned for one program, in MB; what it gives back in place counts once."""
    stats = executable.memory_analysis()
    sizes = {
        "arguments": stats.argument_size_in_bytes,
        "outputs": stats.output_size_in_bytes,
        "in_place": stats.alias_size_in_bytes,
        "temporary": stats.temp_size_in_bytes,
    }
    total = sizes["arguments"] + sizes["outputs"] - sizes["in_place"] + sizes["temporary"]
    return {f"{name}_mb": size / 1024**2 for name, size in (sizes | {"total": total}).items()}


# ------------------------------------------------------------------------------------------- record


def write(script: str, chosen: argparse.Namespace, arguments: Sequence[str], measured: dict[str, Any]) -> Any:
    """Append one line to `<results>/<script>.jsonl`: when, what, where and by which versions; return it."""
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", f"benchmarks/{script}.py", *_without_folders(arguments)]),
        "measured_at": provenance.commit(),
        "versions": {"python": platform.python_version()} | provenance.versions(),
        "device": device(),
        "preset": chosen.preset,
        "changes": chosen.set,
        **measured,
    }
    chosen.results.mkdir(parents=True, exist_ok=True)
    append(chosen.results / f"{script}.jsonl", record)
    return record


def _without_folders(arguments: Sequence[str]) -> list[str]:
    """Leave out where record, runs and traces went: it says nothing, and names folders of one machine."""
    kept, skip = [], False
    for argument in arguments:
        named = argument.partition("=")[0] in ("--results", "--out", "--keep")
        if not skip and not named:
            kept.append(argument)
        skip = named and "=" not in argument
    return kept


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as text, the first column to the left and the others to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *rest in cells:
        columns = (text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *columns]))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
