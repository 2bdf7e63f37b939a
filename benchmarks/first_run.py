"""A first run: train through all levels, or go on with a run, and measure what came of it.

    python benchmarks/first_run.py --game PrivateEye --preset laptop --seed 0 --out runs/first_run

Interrupted, it goes on where it was when called again. Adds one line to `results/first_run.jsonl` and writes
the figures `results/first_run_<game>_*.png` beside it.
"""

import argparse
import json
import platform
import shlex
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import device

import hieros_eqx
from hieros_eqx.config import HierosConfig, override
from hieros_eqx.envs import canonical_game
from hieros_eqx.report import figures, open_loop, open_loop_errors, run_summary
from hieros_eqx.report.published import human_normalised
from hieros_eqx.report.recording import Recording, collect_episodes, pick_starts
from hieros_eqx.training import provenance
from hieros_eqx.training.environment import open_env
from hieros_eqx.training.log import append, read
from hieros_eqx.training.run_dir import RunDir, read_config

RESULTS = Path(__file__).parent / "results"
SHOWN_MOTION, SHOWN_STEPS = (0.95, 0.75, 0.5), (1, 3, 5, 10, 15)
ENVS = 8  # that record episodes side by side
OPEN_LOOP_SEED, EVALUATION_SEED = 1, 0  # of environments that are not those of training


