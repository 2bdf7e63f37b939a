"""Train for an hour and more, saving all the time, and watch whether anything grows that should not.

    python benchmarks/soak.py --minutes 70

A small agent (`--preset debug`) plays `--game` through `hieros_eqx.train` with a run directory, a replay so
small that its rings wrap again and again, and a checkpoint every `--save-seconds`. Every `--sample-seconds` a
callback looks at the memory of the process, the arrays and programs of the device, open files, threads, the
time of a step and the files of the run. Of every series the record has a robust slope after `--warm-up`
minutes, and whether it is flat; what must grow (logs, and the environments' history: so many bytes a step)
is told by its rate. The time judged is that of the processor: a clock's also measures what else the machine
does.

Linux alone. Adds one line to `results/soak.jsonl` and, where Matplotlib is installed, draws
`results/soak.png`. `--repeats` changes nothing here.
"""

import argparse
import gc
import importlib.util
import itertools
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import config_of, options, table, write

import hieros_eqx
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.training.manifest import SAVING

HISTORY_BYTES = 4 + 4 + 1  # of a step in the environments' history: action, check, is_first
POINTS = 120  # of every series in the record
NEVER = 10**8  # environment steps: the clock ends the run
FLAT = {  # series -> growth in an hour that still counts as none, as a share of its median
    "own_mb": 0.01,
    "device_mb": 0.001,
    "device_arrays": 0.001,
    "programs": 0.001,
    "mappings": 0.01,
    "open_files": 0.001,
    "threads": 0.001,
    "python_blocks": 0.01,
    "cpu_ms_per_step": 0.05,
    "cpu_ms_per_step_with_saves": 0.05,
    "file_count": 0.02,
    "agent_kb": 0.02,
    "rest_kb": 0.02,
    "replay_kb": 0.02,
    "manifest_kb": 0.02,
    "other_kb": 0.02,
}
GROWS = ("logs_kb", "environments_kb")
SHOWN = (*FLAT, *GROWS, "resident_mb", "wall_ms_per_step")


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        watch = Watch(Path(folder), chosen.sample_seconds, chosen.minutes)
        result = hieros_eqx.train(
            with_soak(config_of(chosen), chosen), None, folder, [watch], progress=False, command="soak"
        )
    series = columns(watch.samples)
    found = judge(series, chosen.warm_up)
    measured = {
        "minutes": series["minutes"][-1],
        "env_steps": result.env_step,
        "episodes": len(result.returns),
        "warm_up_minutes": chosen.warm_up,
        "judged_by": "CPU time of the process; other processes ran on the machine, wall time is theirs, too",
        "flat": all(own["flat"] for own in found.values() if "flat" in own),
        "by_series": found,
        "bytes_per_env_step": per_env_step(series, chosen.warm_up),
        "series": {name: thinned(values) for name, values in series.items()},
    }
    record = write("soak", chosen, arguments, measured)
    print(table(rows(found)))
    if importlib.util.find_spec("matplotlib"):
        draw(series, chosen.warm_up, chosen.results / "soak.png")
    return record


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", preset="debug")
    parser.add_argument("--game", default="Breakout")
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--warm-up", type=float, default=10, metavar="MINUTES")
    parser.add_argument("--save-seconds", type=float, default=30)
    parser.add_argument("--sample-seconds", type=float, default=30)
    parser.add_argument("--capacity", type=int, default=4000, help="entries of the lowest ring")
    return parser.parse_args(arguments)


def with_soak(config: HierosConfig, chosen: argparse.Namespace) -> HierosConfig:
    """Return the configuration of a run that the clock ends, with small rings and many saves."""
    training = replace(
        config.training, env_steps=NEVER, checkpoint_every=NEVER, checkpoint_minutes=chosen.save_seconds / 60
    )
    return replace(
        config,
        env=replace(config.env, game=chosen.game),
        replay=replace(config.replay, capacity=chosen.capacity),
        training=training,
    )


# ------------------------------------------------------------------------------------------ watching


class Watch:
    """A callback of `train` that takes samples, one at least, and ends the run after some minutes."""

    def __init__(self, folder: Path, every: float, minutes: float):
        self.samples: list[dict[str, float]] = []
        self._folder, self._every, self._end = folder, every, 60 * minutes
        self._begun = self._sampled = time.monotonic()
        self._lines: list[tuple[float, float]] = []  # CPU and wall seconds per step of every line
        self._mark: tuple[int, float, float] | None = None

    def __call__(self, _state: HierosState, line: Mapping[str, Any]) -> None:
        """Note the time of the steps since the line before; sample and stop when it is time."""
        now, env_step = time.monotonic(), line["env_step"]
        if self._mark is not None:
            step, cpu, wall = self._mark
            steps = env_step - step
            self._lines.append(((time.process_time() - cpu) / steps, (now - wall) / steps))
        if self._lines and now - self._sampled >= self._every:
            self._sampled = now
            cpu, wall = zip(*self._lines, strict=True)
            self._lines = []
            sample = {
                "minutes": (now - self._begun) / 60,
                "env_step": env_step,
                "cpu_ms_per_step": 1e3 * statistics.median(cpu),
                "cpu_ms_per_step_with_saves": 1e3 * statistics.fmean(cpu),
                "wall_ms_per_step": 1e3 * statistics.median(wall),
                **process(),
                **files(self._folder),
            }
            self.samples.append(sample)
            print(", ".join(f"{name} {value:,.6g}" for name, value in sample.items()), flush=True)
        if self.samples and now - self._begun >= self._end:
            raise KeyboardInterrupt
        self._mark = env_step, time.process_time(), time.monotonic()


