"""One update of a level, and of all levels that are due: the compiled heart of training."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from hieros_eqx.agent import behaviour
from hieros_eqx.agent.imagine import imagine
from hieros_eqx.agent.levels import prefix, replace_prefix, stack, unstack
from hieros_eqx.agent.observe import WorldModelMetrics, world_model_loss
from hieros_eqx.agent.optimizers import (
    actor_critic_optimizer,
    apply_gradients,
    autoencoder_optimizer,
    world_model_optimizer,
)
from hieros_eqx.agent.seeds import over_seeds, seed_axis
from hieros_eqx.agent.skip import drop_if, is_finite, settle
from hieros_eqx.agent.state import AgentParams, HierosState, Learner, LevelLearner, LevelParams
from hieros_eqx.agent.subgoal import AutoencoderMetrics, adapt_beta, autoencoder_loss
from hieros_eqx.backend import random
from hieros_eqx.config import HierosConfig
from hieros_eqx.core.normalise import ema
from hieros_eqx.modules import Precision
from hieros_eqx.replay import RingBuffer, count_visits, draw, gather, write_back
from hieros_eqx.types import Array, Batch, Latent


class GradientNorms(NamedTuple):
    """Global norms before clipping."""

    world_model: Array
    actor: Array
    critic: Array
    autoencoder: Array


class LevelMetrics(NamedTuple):
    """Everything worth logging of one update of one level."""

    world_model: WorldModelMetrics
    behaviour: behaviour.BehaviourMetrics
    autoencoder: AutoencoderMetrics
    gradient_norm: GradientNorms
    skipped: Array  # 1 where the update was not finite and changed nothing, else 0


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
    new, new_learner, latents, metrics = jax.vmap(partial(learn, config=config))(
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


def learn(
    level: LevelParams, learner: LevelLearner, batch: Batch, key: Any, config: HierosConfig
) -> tuple[LevelParams, LevelLearner, Latent, LevelMetrics]:
    """Update world model, then actor and critics from its posteriors, then autoencoder, on one batch.

    Returns the fresh latents of the batch, too, for replay. The key is consumed. If the update is not finite
    (`is_finite`), parameters and learner come back as they were but for the learner's counts of skipped
    updates, `metrics.skipped` is 1, and the latents mean nothing.
    """
    before = level, learner
    posterior_key, imagine_key, code_key = random.split(key, 3)
    world_model, world_model_state, latent, world_model_metrics, world_model_norm = _learn_world_model(
        level, learner, batch, posterior_key, config
    )
    dreaming = LevelParams(world_model, level.actor, level.critics, level.autoencoder)
    starts, code, alive = imagination_starts(latent, batch)
    rollout = imagine(Precision.of(config).cast(dreaming), starts, code, imagine_key, config.behaviour)
    actor, critics, learner, behaviour_metrics, actor_critic_norms = _learn_behaviour(
        dreaming, learner, rollout, code, alive, config
    )
    deter = rollout.deter if config.subgoal.trained_on == "imagined" else latent.deter
    autoencoder, learner, autoencoder_metrics, autoencoder_norm = _learn_autoencoder(
        level, learner, deter, code_key, config
    )
    learner = replace(
        learner,
        world_model_optimizer=world_model_state,
        slow_critics=ema(learner.slow_critics, critics, config.behaviour.slow_critic_rate),
        updates=learner.updates + 1,
    )
    norms = GradientNorms(world_model_norm, *actor_critic_norms, autoencoder_norm)
    losses = (
        world_model_metrics.loss,
        behaviour_metrics.actor_loss,
        *behaviour_metrics.critic_loss,
        autoencoder_metrics.loss,
    )
    finite = is_finite(losses, norms, learner)
    after = LevelParams(world_model, actor, critics, autoencoder), learner
    level, learner = settle(finite, before, after)
    metrics = LevelMetrics(
        world_model=world_model_metrics,
        behaviour=behaviour_metrics,
        autoencoder=autoencoder_metrics,
        gradient_norm=norms,
        skipped=1 - finite.astype(world_model_norm.dtype),
    )
    return level, learner, latent, metrics


def imagination_starts(latent: Latent, batch: Batch) -> tuple[Latent, Array, Array]:
    """Return every posterior state of a batch as a start, its code, and `c_0` = 1 - is_terminal.

    A truncated episode's last state is a start like any other.
    """
    starts, code, is_terminal = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:]), (latent, batch.code, batch.is_terminal)
    )
    return starts, code, 1 - is_terminal.astype(code.dtype)


def _learn_world_model(level, learner, batch, key, config):
    gumbel = random.gumbel(key, _posterior_shape(batch, config), batch.reward.dtype)
    gradient = jax.grad(Precision.of(config).casting(world_model_loss), has_aux=True)
    gradients, (latent, metrics) = gradient(level.world_model, batch, gumbel, config.world_model)
    world_model, optimizer_state = apply_gradients(
        world_model_optimizer(config.optimizer), gradients, learner.world_model_optimizer, level.world_model
    )
    return world_model, optimizer_state, latent, metrics, optax.tree.norm(gradients)


def _posterior_shape(batch: Batch, config: HierosConfig) -> tuple[int, ...]:
    return (*batch.reward.shape, config.world_model.stoch, config.world_model.classes)


def _learn_behaviour(level, learner, rollout, code, alive, config):
    options, precision = config.behaviour, Precision.of(config)
    reward = behaviour.imagined_rewards(rollout, precision.cast(level), code, config.reward)
    discount, weight = behaviour.discounts(rollout, alive, learner.discount)
    critic_gradients, targets = jax.grad(precision.casting(behaviour.critic_loss), has_aux=True)(
        level.critics,
        precision.cast(learner.slow_critics),
        rollout,
        reward,
        discount,
        weight,
        options.lambda_,
    )
    return_range, scale = behaviour.update_return_range(learner, targets.returns, options)
    advantage, strength = behaviour.join_advantages(targets, scale, learner.reward_weights, options)
    (loss, entropy), actor_gradients = jax.value_and_grad(
        precision.casting(behaviour.actor_loss), has_aux=True
    )(level.actor, rollout, advantage, weight, options.entropy_scale)
    optimizer = actor_critic_optimizer(config.optimizer)
    actor, actor_state = apply_gradients(optimizer, actor_gradients, learner.actor_optimizer, level.actor)
    critics, critic_state = apply_gradients(
        optimizer, critic_gradients, learner.critic_optimizer, level.critics
    )
    learner = replace(
        learner, actor_optimizer=actor_state, critic_optimizer=critic_state, return_range=return_range
    )
    metrics = behaviour.BehaviourMetrics(
        actor_loss=loss,
        critic_loss=behaviour.per_kind(targets.loss),
        entropy=entropy,
        reward=behaviour.per_kind(reward),
        value=behaviour.per_kind(targets.value),
        returns=behaviour.per_kind(targets.returns),
        return_range=behaviour.per_kind(scale),
        advantage=behaviour.per_kind(strength),
    )
    norms = optax.tree.norm(actor_gradients), optax.tree.norm(critic_gradients)
    return actor, critics, learner, metrics, norms


def _learn_autoencoder(level, learner, deter, key, config):
    gumbel = None
    if config.subgoal.code == "sample":
        shape = (*deter.shape[:-1], config.subgoal.factors, config.subgoal.classes)
        gumbel = random.gumbel(key, shape, deter.dtype)
    gradients, metrics = jax.grad(Precision.of(config).casting(autoencoder_loss), has_aux=True)(
        level.autoencoder, deter, gumbel, learner.autoencoder_beta
    )
    autoencoder, optimizer_state = apply_gradients(
        autoencoder_optimizer(config.optimizer), gradients, learner.autoencoder_optimizer, level.autoencoder
    )
    learner = replace(
        learner,
        autoencoder_optimizer=optimizer_state,
        autoencoder_beta=adapt_beta(learner.autoencoder_beta, metrics.kl, config.subgoal),
    )
    return autoencoder, learner, metrics, optax.tree.norm(gradients)
