"""Does a worker go where it is sent? Asked of a run on errands, where there are two ways to go.

    python benchmarks/followed.py RUN

Errands are run left and right at random, whatever the agent wants, and its world model looks on. For random
codes: which way the subgoal reward prefers and by how much (`gap`, right minus left, of the mean over the
errand), and how likely the worker is to go right when it is given that code at the start of an errand. A
worker that follows goes where the gap says; goals that all lie on one side ask for nothing. Adds one line to
`results/followed.jsonl`.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from goals import close, measure_run

from hieros_eqx.agent.features import read
from hieros_eqx.agent.state import HierosState
from hieros_eqx.agent.subgoal import subgoal_input
from hieros_eqx.envs.probe_worlds import errands
from hieros_eqx.report.open_loop import observe_episode
from hieros_eqx.report.recording import Recording
from hieros_eqx.types import Latent

LENGTH, COUNT = 4, 4  # those of `errands`
EPISODES, CODES = 64, 256


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    return measure_run("followed", __doc__ or "", followed, arguments)


def followed(state: HierosState) -> dict[str, float]:
    """Return what goals of random codes ask for, and what the worker makes of them; means over errands."""
    went_right = np.random.default_rng(0).integers(0, 2, (EPISODES, COUNT)).astype(bool)
    latents = run_errands(state, went_right)
    worker, config = state.params.worker, state.config
    shape = (CODES, config.subgoal.factors)
    number = jax.random.randint(jax.random.key(0), shape, 0, config.subgoal.classes)
    code = jax.nn.one_hot(number, config.subgoal.classes, dtype=jnp.float32)
    goals = worker.autoencoder.decode(code)
    gaps, right = [], []
    for errand in range(COUNT):
        first = LENGTH * errand
        on_the_way = jnp.asarray(latents.deter[:, first + 1 : first + LENGTH + 1])
        towards = [close(jnp.broadcast_to(goal, on_the_way.shape), on_the_way) for goal in goals]
        likeness = np.array([each.mean(axis=1) for each in towards])
        sent = went_right[:, errand]
        gaps.append(likeness[:, sent].mean(axis=1) - likeness[:, ~sent].mean(axis=1))
        starts = Latent(*(x[:, first] for x in latents))
        right.append(np.mean([chance(state, starts, one) for one in code], axis=1))
    gap, chances = np.array(gaps), np.array(right)
    found = {
        "gap_mean": float(gap.mean()),
        "gap_deviation": float(gap.std()),
        "goals_to_the_right": float((gap > 0).mean()),
        "correlation": float(np.corrcoef(gap.ravel(), chances.ravel())[0, 1]),
    }
    for side, sent in (("right", gap > 0), ("left", gap <= 0)):
        if sent.any():  # goals may all lie on one side
            found[f"right_if_sent_{side}"] = float(chances[sent].mean())
    return found


def run_errands(state: HierosState, went_right: np.ndarray) -> Latent:
    """Return the worker's latents of episodes that go the given ways: [episode time ...]."""
    ways = np.repeat(went_right, LENGTH, axis=1).astype(np.int32)
    env = errands(num_envs=EPISODES, seed=1, length=LENGTH, count=COUNT)
    steps = chain([env.reset()], (env.step(way) for way in ways.T))
    seen = [(np.array(step.observation), np.array(step.reward)) for step in steps]
    observation, reward = (np.stack(part, axis=1) for part in zip(*seen, strict=True))
    action = np.zeros((EPISODES, LENGTH * COUNT + 1, 2), np.float32)  # none at the end
    action[:, :-1] = np.eye(2)[ways]
    model, keys = state.params.worker.world_model, jax.random.split(jax.random.key(1), EPISODES)
    episodes = [
        Recording(observation=o, action=a, reward=r, complete=True)
        for o, a, r in zip(observation, action, reward, strict=True)
    ]
    latents = [observe_episode(model, e, key)[0] for e, key in zip(episodes, keys, strict=True)]
    return jax.tree.map(lambda *x: np.stack(x), *latents)


def chance(state: HierosState, starts: Latent, code: jax.Array) -> np.ndarray:
    """Return how likely the worker is to go right from each start if it is given a code."""
    worker = state.params.worker
    given = jnp.broadcast_to(code, (EPISODES, *code.shape))
    seen = read(worker, starts, subgoal_input(worker.autoencoder, given, state.config.behaviour))
    return np.exp(worker.actor(seen.policy_input)).reshape(EPISODES, -1)[:, 1]


if __name__ == "__main__":
    main()
