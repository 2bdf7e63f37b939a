"""The optimisers of one level: Adam with global-norm clipping, no weight decay.

Each works on one vector, all its parameters end to end. Leaf by leaf, Adam was a third of all operations of
an update: so many more to trace, to compile and to launch (decision 019).
"""

from typing import Any, cast

import equinox as eqx
import jax
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from hieros_eqx.config import OptimizerConfig
from hieros_eqx.types import Array


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


def init_optimizer(optimizer: optax.GradientTransformation, params: Any) -> Any:
    """Return a fresh state; its moments are vectors as long as all of `params`."""
    return optimizer.init(ravel_pytree(params)[0])


def apply_gradients(
    optimizer: optax.GradientTransformation, gradients: Any, optimizer_state: Any, params: Any
) -> tuple[Any, Any, Float[Array, ""]]:
    """Return parameters and optimiser state after one step, and the gradients' norm before clipping."""
    vector, to_tree = ravel_pytree(gradients)
    with jax.numpy_dtype_promotion("standard"):  # optax itself mixes dtypes
        updates, optimizer_state = optimizer.update(vector, optimizer_state)
        params = eqx.apply_updates(params, to_tree(cast(jax.Array, updates)))
    return params, optimizer_state, optax.tree.norm(vector)


def _clipped_adam(rate: Any, eps: float, clip: float) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate, eps=eps))
