"""Does a world model know the object that a maze asks for? Trained alone on walkers of MiniGrid's Memory.

    python benchmarks/maze.py --wander 0.02 --set world_model.rep_scale=0

A walker goes ahead, turns left or right at random where a wall is ahead, and with probability `--wander` does
anything at all: with little wandering, what an agent does that has learned the way and not what it is paid
for. One episode in four begins beside the object that tells which of the two at the end to take; these count.
Sizes are the task's; every update has new steps of `training.batch` environments, as in `cue.py`. Measured
over every 300 updates:

- `seen`: R^2 of a linear probe of z for the object, at the first step, where it is in sight;
- `kept`: the same of h at the end of the episode, where it is not; `moved`: half the distance between the
  means of h for both objects, root mean square over h; `varies`: how much h varies around its mean;
- `foretold`: the correlation of the reward that is foretold for the end with the true one;
- `meaning`: the same of episodes that ended with an object taken (of the others time tells that there is
  no reward); near 1 where it is known that the object to take is the one that was seen. Null where no
  object was taken, or always the right one.

Adds one line to `results/maze.jsonl`.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from cue import learn_one, options, parse, progress, sequences
from machine import write
from minigrid import DIRECTIONS, OBJECTS
from tasks import TASKS
from worlds import correlation

from hieros_eqx.agent.init import init_params
from hieros_eqx.agent.optimizers import init_optimizer, world_model_optimizer
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import VectorEnv
from hieros_eqx.report.linear_probe import linear_probe
from hieros_eqx.types import Batch, Timestep

BLOCK = 300  # updates to a row of measures
RIDGE = 1e-2
WALL, KEY, BALL = 2, 5, 6  # objects of MiniGrid
TURN_LEFT, TURN_RIGHT, GO_AHEAD = range(3)  # of its actions
AHEAD, LEFT = (3, 5), (2, 6)  # of the cells in sight; the player is at (3, 6) and looks to smaller ones


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = options(__doc__ or "", seeds=[0], updates=3_000)
    parser.add_argument("--wander", type=float, default=0.02, help="probability of any action at all")
    chosen = parse(parser, arguments, BLOCK)
    task, start = TASKS["minigrid_memory"], time.perf_counter()
    found = {}
    for seed in chosen.seeds:
        config = task.config([seed], chosen.set)
        env = task.factory(num_envs=config.training.batch, seed=seed)
        rows, begun = [], time.perf_counter()
        for row in study(config, env, seed, chosen.updates, chosen.wander):
            rows.append(row)
            done = progress(len(rows) * BLOCK, chosen.updates, begun)
            told = ", ".join(f"{name} {value:.3g}" for name, value in row.items() if value is not None)
            print(f"seed {seed}", done, told, sep=", ", flush=True)
        found[str(seed)] = {name: [rounded(row[name]) for row in rows] for name in rows[0]}
    measured = {"wander": chosen.wander, "seconds": time.perf_counter() - start, "seeds": found}
    return write("maze", chosen, arguments, measured)


class Walker:
    """Goes ahead, and turns at random where it cannot."""

    def __init__(self, wander: float):
        self._wander = wander
        self._turned: np.ndarray | bool = False

    def __call__(self, step: Timestep, rng: np.random.Generator) -> np.ndarray:
        """Return an action for every environment."""
        blocked = in_sight(step.observation)[:, *AHEAD] == WALL
        turn = rng.integers(TURN_LEFT, TURN_RIGHT + 1, size=len(blocked))
        action = np.where(blocked & ~np.asarray(self._turned), turn, GO_AHEAD)
        wanders = rng.random(len(blocked)) < self._wander
        action = np.where(wanders, rng.integers(GO_AHEAD + 1, size=len(blocked)), action)
        self._turned = ~step.is_last & (action != GO_AHEAD)  # one turn, or it would turn around
        return action


def in_sight(observation: np.ndarray) -> np.ndarray:
    """Return the object of every cell in sight, `[env x y]`."""
    shown = observation[:, DIRECTIONS:].reshape(len(observation), -1, OBJECTS)
    side = round(shown.shape[1] ** 0.5)
    return shown.argmax(axis=-1).reshape(-1, side, side)


def asked_for(first: np.ndarray) -> np.ndarray:
    """Return what first observations show of the object to take: 1 a key, -1 a ball, 0 none is beside."""
    beside = in_sight(first)[:, *LEFT]
    return 1.0 * (beside == KEY) - 1.0 * (beside == BALL)


def asked_since_start(batch: Batch, before: np.ndarray) -> np.ndarray:
    """Return what every step's episode asks for, `[time env]`; it began before the batch: `before`."""
    asked = []
    for observation, is_first in zip(batch.observation, batch.is_first, strict=True):
        before = np.where(is_first, asked_for(observation), before)
        asked.append(before)
    return np.stack(asked)


def study(
    config: HierosConfig, env: VectorEnv, seed: int, updates: int, wander: float
) -> Iterator[dict[str, float | None]]:
    """Train a world model on walkers; yield what it knows over every `BLOCK` updates."""
    stream = sequences(env, config.training.sequence, seed, Walker(wander))
    model = init_params(config, env.spaces, jax.random.key(seed)).worker.world_model
    optimizer, key = init_optimizer(world_model_optimizer(config.optimizer), model), jax.random.key(seed)
    become = (model, optimizer, key, model.initial((config.training.batch,)))
    learn = jax.jit(learn_one, static_argnames="config", donate_argnums=(0, 1, 2, 3))
    asked = np.zeros((1, config.training.batch))
    begun, ended, losses = [], [], []
    for update in range(1, updates + 1):
        batch, _ = next(stream)
        become, (latent, foretold, metrics) = learn(*become, batch, config=config)
        losses.append(metrics.reconstruction)
        asked = asked_since_start(batch, asked[-1])
        first, last = (asked != 0) & batch.is_first, (asked != 0) & batch.is_last
        begun.append((asked[first], np.asarray(latent.stoch)[first]))
        shown = asked, latent.deter, batch.reward, foretold, batch.is_terminal
        ended.append([np.asarray(x)[last] for x in shown])
        if update % BLOCK == 0:
            at_first, z = map(np.concatenate, zip(*begun, strict=True))
            at_last, h, reward, told, taken = map(np.concatenate, zip(*ended, strict=True))
            apart = (h[at_last > 0].mean(axis=0) - h[at_last < 0].mean(axis=0)) / 2
            yield {
                "episodes": len(at_last),
                "reconstruction": float(np.mean(losses)),
                "seen": probe(z.reshape(len(z), -1), at_first),
                "kept": probe(h, at_last),
                "moved": float(np.sqrt(np.square(apart).mean())),
                "varies": float(np.sqrt(h.var(axis=0).mean())),
                "foretold": correlation(told, reward),
                "meaning": correlation(told[taken], reward[taken]),
            }
            begun, ended, losses = [], [], []


def probe(features: np.ndarray, label: np.ndarray) -> float:
    return float(linear_probe(features, label[:, None], np.arange(len(label)), ridge=RIDGE)[0])


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    main()
