"""Time what saving costs: how long the loop waits, until all is on disk, how many bytes, and going on again.

    python benchmarks/bench_checkpoint.py --preset atari100k --entries 20000 100000

For every number of entries an agent gets rings that are full of noise, without training, and is saved; then
it is saved again after so many `--new` environment steps and their updates, which are made up as well: rows
count as new and latents as changed where training would have made them so. The second save is timed with the
device idle, and while updates of level 0 run. Then the checkpoint is verified and restored. At paper size
updates take 10 GB on a CPU; `--without-updates` leaves them out.

Files are read from the memory of the operating system, where they still are. Adds one line to
`results/bench_checkpoint.jsonl`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from machine import config_of, options, table, timed, write

import hieros_eqx
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import History
from hieros_eqx.replay import RingBuffer
from hieros_eqx.training import checkpoint, records
from hieros_eqx.training.agents import keep_agents
from hieros_eqx.training.checkpoint import Ledger
from hieros_eqx.training.content import Host
from hieros_eqx.training.episodes import open_episodes
from hieros_eqx.training.memory import ATARI
from hieros_eqx.training.run_dir import RunDir

SAVE_EVERY = 600.0  # seconds, as by default
KEPT = 2


class Saved(NamedTuple):
    """What one save took."""

    held_s: float
    """The loop waits: all that is new is copied to the host."""
    write_s: float
    """From then on until it is on disk, with the agents' own folders."""
    parts_s: dict[str, float]
    """Of the writing."""
    new_mb: float
    """What was written; the rest is linked."""
    whole_mb: float
    files: int


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    measured = {}
    for entries in chosen.entries:
        measured[str(entries)] = found = time_size(with_entries(config_of(chosen), entries), chosen)
        cases = [
            [f"{name}, {way}", *(own[way][value] for value in ("new_mb", "held_s", "write_s"))]
            for name, own in found["saves"].items()
            for way in own["ways"]
        ]
        print(table([[f"{entries:,} entries", "MB", "held up, s", "write, s"], *cases]))
        shares = ", ".join(
            f"{own['overhead']:.2%} ({name})" for name, own in found["saves"].items() if "overhead" in own
        )
        print(f"overhead of a save every 10 minutes: {shares}")
        print(f"verify {found['verify_s']:.1f} s, restore {found['restore_s']:.1f} s\n", flush=True)
    return write("bench_checkpoint", chosen, arguments, {"by_entries": measured})


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", repeats=3)
    parser.add_argument("--entries", type=int, nargs="+", default=[20_000], help="of the lowest ring")
    parser.add_argument(
        "--new", type=int, nargs="+", default=[100, 10_000], metavar="STEPS", help="between two saves"
    )
    parser.add_argument("--without-updates", action="store_true")
    return parser.parse_args(arguments)


def with_entries(config: HierosConfig, entries: int) -> HierosConfig:
    """Return the configuration of a run whose lowest ring holds so many entries."""
    return replace(
        config,
        replay=replace(config.replay, capacity=entries),
        training=replace(config.training, env_steps=10**9),
    )