def main() -> None:
    options = parse()
    config = configuration(options)
    if not options.skip_train:
        result = hieros_eqx.train(config, run_dir=options.out)
        if result.interrupted:
            sys.exit("interrupted: call again to go on")
    run = RunDir(options.out)
    if read_config(options.out) != config:
        sys.exit(f"{options.out} holds another configuration: give the options that it was trained with")
    agent = hieros_eqx.load(options.out)
    lines = read(run.metrics)
    print("measuring open-loop errors ...", flush=True)
    errors, predictions = open_loop_of(agent, options)
    print("evaluating ...", flush=True)
    scores = evaluation_of(agent, options)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/first_run.py", *sys.argv[1:]]),
        "trained_at": json.loads(run.run.read_text(encoding="utf-8"))["commit"],
        "measured_at": provenance.commit(),
        "versions": {"python": platform.python_version()} | provenance.versions(),
        "device": device(),
        "sizes": sizes(agent),
        "training": training_of(lines),
        "open_loop": errors,
        "evaluation": scores,
    }
    record["criteria"] = criteria(record)
    options.results.mkdir(parents=True, exist_ok=True)
    append(options.results / "first_run.jsonl", record)
    draw(config, options, lines, read(run.episodes), *predictions)
    print(json.dumps(record, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--game", default="PrivateEye")
    parser.add_argument("--preset", default="laptop", choices=sorted(hieros_eqx.PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/first_run"), help="run directory")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where record and figures go")
    parser.add_argument("--env-steps", type=int, help="default: those of the preset")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one field")
    parser.add_argument("--skip-train", action="store_true", help="measure what is there")
    parser.add_argument("--episodes", type=int, default=10, help="evaluation episodes")
    parser.add_argument("--starts", type=int, default=256, help="open-loop predictions")
    parser.add_argument(
        "--record-steps", type=int, default=1000, help=f"steps in each of {ENVS} environments"
    )
    parser.add_argument("--horizon", type=int, default=15)
    parser.add_argument("--samples", type=int, default=8, help="samples of the prior from each start")
    return parser.parse_args()


def configuration(options: argparse.Namespace) -> HierosConfig:
    config = hieros_eqx.make_preset(options.preset)
    config = replace(
        config,
        env=replace(config.env, game=canonical_game(options.game)),
        training=replace(
            config.training, seed=options.seed, env_steps=options.env_steps or config.training.env_steps
        ),
    )
    return override(config, options.set)


def sizes(agent: hieros_eqx.Agent) -> dict[str, Any]:
    config = agent.config

    def count(tree: Any) -> int:
        return sum(leaf.size for leaf in jax.tree.leaves(tree))

    return {
        "preset": config.preset,
        "game": config.env.game,
        "seed": config.training.seed,
        "levels": config.levels,
        "env_steps": config.training.env_steps,
        "batch": config.training.batch,
        "sequence": config.training.sequence,
        "train_every": config.training.train_every,
        "parameters_level0": count(agent.params.worker),
        "parameters_levels_above": count(agent.params.upper),
    }


def training_of(lines: run_summary.Lines) -> dict[str, Any]:
    bad = run_summary.nonfinite(lines)
    fell = {}
    for level, count in enumerate(run_summary.updates(lines)):
        if count:
            tenths = run_summary.tenths(run_summary.series(lines, level, "world_model/reconstruction"))
            fell[f"level{level}"] = tenths._asdict() | {"ratio": tenths.ratio}
    return {
        "updates": run_summary.updates(lines),
        "nonfinite_values": sum(bad.values()),
        "nonfinite_metrics": sorted(bad),
        "reconstruction_tenths": fell,
    } | run_summary.rates(lines)


def open_loop_of(agent: hieros_eqx.Agent, options: argparse.Namespace) -> tuple[dict[str, Any], tuple]:
    """Return the record, and what the figures need: all errors and the pictures of a few starts."""
    begun = time.monotonic()
    greedy = agent.config.behaviour.evaluation_policy == "mode"
    keys = jax.random.split(jax.random.key(OPEN_LOOP_SEED), 3)
    env = open_env(agent.config, None, num_envs=ENVS, seed=OPEN_LOOP_SEED, training=False)
    try:
        episodes = collect_episodes(agent.params, env, options.record_steps, keys[0], greedy=greedy)
    finally:
        env.close()
    rng = np.random.default_rng(OPEN_LOOP_SEED)
    starts = pick_starts(episodes, options.starts, options.horizon, rng)
    world_model = agent.params.worker.world_model
    errors = open_loop_errors.open_loop(
        world_model, episodes, starts, options.horizon, keys[1], samples=options.samples
    )
    steps = [step for step in (1, 5, 10, 15) if step <= options.horizon]
    record = {
        "episodes": len(episodes),
        "episodes_complete": sum(episode.complete for episode in episodes),
        "recorded_steps": sum(len(episode.action) for episode in episodes),
        "horizon": options.horizon,
        "samples": options.samples,
        "pixels": "[0, 1]",
        **open_loop_errors.summarise(errors, steps),
        "seconds": round(time.monotonic() - begun, 1),
    }
    return record, (errors, shown_pictures(world_model, episodes, starts, errors, options, keys[2]))


def shown_pictures(
    world_model: Any,
    episodes: list[Recording],
    starts: np.ndarray,
    errors: open_loop_errors.OpenLoop,
    options: argparse.Namespace,
    key: Any,
) -> open_loop.Prediction:
    """Return predictions from starts of three amounts of motion: the 95th, 75th and 50th percentile."""
    shown = errors.at_motion(SHOWN_MOTION)
    return next(
        open_loop.predict(
            world_model, episodes, starts[shown], options.horizon, key, samples=1, batch=len(shown)
        )
    )


def evaluation_of(agent: hieros_eqx.Agent, options: argparse.Namespace) -> dict[str, Any]:
    begun = time.monotonic()
    env = open_env(
        agent.config, None, num_envs=min(ENVS, options.episodes), seed=EVALUATION_SEED, training=False
    )
    try:
        result = hieros_eqx.evaluate(agent, env, options.episodes, seed=EVALUATION_SEED)
    finally:
        env.close()
    game = agent.config.env.game
    return {
        "episodes": options.episodes,
        "mean_return": result.mean,
        "median_return": result.median,
        "human_normalised": None if game is None else human_normalised(game, result.mean),
        "returns": list(result.returns),
        "mean_length": float(np.mean(result.lengths)),
        "seconds": round(time.monotonic() - begun, 1),
    }


def criteria(record: dict[str, Any]) -> dict[str, bool]:
    """Return what was asked of the run and whether it holds; of the errors, whether the means are lower."""
    training, errors = record["training"], record["open_loop"]
    held = {
        "all_levels_trained": min(training["updates"]) > 0,
        "top_level_updates_at_least_100": training["updates"][-1] >= 100,
        "all_metrics_finite": training["nonfinite_values"] == 0,
    }
    if "level0" in training["reconstruction_tenths"]:
        held["reconstruction_at_most_70_percent"] = (
            training["reconstruction_tenths"]["level0"]["ratio"] <= 0.7
        )
    for name in ("model", "model_mean"):
        for chosen, step in (("all", "step_15"), ("moving_half", "step_5")):
            if step in errors[chosen]:
                difference = errors[chosen][step][f"{name}_minus_repeat"][0]
                held[f"{name}_below_repeat_{chosen}_{step}"] = difference < 0
    return held


def draw(
    config: HierosConfig,
    options: argparse.Namespace,
    lines: run_summary.Lines,
    episodes: list[dict[str, Any]],
    errors: open_loop_errors.OpenLoop,
    pictures: open_loop.Prediction,
) -> None:
    stem = str(options.results / f"first_run_{config.env.game}")
    figures.training_curves(lines, episodes, Path(f"{stem}_curves.png"))
    figures.open_loop_errors(errors, Path(f"{stem}_errors.png"), samples=options.samples)
    steps = [step for step in SHOWN_STEPS if step <= options.horizon]
    figures.open_loop_pictures(pictures, steps, Path(f"{stem}_open_loop.png"))


if __name__ == "__main__":
    main()
