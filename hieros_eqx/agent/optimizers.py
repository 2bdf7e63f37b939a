"""The optimisers of one level: Adam with global-norm clipping, no weight decay."""

from typing import Any

import equinox as eqx
import jax
import optax

from hieros_eqx.config import OptimizerConfig


def world_model_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Return Adam for the world model; its rate grows linearly over `warmup` updates."""
    rate: Any = config.world_model_rate
    if config.warmup:
        rate = optax.linear_schedule(rate / config.warmup, rate, config.warmup - 1)
    return _clipped_adam(rate, config.world_model_eps, config.world_model_clip)


def actor_critic_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Return Adam for an actor or the critics."""
    return _clipped_adam(config.actor_critic_rate, config.actor_critic_eps, config.actor_critic_clip)


def autoencoder_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Return Adam for the subgoal autoencoder."""
    return _clipped_adam(config.autoencoder_rate, config.autoencoder_eps, config.autoencoder_clip)


def apply_gradients(
    optimizer: optax.GradientTransformation, gradients: Any, optimizer_state: Any, params: Any
) -> tuple[Any, Any]:
    """Return parameters and optimiser state after one step."""
    with jax.numpy_dtype_promotion("standard"):  # optax itself mixes dtypes
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, params)
        return eqx.apply_updates(params, updates), optimizer_state


def _clipped_adam(rate: Any, eps: float, clip: float) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate, eps=eps))
