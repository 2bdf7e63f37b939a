"""The two KL losses of the world model: dynamics towards posterior, posterior towards dynamics."""

from jaxtyping import Float

from hieros_eqx.backend import namespace, stop_gradient
from hieros_eqx.core.categorical import kl
from hieros_eqx.types import Array


def kl_losses(
    posterior_logits: Float[Array, "*batch stoch classes"],
    prior_logits: Float[Array, "*batch stoch classes"],
    free_nats: float = 1.0,
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    r"""KL balancing with free bits (DreamerV3, arXiv 2301.04104), before weights and mean.

    $L_{dyn} = \max(f, \mathrm{KL}[\mathrm{sg}\,q \,\|\, p])$ and
    $L_{rep} = \max(f, \mathrm{KL}[q \,\|\, \mathrm{sg}\,p])$, with q the posterior, p the prior,
    each KL summed over `stoch` and clipped from below at $f$ = `free_nats` per step.
    Logits are taken after the uniform mix.
    """
    xp = namespace(posterior_logits, prior_logits)
    dynamics = xp.sum(kl(stop_gradient(posterior_logits), prior_logits), axis=-1)
    representation = xp.sum(kl(posterior_logits, stop_gradient(prior_logits)), axis=-1)
    return xp.maximum(dynamics, free_nats), xp.maximum(representation, free_nats)