def time_size(config: HierosConfig, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return what all saves of rings of one size take, and what it takes to go on."""
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        bench = Bench(config, RunDir(Path(folder)))
        saves: dict[str, Any] = {"first": {"ways": ["idle"], "idle": bench.save()._asdict()}}
        updates = None if chosen.without_updates else time_updates(bench, config.levels, chosen.repeats)
        for steps in chosen.new:
            bench.go_on(steps)
            idle = bench.save()
            found = {"ways": ["idle"], "idle": idle._asdict(), "overhead": idle.held_s / SAVE_EVERY}
            if updates is not None:
                bench.go_on(steps)
                found |= while_updating(bench, updates["level0"])
                found["from_signal_to_exit_s"] = updates["all_levels"] + idle.held_s + idle.write_s
            saves[f"after {steps:,} steps"] = found
        del bench.state
        verify, (newest, problems) = timed(lambda: checkpoint.newest_whole(bench.run.checkpoints))
        assert newest is not None and not problems, problems
        restore, restored = timed(
            lambda: checkpoint.restore(bench.run.checkpoints, newest, config, ATARI).state
        )
        assert int(restored.replay[0].count[0]) == bench.counts[0]
    return {
        "bytes_of_state": {
            "parameters": _bytes(restored.params),
            "replay": _bytes(restored.replay),
            "the rest": _bytes(restored) - _bytes(restored.params) - _bytes(restored.replay),
        },
        "saves": saves,
        "updates_s": updates,
        "verify_s": verify,
        "restore_s": restore,
    }


def time_updates(bench: "Bench", levels: int, repeats: int) -> dict[str, float]:
    """Return the seconds of an update of level 0, and of one of all levels, compiled before."""
    level0 = [bench.update(1) for _ in range(repeats + 1)][1:]
    bench.update(levels)
    return {"level0": statistics.median(level0), "all_levels": bench.update(levels)}


def while_updating(bench: "Bench", alone: float) -> dict[str, Any]:
    """Return what a save takes while level 0 is updated, and what that takes beyond `alone` seconds each."""
    during: list[float] = []
    saved = bench.save(lambda: during.append(bench.update(1)))
    slowed = max(0.0, sum(during) - alone * len(during))
    return {
        "ways": ["idle", "while updating"],
        "while updating": saved._asdict(),
        "updates_meanwhile": len(during),
        "slowed_s": slowed,
        "overhead": (saved.held_s + slowed) / SAVE_EVERY,
    }


class Bench:
    """An agent with full rings that makes up its own progress, and is saved as a run saves it."""

    def __init__(self, config: HierosConfig, run: RunDir):
        self.run = run
        self.state = filled(config)
        self.counts = [ring.capacity for ring in self.state.replay]
        self._config, self._ledger = config, checkpoint.empty_ledger(self.state)
        self._steps, self._rng = config.env.num_envs * self.counts[0], np.random.default_rng(1)

    def update(self, depth: int) -> float:
        """Return the seconds of one update of the lowest `depth` levels."""
        seconds, (self.state, _) = timed(lambda: hieros_eqx.update(self.state, depth))
        return seconds

    def go_on(self, steps: int) -> None:
        """Make up so many environment steps: entries that are new, and others that were drawn."""
        self._steps += steps
        rings = []
        for level, ring in enumerate(self.state.replay):
            new = steps // self._config.env.num_envs // self._config.period(level)
            updates = steps // self._config.train_period(level)
            self.counts[level] += new
            rings.append(self._later(ring, self.counts[level], new, updates))
        self.state = replace(self.state, replay=tuple(rings))

    def _later(self, ring: RingBuffer, count: int, new: int, updates: int) -> RingBuffer:
        training, capacity = self._config.training, ring.capacity
        visits = np.array(ring.visits)
        for env in range(ring.num_envs):
            starts = self._rng.integers(0, capacity - training.sequence, updates * training.batch)
            drawn = starts[: len(starts) // ring.num_envs, None] + np.arange(training.sequence)
            np.add.at(visits[env], drawn, 1)
            visits[env, np.arange(count - new, count) % capacity] = 0
        return replace(
            ring,
            visits=jax.device_put(visits),
            count=jax.device_put(np.full(ring.num_envs, count, np.int32)),
            oldest=jax.device_put(np.full(ring.num_envs, count - capacity, np.int32)),
        )

    def save(self, meanwhile: Callable[[], Any] | None = None) -> Saved:
        """Save; call `meanwhile` again and again until all is on disk."""
        envs, before = self._config.env.num_envs, set(self._ledger.files)
        counters = records.fresh_counters(self._config)._replace(env_step=self._steps)
        recent = dict.fromkeys(self._config.all_seeds, ())
        host = Host(counters, open_episodes(envs), recent, {}, 0)
        start, end = self._ledger.steps, self._steps // envs
        steps = np.arange(start, end + 1)[:, None]
        history = History(
            np.zeros((end - start, envs), np.int32),
            np.zeros((end - start + 1, envs), np.uint32),
            np.broadcast_to(steps == 0, (end - start + 1, envs)),
        )
        jax.block_until_ready(self.state)
        held, shot = timed(lambda: checkpoint.snapshot(self.state, host, history, self._ledger))
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(self._write, shot)
            while meanwhile is not None and not future.done():
                meanwhile()
            self._ledger, parts = future.result()
        files = self._ledger.files
        always = {name for name in files if name.startswith((checkpoint.AGENT, checkpoint.REST))}
        fresh = sum(files[name].size for name in files if name not in before or name in always)
        fresh += sum(files[name].size for name in files if name.startswith(checkpoint.AGENT))  # agents/
        whole = sum(seal.size for seal in files.values())
        return Saved(held, sum(parts.values()), parts, fresh / 1e6, whole / 1e6, len(files))

    def _write(self, shot: checkpoint.Snapshot) -> tuple[Ledger, dict[str, float]]:
        """Do what the saver's thread does, timing its parts."""
        parts = {}
        folder, env_step = self.run.checkpoints, shot.host.counters.env_step
        start = time.perf_counter()
        ledger = checkpoint.write(folder, shot, self._ledger)
        parts["checkpoint"] = time.perf_counter() - start
        checkpoint.retire(folder, KEPT)
        parts["retire"] = time.perf_counter() - start - sum(parts.values())
        keep_agents(self.run, shot.params, env_step)
        parts["agents"] = time.perf_counter() - start - sum(parts.values())
        return ledger, parts


def filled(config: HierosConfig) -> HierosState:
    """Return a fresh agent whose rings are full of noise that training could have left there."""
    state = hieros_eqx.init(config, ATARI, jax.random.key(0))
    rings, below = [], None
    for ring in state.replay:
        ring = noise(ring, np.random.default_rng(0), below)
        rings.append(ring)
        below = ring.capacity
    return jax.block_until_ready(replace(state, replay=tuple(rings)))


def noise(ring: RingBuffer, rng: np.random.Generator, below: int | None) -> RingBuffer:
    """Return a full ring. `below` are the entries of the one that its observations point into."""

    def integers(leaf: jax.Array, most: int) -> jax.Array:
        return jax.device_put(rng.integers(0, most, leaf.shape, np.dtype(leaf.dtype)))

    counts = np.full(ring.num_envs, ring.capacity, np.int32)
    return replace(
        ring,
        observation=integers(ring.observation, 256 if below is None else below),
        action=integers(ring.action, ring.action_classes),
        code=integers(ring.code, ring.code_classes),
        stoch=integers(ring.stoch, ring.stoch_classes),
        deter=integers(ring.deter, 0x4000),  # bits of numbers from 0 to 2
        state=integers(ring.state, 0x4000),
        count=jax.device_put(counts),
        oldest=jax.device_put(np.zeros_like(counts)),
    )


def _bytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


if __name__ == "__main__":
    main()
