"""Run directories written by hand: a configuration, and evaluations as `eval` leaves them."""

import json

from hieros_eqx.config import make_preset, override, to_dict
from hieros_eqx.report.evaluation_record import make_record
from hieros_eqx.training import EvaluationResult

SPACES = {"observation": {"kind": "image", "shape": [64, 64, 3]}, "action": {"kind": "discrete", "size": 6}}


def make_run(path, game, scores, *, episodes=100, changes=(), env_step=None, policy="sample"):
    """Write a finished run of a game (or of an id with a colon) in which every seed got one score.

    `scores` is seed -> score, None for a seed that was not evaluated. With `env_step` the evaluation is of
    an earlier checkpoint, the newest that there is.
    """
    env = f"env.id={game}" if ":" in game else f"env.game={game}"
    seeds = f"training.seeds={json.dumps(list(scores))}"
    config = override(make_preset("debug"), [env, seeds, "training.env_steps=100000", *changes])
    step = config.training.env_steps if env_step is None else env_step
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(to_dict(config)))
    (path / "spaces.json").write_text(json.dumps(SPACES))
    (path / "checkpoints" / str(step)).mkdir(parents=True)
    played = {
        seed: EvaluationResult((score,) * episodes, (7,) * episodes, (False,) * episodes)
        for seed, score in scores.items()
        if score is not None
    }
    if played:
        record = make_record(
            config, played, env_step=step, policy=policy, backend="jax", seed=0, num_envs=1, seconds=2.0
        )
        (path / "eval-seed0-jax.json").write_text(json.dumps(record))
    return path
