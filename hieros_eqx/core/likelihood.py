"""Log-likelihoods and error terms of the prediction heads."""

from jaxtyping import Float

from hieros_eqx.backend import namespace
from hieros_eqx.core.nn import softplus
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.core.transforms import symlog
from hieros_eqx.types import Array


def bernoulli_log_prob(logits: Float[Array, "*batch"], x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    r"""$x \ln \sigma(l) + (1 - x) \ln (1 - \sigma(l))$, accurate for large logits; x in [0, 1].

    Raises `ValueError` if shapes differ.
    """
    require_same_shape(logits=logits, x=x)
    return -x * softplus(-logits) - (1.0 - x) * softplus(logits)


def squared_error(
    prediction: Float[Array, "..."], target: Float[Array, "..."], ndims: int = 1
) -> Float[Array, "..."]:
    r"""$\sum (\hat x - x)^2$ over the last `ndims` axes. Raises `ValueError` if shapes differ."""
    require_same_shape(prediction=prediction, target=target)
    xp = namespace(prediction, target)
    return xp.sum(xp.square(prediction - target), axis=tuple(range(-ndims, 0)))


def symlog_squared_error(
    prediction: Float[Array, "..."], target: Float[Array, "..."], ndims: int = 1
) -> Float[Array, "..."]:
    r"""$\sum (\hat x - \mathrm{symlog}(x))^2$ over the last `ndims` axes (DreamerV3, arXiv 2301.04104)."""
    return squared_error(prediction, symlog(target), ndims)
