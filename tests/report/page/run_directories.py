"""Hand-made directories of runs: what training would have written, without training."""

import json
from dataclasses import replace

from hieros_eqx.config import make_preset
from hieros_eqx.config.schema import stamped
from hieros_eqx.report.page import panels
from hieros_eqx.training import schedule

START = {
    "started": "2026-01-02T03:04:05+00:00",
    "command": "hieros-eqx train --game Boxing",
    "commit": "0123abc",
    "versions": {"python": "3.11.7", "jax": "0.10.2"},
    "platform": "Linux",
    "device": {"platform": "cpu", "kind": "cpu", "count": 2},
    "resumed": [{"env_step": 120, "started": "2026-01-02T04:04:05+00:00"}],
}
METRICS = [
    panel.metric
    for group in ("WORLD_MODEL", "BEHAVIOUR", "AUTOENCODER", "VALUES", "GOAL", "GRADIENTS", "CLIPPED")
    for panel in getattr(panels, group)
] + [
    *(f"behaviour/reward/{kind}" for kind in ("extrinsic", "subgoal", "novelty")),
    "autoencoder/perplexity",
    *(f"autoencoder/perplexity_by_factor/{i}" for i in range(4)),
]


def settings(levels=2, seeds=(0,), game="Boxing", env_steps=400):
    """Return a configuration of the preset `debug`."""
    base = make_preset("debug")
    return replace(
        base,
        levels=levels,
        env=replace(base.env, game=game, id=None if game else "own:factory"),
        training=replace(base.training, seeds=tuple(seeds), env_steps=env_steps),
    )


def make_run(path, config, rng, *, lines=8, episodes=12, spaces=True, start=START):
    """Write the directory of a run that has logged so many lines and episodes of each seed."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(stamped(config)))
    if spaces:
        kind, shape = ("image", [64, 64, 3]) if config.env.game else ("vector", [3])
        (path / "spaces.json").write_text(
            json.dumps(
                {
                    "observation": {"kind": kind, "shape": shape},
                    "action": {"kind": "discrete", "size": 4},
                }
            )
        )
    if start is not None:
        (path / "run.json").write_text(json.dumps(start))
    every = config.training.log_every
    metrics = [_line(config, seed, every * (i + 1), rng) for i in range(lines) for seed in config.all_seeds]
    ended = [
        {"seed": seed, "env_step": 30 * (i + 1), "return": float(i + seed), "length": 30}
        for i in range(episodes)
        for seed in config.all_seeds
    ]
    for name, records in (("metrics", metrics), ("episodes", ended)):
        if records:
            (path / f"{name}.jsonl").write_text("".join(json.dumps(own) + "\n" for own in records))
    return path


def _line(config, seed, env_step, rng):
    counts = schedule.train_steps(config, env_step)
    line = {"seed": seed, "env_step": env_step, "train_step": counts[0], "seconds": env_step / 4}
    for level, count in enumerate(counts):
        line[f"level{level}/train_step"] = count
        if count:
            line |= {f"level{level}/{name}": float(rng.uniform(1, 3)) for name in METRICS}
    return line
