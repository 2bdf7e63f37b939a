"""Whether this machine computes what another did: numbers of a reference, transfers, a short training.

    python benchmarks/checks.py reference            # compare with results/reference_numbers.json
    python benchmarks/checks.py reference --record   # write that file, on a CPU
    python benchmarks/checks.py transfers
    python benchmarks/checks.py training --seconds 60

Each prints what it found as one line of JSON, and ends with exit code 1 if something is wrong.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bench_loop import with_env
from machine import RESULTS, config_of, options
from programs import ATARI, fill, small_replay, timestep

import hieros_eqx
from hieros_eqx.config import HierosConfig, override
from hieros_eqx.replay import RingBuffer
from hieros_eqx.replay.buffer import from_bits
from hieros_eqx.training import provenance
from hieros_eqx.training.log import write_json
from hieros_eqx.training.metrics import fetch, flatten

NUMBERS = RESULTS / "reference_numbers.json"
RTOL, ATOL = 1e-3, 1e-4  # float32 after a few hundred steps of acting, sums in another order
SIZES = {
    "debug": ("debug", []),
    "middle": (
        "laptop",
        ["training.batch=2", "training.sequence=8", "behaviour.horizon=4", "world_model.cnn_depth=8"],
    ),
}
GUARDED_STEPS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parse(sys.argv[1:] if arguments is None else arguments)
    found = {"reference": reference, "transfers": transfers, "training": training}[chosen.check](chosen)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = options(__doc__ or "", preset="debug")
    parser.add_argument("check", choices=("reference", "transfers", "training"))
    parser.add_argument("--record", action="store_true", help="write the numbers of the reference anew")
    parser.add_argument("--numbers", type=Path, default=NUMBERS, help="file of the reference's numbers")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--game", default="PrivateEye", help="to train on; `none`: the made-up environment")
    return parser.parse_args(arguments)


# ---------------------------------------------------------------------------------------- reference


def reference(chosen: argparse.Namespace) -> dict[str, Any]:
    """Compare acting and one update of every level with the numbers of another machine, or record them."""
    found = {size: numbers(size) for size in chosen.sizes}
    if chosen.record:
        origin = {"platform": jax.default_backend(), "versions": provenance.versions()}
        write_json(chosen.numbers, origin | {"numbers": found})
        return {"ok": True, "recorded": sum(map(len, found.values()))}
    held = json.loads(chosen.numbers.read_text(encoding="utf-8"))["numbers"]
    worst, wrong = 0.0, []
    for size, group in found.items():
        if group.keys() != held[size].keys():
            raise ValueError(f"{size}: other numbers are measured than recorded; record them anew")
        for name, value in group.items():
            off = abs(value - held[size][name]) / (ATOL + RTOL * abs(held[size][name]))
            worst = max(worst, off) if math.isfinite(off) else math.inf
            if not off <= 1:
                wrong.append(f"{size}/{name}: wanted {held[size][name]:.6g}, got {value:.6g}")
    compared = sum(map(len, found.values()))
    return {"ok": not wrong, "compared": compared, "worst_of_tolerance": worst, "wrong": wrong[:20]}


def numbers(size: str) -> dict[str, float]:
    """Return means of what acting left in replay and all metrics of one update of every level."""
    preset, changes = SIZES[size]
    config = small_replay(override(hieros_eqx.make_preset(preset), changes))
    with jax.default_matmul_precision("highest"):  # no TF32
        state = fill(config)
        acted = {
            f"acting/level{level}/{name}": float(np.mean(np.asarray(values, np.float64)))
            for level, ring in enumerate(state.replay)
            for name, values in (("action", ring.action), ("stoch", ring.stoch), ("deter", _size(ring)))
        }
        state, metrics = hieros_eqx.update(state, config.levels)
        learned = {name: float(value) for name, value in flatten(fetch(metrics)).items()}
    return acted | learned


def _size(ring: RingBuffer) -> Any:
    return jnp.abs(from_bits(ring.deter))


# ---------------------------------------------------------------------------------------- transfers


def transfers(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run updates with no transfer allowed at all, and acting with none from the device but the action's."""
    config = small_replay(config_of(chosen))
    state = fill(config)
    depths = range(1, config.levels + 1)
    for depth in depths:  # compilation may move constants
        state, metrics = hieros_eqx.update(state, depth)
    jax.block_until_ready(state)
    with jax.transfer_guard("disallow_explicit"):
        for depth in depths:
            state, metrics = hieros_eqx.update(state, depth)
        jax.block_until_ready((state, metrics))
    rng = np.random.default_rng(0)
    with jax.transfer_guard_device_to_host("disallow"):  # `fetch` is explicit
        for i in range(GUARDED_STEPS):
            state, action = hieros_eqx.act(state, timestep(i + 1, rng, (config.env.num_envs,), ATARI))
            fetch(action)
    honoured = jax.default_backend() != "cpu"  # there both share memory, and nothing is guarded
    return {"ok": True, "updates": len(depths), "steps": GUARDED_STEPS, "guard_honoured": honoured}


# ----------------------------------------------------------------------------------------- training


def training(chosen: argparse.Namespace) -> dict[str, Any]:
    """Train for some seconds; all metrics must be finite, and the reconstruction loss must fall."""
    config, env = with_env(config_of(chosen), chosen.game)
    config = _without_end(small_replay(config))
    records, begun = [], time.perf_counter()

    def collect(_state: Any, record: dict[str, Any]) -> None:
        records.append(record)
        if time.perf_counter() - begun > chosen.seconds:
            raise KeyboardInterrupt

    result = hieros_eqx.train(config, env, callbacks=[collect], progress=False)
    name = "level0/world_model/reconstruction"
    losses = [record[name] for record in records if name in record]
    finite = all(math.isfinite(v) for record in records for v in record.values() if isinstance(v, float))
    fell = len(losses) > 1 and losses[-1] < losses[0]
    return {
        "ok": finite and fell,
        "environment": config.env.game or "a made-up environment",
        "env_steps": result.env_step,
        "level0_updates": int(result.state.train_step[0]),
        "top_level_updates": int(result.state.train_step[-1]),
        "finite": finite,
        "reconstruction_first": losses[0] if losses else None,
        "reconstruction_last": losses[-1] if losses else None,
        "env_steps_per_second": records[-1]["steps_per_second"] if records else None,
    }


def _without_end(config: HierosConfig) -> HierosConfig:
    """Return the configuration of a run that time will end, with lines often enough to see it learn."""
    every = max(1, config.train_start(0) // 2)
    return replace(config, training=replace(config.training, env_steps=10**6, log_every=every))


if __name__ == "__main__":
    sys.exit(main())
