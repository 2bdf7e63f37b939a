"""One update of all levels that are due: the compiled heart of training."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hieros_eqx.agent.learn import LevelMetrics, learn
from hieros_eqx.agent.levels import prefix, replace_prefix, stack, unstack
from hieros_eqx.agent.seeds import over_seeds, seed_axis
from hieros_eqx.agent.skip import drop_if
from hieros_eqx.agent.state import AgentParams, HierosState, Learner
from hieros_eqx.config import HierosConfig
from hieros_eqx.replay import RingBuffer, count_visits, draw, gather, write_back
from hieros_eqx.types import Batch, Latent


def update(state: HierosState, depth: int) -> tuple[HierosState, dict[str, LevelMetrics]]:
    """Train levels 0 .. depth-1 once, each on its own batch, and return the new state and metrics per level.

    The worker is one compiled program, the levels above are another for each depth. Of a state with a seed
    axis every seed is trained, and metrics lead with `seed`. The state is donated: do not use the old one
    again. An update that is not finite is skipped (see `learn`), for the level and the seed that it befalls.
    Raises `ValueError` if there are fewer levels than `depth`, or `depth` is less than 1.
    """
    config = state.config
    if not 1 <= depth <= config.levels:
        raise ValueError(f"depth must lie in [1, {config.levels}], the number of levels; got {depth}.")
    params, learner, replay, seeds = state.params, state.learner, state.replay, seed_axis(state.key)
    key, worker, worker_learner, train_step, ring, metrics = _update_worker(
        state.key, params.worker, learner.worker, state.train_step, replay[0], config=config, seeds=seeds
    )
    replay = (ring, *replay[1:])
    all_metrics = {"level0": metrics}
    upper, upper_learner = params.upper, learner.upper
    if depth > 1:
        key, upper, upper_learner, train_step, replay, stacked = _update_upper(
            key, upper, upper_learner, train_step, replay, config=config, depth=depth, seeds=seeds
        )
        all_metrics |= {f"level{i + 1}": metrics for i, metrics in enumerate(stacked)}
    new = replace(
        state,
        params=AgentParams(worker=worker, upper=upper, config=config, spaces=state.spaces),
        learner=Learner(worker=worker_learner, upper=upper_learner),
        replay=replay,
        key=key,
        train_step=train_step,
    )
    return new, all_metrics


@partial(jax.jit, static_argnames=("config", "seeds"), donate_argnums=(0, 1, 2, 3, 4))
def _update_worker(key, worker, learner, train_step, ring, *, config, seeds=None):
    one = over_seeds(partial(_worker_of_one, config=config), seeds)
    key, worker, learner, ring, metrics = one(key, worker, learner, ring)
    return key, worker, learner, train_step.at[0].add(1), ring, metrics


def _worker_of_one(key, worker, learner, ring, *, config):
    key, draw_key, learn_key = jax.random.split(key, 3)
    ring, drawn, batch = sample_batch((ring,), 0, draw_key, config)
    worker, learner, latent, metrics = learn(worker, learner, batch, learn_key, config)
    ring = _refresh(ring, drop_if(metrics.skipped, drawn, ring), latent, config)
    return key, worker, learner, ring, metrics


@partial(jax.jit, static_argnames=("config", "depth", "seeds"), donate_argnums=(0, 1, 2, 3, 4))
def _update_upper(key, upper, learner, train_step, replay, *, config, depth, seeds=None):
    one = over_seeds(partial(_upper_of_one, config=config, count=depth - 1), seeds)
    key, upper, learner, replay, metrics = one(key, upper, learner, replay)
    return key, upper, learner, train_step.at[1:depth].add(1), replay, metrics


def _upper_of_one(key, upper, learner, replay, *, config, count):
    key, draw_key, learn_key = jax.random.split(key, 3)
    rings, drawn, batches = list(replay), [], []
    for level, level_key in enumerate(jax.random.split(draw_key, count), start=1):
        rings[level], level_drawn, batch = sample_batch(replay, level, level_key, config)
        drawn.append(level_drawn)
        batches.append(batch)
    new, new_learner, latents, metrics = jax.vmap(partial(learn, config=config.of_upper))(
        stack(upper[:count]), prefix(learner, count), stack(batches), jax.random.split(learn_key, count)
    )
    metrics = unstack(metrics, count)
    for level, latent in enumerate(unstack(latents, count), start=1):
        written = drop_if(metrics[level - 1].skipped, drawn[level - 1], rings[level])
        rings[level] = _refresh(rings[level], written, latent, config)
    return (
        key,
        (*unstack(new, count), *upper[count:]),
        replace_prefix(learner, new_learner),
        tuple(rings),
        metrics,
    )


def sample_batch(
    replay: tuple[RingBuffer, ...], level: int, key: Any, config: HierosConfig
) -> tuple[RingBuffer, Any, Batch]:
    """Draw one batch of a level; return its ring with the visits counted, what was drawn, and the batch."""
    training, ring = config.training, replay[level]
    env_key, index_key = jax.random.split(key)
    drawn = draw(
        ring,
        jax.random.uniform(env_key, (training.batch,), jnp.float32),
        jax.random.uniform(index_key, (training.batch,), jnp.float32),
        training.sequence,
        sampling=config.replay.sampling,
        temperature=config.replay.temperature,
        scale=config.replay.etbs_scale,
    )
    batch = gather(replay, level, drawn, training.sequence, sequence_start=config.replay.sequence_start)
    return count_visits(ring, drawn, training.sequence), drawn, batch


def _refresh(ring: RingBuffer, drawn: Any, latent: Latent, config: HierosConfig) -> RingBuffer:
    return write_back(ring, drawn, latent) if config.replay.latents == "refreshed" else ring
