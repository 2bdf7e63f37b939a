"""Everything in one call on a host with an accelerator: checks, timings, a short training, a table last.

    python benchmarks/accelerator.py --wheels wheels --seconds 1500

Needs the repository, numpy, jax, equinox, optax, orbax-checkpoint, jaxtyping and click; no network, nothing
installed. `--wheels` names a folder of wheels that are unpacked beside (ale-py, gymnasium and what that
needs, for real games). Every section is a process of its own, ended when its share of the time is over, so
that one that fails takes no other with it. Appends one line to `results/accelerator.jsonl`.

`--quick` takes the smallest sizes, to try the script on a CPU. `--record` writes the numbers that `reference`
compares with anew; do so on a CPU.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ERROR_LINES = 3
PATIENCE = 2
FOLDERS = re.compile(r"(/[^\s/]+)+/")  # paths of a machine, which say nothing elsewhere


@dataclass(frozen=True)
class Section:
    """A script, its arguments (usually and with `--quick`), its share of the time, and what to say of it."""

    script: str
    usual: str
    quick: str
    share: float
    headline: Callable[[dict[str, Any]], str]
    seconds: float = 0
    """What it is given as `--seconds` at most, if it takes that."""


def _update(record: dict[str, Any]) -> str:
    level0, total = record["updates"]["level0"], record["per_env_step"]["median_ms"]
    return (
        f"level 0 {level0['median_ms']:.1f} ms ({level0['share_of_peak']:.0%} of peak), "
        f"all levels {total:.1f} ms an env step, compiled in {level0['compile_s']:.0f} s"
    )


def _act(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {row['median_ms']:.2f} ms" for name, row in record["act"].items())


def _replay(record: dict[str, Any]) -> str:
    rows = record["by_size"].items()
    return "draw " + ", ".join(f"{int(size):,}: {row['draw']['median_ms']:.3f} ms" for size, row in rows)


def _scan(record: dict[str, Any]) -> str:
    length, row = list(record["by_length"].items())[-1]
    return f"{length} steps: " + ", ".join(
        f"{name} {row[name]['median_ms']:.2f} ms" for name in ("sequential", "parallel", "stack_gradient")
    )


def _seeds(record: dict[str, Any]) -> str:
    rows = record["by_seeds"].items()
    return "a seed relative to one: " + ", ".join(
        f"{seeds}: {row['per_env_step']['per_seed_relative']:.2f}" for seeds, row in rows
    )


def _loop(record: dict[str, Any]) -> str:
    return (
        f"{record['environment']}: {record['env_steps_per_second']:.1f} env steps/s, "
        f"{record['trained_images_per_second']:.0f} images/s, overhead {record['overhead']:.1%}"
    )


def _reference(found: dict[str, Any]) -> str:
    if "recorded" in found:
        return f"{found['recorded']} numbers recorded"
    return f"{found['compared']} numbers, worst at {found['worst_of_tolerance']:.1%} of the tolerance"


def _transfers(found: dict[str, Any]) -> str:
    honoured = "" if found["guard_honoured"] else " (this platform guards nothing)"
    return f"none in {found['updates']} updates and {found['steps']} steps{honoured}"


def _trace(record: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {row['launches']:,} launches, {row['busy_ms'] / row['traced_ms']:.0%} busy"
        for name, row in record["programs"].items()
    )


def _training(found: dict[str, Any]) -> str:
    return (
        f"{found['environment']}: {found['env_steps']} env steps, reconstruction "
        f"{found['reconstruction_first']:.1f} -> {found['reconstruction_last']:.1f}"
    )


PAPER, DEBUG = "--preset atari100k", "--preset debug --set levels=2 --repeats 3"
SECTIONS = {  # the most important first: what takes longer than its share takes from those behind
    "reference": Section("checks.py", "reference --sizes middle", "reference --sizes debug", 3, _reference),
    "transfers": Section("checks.py", "transfers --preset laptop", "transfers --set levels=2", 3, _transfers),
    "update": Section("bench_update.py", f"{PAPER} --parts", f"{DEBUG} --parts", 6, _update),
    "trace": Section("bench_trace.py", PAPER, DEBUG, 1, _trace),
    "act": Section("bench_act.py", f"{PAPER} --envs 1 8", DEBUG, 1, _act),
    "loop": Section("bench_loop.py", PAPER, DEBUG, 3, _loop, seconds=200),
    "training": Section(
        "checks.py", "training --preset laptop", "training --set levels=2", 3, _training, seconds=60
    ),
    "seeds": Section(
        "bench_seeds.py", f"{PAPER} --set levels=1 --seeds 1 5", f"{DEBUG} --seeds 1 2", 3, _seeds
    ),
    "bfloat16": Section(
        "bench_update.py",
        f"{PAPER} --set levels=1 --set precision=bfloat16 --parts",
        f"{DEBUG} --set precision=bfloat16 --parts",
        2,
        _update,
    ),
    "replay": Section(
        "bench_replay.py", f"{PAPER} --sizes 1000 1000000 --memory 20", f"{DEBUG} --sizes 1000", 1, _replay
    ),
    "scan": Section("bench_scan.py", f"{PAPER} --lengths 64 1024", f"{DEBUG} --lengths 16", 1, _scan),
    "parts": Section("bench_update.py", PAPER, DEBUG, 4, _update),
}


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parse(arguments)
    found: dict[str, Any] = {}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            environment = prepare(Path(scratch), chosen.wheels)
            run_all(chosen, Path(scratch), environment, found)
    finally:
        chosen.results.mkdir(parents=True, exist_ok=True)
        record = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": "python benchmarks/accelerator.py" + (" --quick" if chosen.quick else ""),
            "sections": found,
        }
        with (chosen.results / "accelerator.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print("\n" + text_table(found), flush=True)
    return 0 if all(section["ok"] for section in found.values()) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1500, help="for everything")
    parser.add_argument("--wheels", type=Path, help="folder of wheels to unpack beside")
    parser.add_argument("--quick", action="store_true", help="smallest sizes, to try the script")
    parser.add_argument("--record", action="store_true", help="write the reference's numbers anew")
    parser.add_argument("--keep", type=Path, help="folder for the profiler's traces")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the record")
    return parser.parse_args(arguments)


def prepare(scratch: Path, wheels: Path | None) -> dict[str, str]:
    """Unpack the wheels and return the environment of the sections' processes."""
    packages = scratch / "packages"
    packages.mkdir()
    for wheel in sorted(wheels.glob("*.whl")) if wheels is not None else []:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    held = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), str(packages), *([held] if held else [])]
    return {
        "JAX_COMPILATION_CACHE_DIR": str(scratch / "compiled"),  # programs that sections share
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
    }


