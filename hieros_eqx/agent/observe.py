"""The world model's station: from a batch to posterior latents and losses."""

from typing import Any, NamedTuple

from jaxtyping import Float

from hieros_eqx.backend import stop_gradient
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core.categorical import entropy
from hieros_eqx.modules import AbstractWorldModel
from hieros_eqx.types import Array, Batch, Latent


class WorldModelMetrics(NamedTuple):
    """Losses in nats per step (unscaled, after free nats) and the entropies behind them."""

    loss: Array
    reconstruction: Array
    reward: Array
    continuation: Array
    dyn: Array
    rep: Array
    goal: Array  # of the head p(z | h) that draws decoded subgoals
    posterior_entropy: Array
    prior_entropy: Array


def world_model_loss(
    world_model: AbstractWorldModel,
    batch: Batch,
    gumbel: Float[Array, "time batch stoch classes"],
    config: WorldModelConfig,
) -> tuple[Float[Array, ""], tuple[Latent, Any, WorldModelMetrics]]:
    """Return `L_pred + 0.5 L_dyn + 0.1 L_rep` (section 2), posterior latents, `Observed.means`, the parts.

    The head p(z | h) is trained beside: its inputs and targets carry no gradient.
    """
    observed = world_model.observe(
        world_model.prepare(), batch.observation, batch.previous_action, batch.is_first, batch.before, gumbel
    )
    losses = world_model.losses(observed, batch.observation, batch.reward, batch.is_terminal)
    means = type(losses)(*(x.mean() for x in losses))
    prediction = means.reconstruction + means.reward + means.continuation
    loss = prediction + config.dyn_scale * means.dyn + config.rep_scale * means.rep + means.goal
    metrics = WorldModelMetrics(
        loss=loss,
        **means._asdict(),
        posterior_entropy=entropy(observed.posterior).sum(axis=-1).mean(),
        prior_entropy=entropy(observed.prior).sum(axis=-1).mean(),
    )
    return loss, (stop_gradient(observed.latent), observed.means, metrics)
