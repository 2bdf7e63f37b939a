"""One update of one level on one batch: world model, actor and critics, autoencoder."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax

from hieros_eqx.agent import behaviour
from hieros_eqx.agent.imagine import imagine
from hieros_eqx.agent.observe import WorldModelMetrics, world_model_loss
from hieros_eqx.agent.optimizers import (
    actor_critic_optimizer,
    apply_gradients,
    autoencoder_optimizer,
    world_model_optimizer,
)
from hieros_eqx.agent.skip import is_finite, settle
from hieros_eqx.agent.state import LevelLearner, LevelParams
from hieros_eqx.agent.subgoal import (
    AutoencoderMetrics,
    GoalMetrics,
    adapt_beta,
    autoencoder_loss,
    goal_metrics,
)
from hieros_eqx.backend import random
from hieros_eqx.config import HierosConfig, OptimizerConfig
from hieros_eqx.core.normalise import ema
from hieros_eqx.modules import AbstractWorldModel, Precision
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
    goal: GoalMetrics
    gradient_norm: GradientNorms
    clipped: GradientNorms  # 1 where the norm was clipped, else 0
    skipped: Array  # 1 where the update was not finite and changed nothing, else 0


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
    world_model, world_model_state, latent, world_model_metrics, world_model_norm = learn_world_model(
        level.world_model, learner.world_model_optimizer, batch, posterior_key, config
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
    goals = Precision.of(config).cast(before[0].autoencoder)
    metrics = LevelMetrics(
        world_model=world_model_metrics,
        behaviour=behaviour_metrics,
        autoencoder=autoencoder_metrics,
        goal=goal_metrics(goals, batch.code, latent.deter, batch.is_first, config.reward),
        gradient_norm=norms,
        clipped=_clipped(norms, config.optimizer),
        skipped=1 - finite.astype(world_model_norm.dtype),
    )
    return level, learner, latent, metrics


def _clipped(norms: GradientNorms, config: OptimizerConfig) -> GradientNorms:
    actor_critic = config.actor_critic_clip
    bounds = (config.world_model_clip, actor_critic, actor_critic, config.autoencoder_clip)
    return GradientNorms(
        *((norm > bound).astype(norm.dtype) for norm, bound in zip(norms, bounds, strict=True))
    )


def imagination_starts(latent: Latent, batch: Batch) -> tuple[Latent, Array, Array]:
    """Return every posterior state of a batch as a start, its code, and `c_0` = 1 - is_terminal.

    A truncated episode's last state is a start like any other.
    """
    starts, code, is_terminal = jax.tree.map(
        lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), (latent, batch.code, batch.is_terminal)
    )
    return starts, code, 1 - is_terminal.astype(code.dtype)


def learn_world_model(
    world_model: AbstractWorldModel, optimizer_state: Any, batch: Batch, key: Any, config: HierosConfig
) -> tuple[AbstractWorldModel, Any, Latent, WorldModelMetrics, Array]:
    """Return world model and optimiser after one update, the batch's latents, metrics, the gradients' norm.

    The first part of `learn`, for who trains a world model alone. The key is consumed.
    """
    world_model = world_model.seen(batch.observation)  # first: the first batch, too, is seen less its mean
    gumbel = random.gumbel(key, _posterior_shape(batch, config), batch.reward.dtype)
    gradient = jax.grad(Precision.of(config).casting(world_model_loss), has_aux=True)
    gradients, (latent, means, metrics) = gradient(world_model, batch, gumbel, config.world_model)
    world_model, optimizer_state, norm = apply_gradients(
        world_model_optimizer(config.optimizer), gradients, optimizer_state, world_model
    )
    return world_model.recentred(means), optimizer_state, latent, metrics, norm


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
        behaviour.discount_by_kind(discount, config.macro_length, options),
        weight,
        options.lambda_,
    )
    return_range, scale = behaviour.update_return_range(learner, targets.returns, options)
    advantage, strength = behaviour.join_advantages(targets, scale, learner.reward_weights, options)
    (loss, entropy), actor_gradients = jax.value_and_grad(
        precision.casting(behaviour.actor_loss), has_aux=True
    )(level.actor, rollout, advantage, weight, options.entropy_scale)
    optimizer = actor_critic_optimizer(config.optimizer)
    actor, actor_state, actor_norm = apply_gradients(
        optimizer, actor_gradients, learner.actor_optimizer, level.actor
    )
    critics, critic_state, critic_norm = apply_gradients(
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
    return actor, critics, learner, metrics, (actor_norm, critic_norm)


def _learn_autoencoder(level, learner, deter, key, config):
    gumbel = None
    if config.subgoal.code == "sample":
        shape = (*deter.shape[:-1], config.subgoal.factors, config.subgoal.classes)
        gumbel = random.gumbel(key, shape, deter.dtype)
    gradients, metrics = jax.grad(Precision.of(config).casting(autoencoder_loss), has_aux=True)(
        level.autoencoder, deter, gumbel, learner.autoencoder_beta
    )
    autoencoder, optimizer_state, norm = apply_gradients(
        autoencoder_optimizer(config.optimizer), gradients, learner.autoencoder_optimizer, level.autoencoder
    )
    learner = replace(
        learner,
        autoencoder_optimizer=optimizer_state,
        autoencoder_beta=adapt_beta(learner.autoencoder_beta, metrics.kl, config.subgoal),
    )
    return autoencoder, learner, metrics, norm