def process() -> dict[str, float]:
    """Return what this process holds: memory, arrays and programs of the device, files, threads."""
    arrays = jax.live_arrays()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = {name: int(value) for name, value in re.findall(r"(\w+):\s+(\d+) kB", status)}
    return {
        "resident_mb": kilobytes["VmRSS"] / 1024,
        "own_mb": kilobytes["RssAnon"] / 1024,  # without files' pages, which the system may take back
        "device_mb": sum(array.nbytes for array in arrays) / 1024**2,
        "device_arrays": len(arrays),
        "programs": len(jax.devices()[0].client.live_executables()),
        "mappings": Path("/proc/self/maps").read_bytes().count(b"\n"),
        "open_files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "python_blocks": sys.getallocatedblocks(),
        "collections": gc.get_stats()[2]["collections"],
    }


def files(folder: Path) -> dict[str, float]:
    """Return the kilobytes of a run directory by kind, a file with several names once, and its names."""
    sizes: Counter[str] = Counter()
    seen, count = set(), 0
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name).relative_to(folder)
            if file.parts[1:] and file.parts[1].startswith(SAVING):  # a save under way
                continue
            try:
                stat = (folder / file).stat()
            except FileNotFoundError:  # of a checkpoint that is being deleted
                continue
            count += 1
            if stat.st_ino not in seen:
                seen.add(stat.st_ino)
                sizes[kind(file)] += stat.st_size
    kinds = ("logs", "agent", "rest", "replay", "environments", "manifest", "other")
    return {f"{name}_kb": sizes[name] / 1024 for name in kinds} | {"file_count": count}


def kind(file: Path) -> str:
    """Return what a file of a run directory holds."""
    if file.suffix == ".jsonl":
        return "logs"
    if file.name == "manifest.json":
        return "manifest"
    top, *below = file.parts
    if top == "checkpoints" and len(below) > 2:
        return below[1]
    return "agent" if top == "agents" else "other"


# ------------------------------------------------------------------------------------------- judging


def columns(samples: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return the samples as one list for every quantity."""
    return {name: [sample[name] for sample in samples] for name in next(iter(samples))}


def slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Return the median of the slopes between all pairs of points, and a 95 % interval (Theil and Sen).

    The interval takes the points as independent.
    """
    pairs = itertools.combinations(zip(x, y, strict=True), 2)
    slopes = sorted((d - b) / (c - a) for (a, b), (c, d) in pairs) or [0.0]
    n, count = len(x), len(slopes)
    half = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    low, high = max(0, math.floor(count / 2 - half)), min(count - 1, math.ceil(count / 2 + half))
    return statistics.median(slopes), slopes[low], slopes[high]


def judge(series: Mapping[str, Sequence[float]], warm_up: float) -> dict[str, dict[str, Any]]:
    """Return median and growth per hour of every series after the warm-up, and whether it is flat.

    It is not where even the lower end of the interval is above the limit. From the growth of memory what the
    environments' history takes is subtracted.
    """
    start = after(series, warm_up)
    minutes, found = series["minutes"][start:], {}
    history_mb = 60 / 1024**2 * slope(minutes, series["env_step"][start:])[0] * HISTORY_BYTES
    for name in SHOWN:
        values = series[name][start:]
        median = statistics.median(values)
        growth, low, high = (60 * own for own in slope(minutes, values))
        found[name] = {"median": median, "per_hour": growth, "interval": [low, high]}
        found[name] |= {"least": min(values), "most": max(values)}
        if name == "own_mb":
            found[name]["history_per_hour"] = history_mb
            low -= history_mb
        if name in FLAT:
            found[name] |= {"limit_per_hour": FLAT[name] * median, "flat": low <= FLAT[name] * median}
    return found


def after(series: Mapping[str, Sequence[float]], warm_up: float) -> int:
    """Return the index of the first sample after the warm-up; of the last one if there is none."""
    return next((i for i, at in enumerate(series["minutes"]) if at >= warm_up), len(series["minutes"]) - 1)


def per_env_step(series: Mapping[str, Sequence[float]], warm_up: float) -> dict[str, float]:
    """Return how many bytes an environment step adds to the files that grow."""
    start = after(series, warm_up)
    steps = series["env_step"][start:]
    return {name.removesuffix("_kb"): 1024 * slope(steps, series[name][start:])[0] for name in GROWS}


def thinned(values: Sequence[float]) -> list[float]:
    """Return at most `POINTS` of the values, the first and the last among them, with six digits."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).round().astype(int))
    return [float(f"{values[i]:.6g}") for i in chosen]


def rows(found: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """Return the lines of the table that is printed."""
    words = {True: "yes", False: "NO", None: "-"}
    lines: list[list[Any]] = [["series", "median", "per hour", "from", "to", "flat"]]
    for name, own in found.items():
        lines.append([name, own["median"], own["per_hour"], *own["interval"], words[own.get("flat")]])
    return lines


def draw(series: Mapping[str, Sequence[float]], warm_up: float, path: Path) -> None:
    """Draw every series against time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14.0, 11.0), layout="constrained")
    for ax, name in zip(figure.subplots(-(-len(SHOWN) // 4), 4).ravel(), SHOWN, strict=False):
        ax.plot(series["minutes"], series[name], color="#0072b2", linewidth=1)
        ax.axvline(warm_up, color="#999999", linewidth=1)
        ax.set_title(name.replace("_", " "), fontsize=9)
        ax.tick_params(labelsize=7)
        ax.ticklabel_format(useOffset=False)
    figure.supxlabel("minutes; the line is the end of the warm-up", fontsize=9)
    figure.savefig(path, dpi=60)


if __name__ == "__main__":
    main()