def run_all(
    chosen: argparse.Namespace, scratch: Path, environment: dict[str, str], found: dict[str, Any]
) -> None:
    """Run the sections one after the other, each with up to `PATIENCE` times its share of what is left.

    What each has measured is put into `found` as it comes.
    """
    end = time.monotonic() + chosen.seconds
    left = sum(SECTIONS[name].share for name in chosen.only)
    for name in chosen.only:
        section = SECTIONS[name]
        limit = (end - time.monotonic()) * min(1, PATIENCE * section.share / left)
        left -= section.share
        command = command_of(section, chosen, limit, scratch)
        print(f"\n== {name}, at most {limit:.0f} s: {shlex.join(command[1:])}", flush=True)
        found[name] = run(section, command, limit, environment, scratch)


def command_of(section: Section, chosen: argparse.Namespace, limit: float, scratch: Path) -> list[str]:
    command = [sys.executable, str(HERE / section.script)]
    command += shlex.split(section.quick if chosen.quick else section.usual)
    if section.headline is _reference and chosen.record:
        command = [*command[: command.index("--sizes")], "--record"]  # of all sizes
    if section.headline is _trace and chosen.keep is not None:
        command += ["--keep", str(chosen.keep)]
    if section.seconds:
        command += ["--seconds", f"{min(section.seconds, 0.7 * limit):.0f}"]
    return [*command, "--results", str(scratch)]


def run(
    section: Section, command: list[str], limit: float, environment: dict[str, str], scratch: Path
) -> dict[str, Any]:
    """Run one section; return what it measured, or how it failed."""
    begun = time.monotonic()
    result: dict[str, Any] = {"ok": False}
    with (scratch / "output").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            process.wait(timeout=max(limit, 1))
        except subprocess.TimeoutExpired:
            result["error"] = f"not done after {limit:.0f} s"
        finally:  # also where this script itself is interrupted
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        said = output.read()
    print(said, end="", flush=True)
    result["seconds"] = round(time.monotonic() - begun, 1)
    measured = last_line(section, said, scratch)
    if process.returncode == 0 and measured is not None:
        result |= {"ok": True, "said": section.headline(measured), "measured": measured}
    elif "error" not in result:
        lines = [FOLDERS.sub("", line) for line in said.splitlines() if line.strip()]
        result["error"] = " | ".join(lines[-ERROR_LINES:]) or f"exit code {process.returncode}"
    return result


def last_line(section: Section, said: str, scratch: Path) -> dict[str, Any] | None:
    """Return the record that a script has left: printed by checks, appended to a file by benchmarks."""
    lines = said.splitlines()
    if section.script != "checks.py":
        path = scratch / Path(section.script).with_suffix(".jsonl").name
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        return None


def text_table(found: dict[str, Any]) -> str:
    """Return one line for each section."""
    lines = []
    for name, section in found.items():
        state = "ok" if section["ok"] else "FAILED"
        said = section.get("said") or section["error"]
        lines.append(f"{name:16s} {state:6s} {section['seconds']:6.1f} s  {said}")
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was measured until then is kept
    sys.exit(main())
