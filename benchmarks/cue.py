"""Does a world model find a cue? Trained alone on fresh episodes of `memory`, several seeds side by side.

    python benchmarks/cue.py --delay 10 --hint 0.5 --set training.sequence=60

Neither actor nor replay is in the way: every update has new steps of `training.batch` environments under
random actions, one sequence after the other, each begun with the latents that the last one ended in. Sizes
are the ladder's. Measured over every 50 updates is how the reward that is foretold for the last step of an
episode correlates with the true one: near 1 where cue and action are known, `hint / sqrt(1 + hint^2)` at best
where the cue alone is, 0 where neither. Where delays differ, only the longest third of them counts. Adds one
line to `results/cue.jsonl`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ladder import SIZES
from machine import RESULTS, prepare, write

from hieros_eqx.agent.init import init_params
from hieros_eqx.agent.learn import learn_world_model
from hieros_eqx.agent.levels import stack
from hieros_eqx.agent.optimizers import init_optimizer, world_model_optimizer
from hieros_eqx.config import HierosConfig, make_preset, override
from hieros_eqx.core.alignment import previous_action
from hieros_eqx.core.nn import one_hot
from hieros_eqx.envs import VectorEnv, probe
from hieros_eqx.training.progress import duration
from hieros_eqx.types import Batch, Latent

BLOCK = 50  # updates to a correlation
FOUND = 0.6  # the correlation from which on both are known; the cue alone reaches 0.45 with a hint of 0.5


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = options(__doc__ or "", seeds=[0, 1, 2, 3], updates=4_000)
    parser.add_argument("--delay", type=int, default=10, help="steps from the cue to the action that counts")
    parser.add_argument(
        "--least-delay", type=int, help="delays are drawn from here on; default: all are equal"
    )
    parser.add_argument("--hint", type=float, default=0.5, help="what the cue pays, whatever the action")
    chosen = parse(parser, arguments, BLOCK)
    config = override(make_preset(chosen.preset), ["levels=1", *SIZES, *chosen.set])
    make = partial(
        probe.memory,
        num_envs=config.training.batch,
        delay=chosen.delay,
        least_delay=chosen.least_delay,
        hint=chosen.hint,
    )
    spread = 0 if chosen.least_delay is None else chosen.delay - chosen.least_delay
    counted = chosen.delay + 1 - spread // 3
    start = time.perf_counter()
    rows = []
    for row in correlations(config, make, chosen.seeds, chosen.updates, counted):
        rows.append(row)
        done = progress(len(rows) * BLOCK, chosen.updates, start)
        print(done, ", ".join(f"{value:.2f}" for value in row), sep=", ", flush=True)
    measured = {
        "delay": chosen.delay,
        "least_delay": chosen.least_delay,
        "hint": chosen.hint,
        "seconds": time.perf_counter() - start,
        "seeds": {
            str(seed): {"found_after": found_after(column), "correlation": [round(x, 3) for x in column]}
            for seed, column in zip(chosen.seeds, np.transpose(rows).tolist(), strict=True)
        },
    }
    return write("cue", chosen, arguments, measured)


def options(description: str, *, seeds: Sequence[int], updates: int) -> argparse.ArgumentParser:
    """Return a parser of the options of all that train a world model alone; the process is prepared."""
    prepare()
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--updates", type=int, default=updates)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one field")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the record goes to")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str], block: int) -> argparse.Namespace:
    """Return what was chosen, refusing fewer updates than the `block` that one measure takes."""
    chosen = parser.parse_args(arguments)
    if chosen.updates < block:
        parser.error(f"wanted at least {block} updates, which one measure takes, got {chosen.updates}")
    chosen.preset = "laptop"
    return chosen


def progress(done: int, updates: int, begun: float) -> str:
    """Return how far it is, the rate and the time left."""
    taken = time.perf_counter() - begun
    left = duration(taken * (updates - done) / done)
    return f"update {done:,} of {updates:,}, {done / taken:.1f} updates/s, {left} left"


def found_after(correlation: Sequence[float]) -> int | None:
    """Return after how many updates the correlation was first as high as `FOUND`."""
    return next((BLOCK * i for i, value in enumerate(correlation, start=1) if value >= FOUND), None)


def correlations(
    config: HierosConfig, make: Callable[..., VectorEnv], seeds: Sequence[int], updates: int, least: int = 1
) -> Iterator[list[float]]:
    """Train a world model of every seed; yield the correlation of each over every `BLOCK` updates.

    Only episodes of `least` steps after their first observation, or more, count for it.
    """
    envs = [make(seed=seed) for seed in seeds]
    streams = [sequences(env, config.training.sequence, seed) for env, seed in zip(envs, seeds, strict=True)]
    models = stack([init_params(config, envs[0].spaces, jax.random.key(s)).worker.world_model for s in seeds])
    optimizers = jax.vmap(partial(init_optimizer, world_model_optimizer(config.optimizer)))(models)
    keys = stack([jax.random.key(seed) for seed in seeds])
    before = jax.vmap(lambda model: model.initial((config.training.batch,)))(models)
    foretold, rewards = [], []
    for update in range(1, updates + 1):
        batch, age = jax.tree.map(lambda *x: np.stack(x), *map(next, streams))
        models, optimizers, keys, before, reward = learn(
            models, optimizers, keys, before, batch, config=config
        )
        foretold.append(reward)
        rewards.append(np.where(batch.is_last & (age >= least), batch.reward, np.nan))
        if update % BLOCK == 0:
            pairs = zip(np.stack(foretold, axis=1), np.stack(rewards, axis=1), strict=True)
            yield [float(np.corrcoef(x[~np.isnan(y)], y[~np.isnan(y)])[0, 1]) for x, y in pairs]
            foretold, rewards = [], []


def sequences(
    env: VectorEnv, length: int, seed: int, act: Callable[..., np.ndarray] | None = None
) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yield what comes of actions, `length` steps at a time, without a gap, and the episodes' ages.

    `act` returns an action for every environment from the timestep and a generator; default: any at random.
    """
    rng, size = np.random.default_rng(seed), env.spaces.action.size
    step, age = env.reset(), np.zeros(env.num_envs, np.int64)
    before = np.zeros((env.num_envs, size), np.float32)
    while True:
        steps, actions, ages = [], [], []
        for _ in range(length):
            action = rng.integers(size, size=env.num_envs) if act is None else act(step, rng)
            steps.append(step)
            actions.append(one_hot(action, size, np.float32))
            ages.append(age)
            step = env.step(action)
            age = np.where(step.is_first, 0, age + 1)
        rows = jax.tree.map(lambda *x: np.stack(x), *steps)
        action = np.stack(actions)
        led, before = previous_action(action, rows.is_first, before), action[-1]
        batch = Batch(**rows._asdict(), action=action, previous_action=led, code=None, before=None)  # type: ignore[arg-type]
        yield batch, np.stack(ages)


@partial(jax.jit, static_argnames="config", donate_argnums=(0, 1, 2, 3))
def learn(models, optimizers, keys, before, batch, *, config):
    """Return what all arguments but the batch have become, and the rewards foretold, `[seed time batch]`."""
    become, (_, foretold, _) = jax.vmap(partial(learn_one, config=config))(
        models, optimizers, keys, before, batch
    )
    return *become, foretold


def learn_one(model, optimizer, key, before: Latent, batch: Batch, *, config: HierosConfig):
    """Return what all arguments but the batch have become; and latents, rewards foretold and metrics."""
    key, noise_key = jax.random.split(key)
    new, optimizer, latent, metrics, _ = learn_world_model(
        model, optimizer, batch._replace(before=before), noise_key, config
    )
    become = (new, optimizer, key, jax.tree.map(lambda x: x[-1], latent))
    return become, (latent, model.predict_reward(latent), metrics)


if __name__ == "__main__":
    main()
