"""Can goals be reached? How close h comes to goals, and to itself a few steps later, in a run's own replay.

    python benchmarks/goals.py RUN

Closeness is the subgoal reward before symlog, max-cosine clipped at zero (`core.rewards.subgoal_reward`). For
every level that is given subgoals: of h to h some steps later (what a macro-step can change), and of the best
of the replay's h to goals of three kinds: of codes that the autoencoder gives to h, of those that the level
above has asked for, and of random codes. Adds one line to `results/goals.jsonl`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from machine import RESULTS, write

from hieros_eqx.agent.levels import level_params
from hieros_eqx.agent.state import HierosState
from hieros_eqx.core.rewards import subgoal_reward
from hieros_eqx.modules import SubgoalAutoencoder
from hieros_eqx.replay.buffer import from_bits
from hieros_eqx.training import checkpoint
from hieros_eqx.training.run_dir import RunDir, read_config, read_spaces

GOALS, STATES = 300, 3000


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    return measure_run("goals", __doc__ or "", every_level, arguments)


def measure_run(
    name: str,
    description: str,
    measure: Callable[[HierosState], dict[str, Any]],
    arguments: Sequence[str] | None,
) -> dict[str, Any]:
    """Measure the newest state of the run that the command line names, and add a line to `name`.jsonl."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("run", type=Path, help="directory of a run of one seed and several levels")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    chosen = parser.parse_args(arguments)
    state, env_step = restore(chosen.run)
    if state.config.levels < 2 or state.config.training.seeds:
        sys.exit("wanted a run of one seed and at least two levels")
    found = measure(state)
    print(found)
    chosen.preset, chosen.set = state.config.preset, []
    return write(name, chosen, [chosen.run.name], {"run": chosen.run.name, "env_step": env_step, **found})


def every_level(state: HierosState) -> dict[str, Any]:
    """Return `closeness` of every level that is given subgoals."""
    return {"levels": {f"level{i}": closeness(state, i) for i in range(state.config.levels - 1)}}


def restore(path: Path) -> tuple[HierosState, int]:
    """Return the newest state of a run, replay included."""
    run = RunDir(path)
    found, _ = checkpoint.newest_whole(run.checkpoints)
    if found is None:
        sys.exit(f"{path}: wanted a run with a checkpoint")
    restored = checkpoint.restore(run.checkpoints, found, read_config(path), read_spaces(path))
    return restored.state, found.env_step


def closeness(state: HierosState, level: int) -> dict[str, float]:
    """Return how close h of a level comes to what."""
    ring, config = state.replay[level], state.config
    held = int(min(ring.count[0], ring.capacity))
    h = from_bits(ring.deter[0, :held])
    autoencoder = level_params(state.params, level).autoencoder
    keys = jax.random.split(jax.random.key(0), 4)
    states = h[jax.random.permutation(keys[0], held)[:STATES]]
    shape = (GOALS, config.subgoal.factors)
    asked = np.asarray(ring.code[0, :held])
    asked = jnp.asarray(asked[(asked >= 0).all(-1)], jnp.int32)
    codes = {
        "of_h": autoencoder.logits(states[:GOALS]).argmax(-1),
        "asked": asked[jax.random.randint(keys[1], (GOALS,), 0, len(asked))],
        "random": jax.random.randint(keys[2], shape, 0, config.subgoal.classes),
    }
    lags = {f"h_after_{n}": close(h[:-n], h[n:]) for n in (1, config.macro_length, config.macro_length**2)}
    found = {**lags, "h_to_any_h": close(states, jnp.roll(states, 1, axis=0))}
    return {name: float(value.mean()) for name, value in found.items()} | {
        f"best_h_to_goal_{name}": best(autoencoder, own, states, config.subgoal.classes)
        for name, own in codes.items()
    }


def best(autoencoder: SubgoalAutoencoder, code: jax.Array, states: jax.Array, classes: int) -> float:
    """Return the closeness of the closest of many states to a goal, mean over goals."""
    goals = autoencoder.decode(jax.nn.one_hot(code, classes, dtype=jnp.float32))
    closest = jax.lax.map(lambda goal: close(jnp.broadcast_to(goal, states.shape), states).max(), goals)
    return float(closest.mean())


def close(goal: jax.Array, state: jax.Array) -> jax.Array:
    return jnp.maximum(subgoal_reward(goal, state), 0)


if __name__ == "__main__":
    main()
