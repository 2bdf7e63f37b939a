"""Layers without parameters of their own: what modules and distributions are made of."""

import math
from typing import Any

from jaxtyping import Float, Int, Num, Shaped

from hieros_eqx.backend import erf, matmul, namespace, stop_gradient
from hieros_eqx.backend import sigmoid as sigmoid
from hieros_eqx.core.shapes import require_shape
from hieros_eqx.types import Array


def trailing(p: Shaped[Array, "..."], x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """`p` with leading axes of size 1, so that its axes meet the last axes of `x`.

    Broadcasting across ranks is written out here; everywhere else a difference in rank is an error.
    """
    return p.reshape((1,) * (x.ndim - p.ndim) + p.shape)


def linear(
    x: Float[Array, "*batch feature"],
    weight: Float[Array, "feature out"],
    bias: Float[Array, " out"] | None = None,
) -> Float[Array, "*batch out"]:
    """x W + b, in the precision of W (see `backend.matmul`). Raises `ValueError` if shapes do not agree."""
    y = matmul(x, weight)
    if bias is not None:
        require_shape("bias", bias, y.shape[-1:])
    return y if bias is None else y + trailing(bias, y)


def layer_norm(
    x: Float[Array, "*batch feature"],
    scale: Float[Array, " feature"],
    offset: Float[Array, " feature"],
    eps: float = 1e-3,
) -> Float[Array, "*batch feature"]:
    r"""$(x - \mu) / \sqrt{\sigma^2 + \epsilon}$ (scaled and offset) over the last axis (arXiv 1607.06450).

    Raises `ValueError` if shapes do not agree.
    """
    require_shape("scale", scale, x.shape[-1:])
    require_shape("offset", offset, x.shape[-1:])
    xp = namespace(x, scale)
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    variance = xp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / xp.sqrt(variance + eps) * trailing(scale, x) + trailing(offset, x)


def silu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$x\,\sigma(x)$ (arXiv 1606.08415, 1702.03118)."""
    return x * sigmoid(x)


def gelu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$x\,\Phi(x)$ with the exact normal distribution function (arXiv 1606.08415)."""
    return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))


def softplus(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\ln(1 + e^x)$, without overflow."""
    xp = namespace(x)
    return xp.logaddexp(x, xp.zeros_like(x))


def logsumexp(x: Float[Array, "..."], axis: int = -1) -> Float[Array, "..."]:
    r"""$\ln \sum e^x$ along one axis, without overflow."""
    xp = namespace(x)
    top = stop_gradient(xp.max(x, axis=axis, keepdims=True))
    total = xp.log(xp.sum(xp.exp(x - top), axis=axis, keepdims=True)) + top
    return xp.squeeze(total, axis=axis)


def log_softmax(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Log-probabilities of the logits `x`, over the last axis."""
    return x - logsumexp(x)[..., None]


def softmax(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Probabilities of the logits `x`, over the last axis."""
    xp = namespace(x)
    powers = xp.exp(x - stop_gradient(xp.max(x, axis=-1, keepdims=True)))
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def one_hot(index: Int[Array, "*batch"], classes: int, dtype: Any) -> Num[Array, "*batch classes"]:
    """1 at `index`, else 0, along a new last axis. An index outside [0, classes), such as -1, gives zeros.

    Raises `ValueError` without classes.
    """
    if classes < 1:
        raise ValueError(f"wanted at least one class, got {classes}.")
    xp = namespace(index)
    position = xp.arange(classes, dtype=index.dtype)
    return (index[..., None] == trailing(position, index[..., None])).astype(dtype)
