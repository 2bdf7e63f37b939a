"""Is the cue still there? What h keeps of a cue of `memory`, step by step, for a linear probe.

    python benchmarks/recall.py hinted_memory_60 RUN

The trained agents play in fresh environments; their lowest world models observe every episode. For each seed
and some of the steps after the cue: R^2 of a linear probe of h for the cue, on episodes that it was not
fitted to; how far the cue moves a number of h (half the distance between the means of both cues, root mean
square over h), and how much that number varies from episode to episode; beside them, the numbers of z are 0
or 1. Adds one line to `results/recall.jsonl`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ladder import EVALUATION_SEED, LADDER, Rung, play_episodes
from machine import RESULTS, write

from hieros_eqx.core.alignment import previous_action
from hieros_eqx.report.linear_probe import linear_probe
from hieros_eqx.training import agents
from hieros_eqx.training.agents import Agent

STEPS = (1, 2, 5, 10, 20, 40, 60)
PLAYS = 4  # as many steps as the rung is measured over: 40 episodes of every environment
RIDGE = 1e-2


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rung", choices=[name for name in LADDER if "memory" in name])
    parser.add_argument("run", type=Path, help="directory of a run of that rung, with vectors")
    parser.add_argument("--plays", type=int, default=PLAYS, help="times as long as the rung is measured")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    chosen = parser.parse_args(arguments)
    found = {
        str(seed): recall(LADDER[chosen.rung], agent, chosen.plays)
        for seed, agent in agents.load_all(chosen.run).items()
    }
    print(found)
    chosen.preset, chosen.set = "laptop", []
    told = [chosen.rung, chosen.run.name]
    return write("recall", chosen, told, {"rung": chosen.rung, "run": chosen.run.name, "seeds": found})


def recall(rung: Rung, agent: Agent, plays: int) -> dict[str, dict[str, float]]:
    """Return what h keeps of the cue after some of the steps."""
    cue, h = observe(rung, agent, plays)
    one, other = h[:, cue > 0].mean(axis=1), h[:, cue < 0].mean(axis=1)
    moved = np.sqrt(np.square((one - other) / 2).mean(axis=-1))
    varies = np.sqrt(h.var(axis=1).mean(axis=-1))
    return {
        f"step_{step}": {
            "r2": float(linear_probe(h[step], cue[:, None], np.arange(len(cue)), ridge=RIDGE)[0]),
            "moved": float(moved[step]),
            "varies": float(varies[step]),
        }
        for step in STEPS
        if step < len(h)
    }


def observe(rung: Rung, agent: Agent, plays: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cue of every episode, `[episode]`, and its h at every step, `[time episode feature]`."""
    play_key, noise_key = jax.random.split(jax.random.key(EVALUATION_SEED))
    episodes = play_episodes(agent, rung.make, plays * rung.play, play_key)  # all are equally long
    observation = np.stack([episode.observation for episode in episodes], axis=1)
    length = len(observation)
    is_first = np.broadcast_to(np.arange(length)[:, None] == 0, observation.shape[:2])
    led = np.stack([previous_action(e.action, is_first[:, 0]) for e in episodes], axis=1)
    world_model = agent.params.worker.world_model
    before = world_model.initial((len(episodes),))
    noise = jax.random.gumbel(noise_key, (length, *before.stoch.shape), before.stoch.dtype)
    latent = world_model.observe(
        world_model.prepare(),
        jnp.asarray(observation),
        jnp.asarray(led, before.deter.dtype),
        jnp.asarray(is_first),
        before,
        noise,
    ).latent
    return observation[0, :, 0], np.asarray(latent.deter, np.float64)


if __name__ == "__main__":
    main()
