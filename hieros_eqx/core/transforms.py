"""Symlog squashing and two-hot coding of real numbers (DreamerV3, arXiv 2301.04104)."""

import numpy as np
from jaxtyping import Float

from hieros_eqx.backend import namespace
from hieros_eqx.core.nn import log_softmax, trailing
from hieros_eqx.core.shapes import require_shape
from hieros_eqx.types import Array


def symlog(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\mathrm{sign}(x) \ln(1 + |x|)$ with slope 1 at zero too."""
    xp = namespace(x)
    negative = x < 0
    magnitude = xp.log1p(xp.where(negative, -x, x))
    return xp.where(negative, -magnitude, magnitude)


def symexp(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\mathrm{sign}(x) (e^{|x|} - 1)$, the inverse of `symlog`, with slope 1 at zero too."""
    xp = namespace(x)
    negative = x < 0
    magnitude = xp.expm1(xp.where(negative, -x, x))
    return xp.where(negative, -magnitude, magnitude)


def symlog_bins(count: int, limit: float = 20.0) -> Float[np.ndarray, " bins"]:
    """`count` evenly spaced bins over [-limit, limit], meant for a target in symlog space (the paper's).

    Raises `ValueError` for fewer than two bins, or a limit that is not above zero.
    """
    if count < 2 or not limit > 0:
        raise ValueError(f"wanted at least 2 bins and a limit above 0, got {count} and {limit}.")
    position = 2 * np.arange(count, dtype=np.int64) - (count - 1)  # exactly symmetric, in half bins
    return limit * position / (count - 1)


def symexp_bins(count: int, limit: float = 20.0) -> Float[np.ndarray, " bins"]:
    """`symexp` of `symlog_bins`: fine around zero, wide outside, symmetric; for unsquashed targets."""
    return symexp(symlog_bins(count, limit))


def two_hot(x: Float[Array, "*batch"], bins: Float[Array, " bins"]) -> Float[Array, "*batch bins"]:
    r"""Weights on the two bins around `x`, with mean `x`; beyond the bins, all on the outermost.

    With $r_i = \mathrm{clip}((x - b_i) / (b_{i+1} - b_i), 0, 1)$, how far x has come through interval i,
    the weights are $w_i = r_{i-1} - r_i$, where $r_{-1} = 1$ and $r_{n-1} = 0$. Bins ascend and need not be
    evenly spaced; they are taken in the dtype of `x`.
    """
    xp = namespace(x, bins)
    bins = trailing(xp.asarray(bins, dtype=x.dtype), x[..., None])
    low, high = bins[..., :-1], bins[..., 1:]
    passed = xp.clip((x[..., None] - low) / (high - low), 0.0, 1.0)
    end = xp.zeros_like(passed[..., :1])
    return xp.concatenate([end + 1.0, passed], axis=-1) - xp.concatenate([passed, end], axis=-1)


def from_two_hot(probs: Float[Array, "*batch bins"], bins: Float[Array, " bins"]) -> Float[Array, "*batch"]:
    r"""The mean $\sum_i p_i b_i$.

    Bins far from zero reach 5e8, so plain summation in float32 drowns small means. The bins are taken in
    pairs from both ends, $p b + p' b' = (p' - p) b' + p (b + b')$: where bins and probabilities are symmetric
    both terms are exactly zero, also where a compiler fuses multiplication and addition. Raises
    `ValueError` if there is not one probability for every bin.
    """
    p_low, p_high = _ends(probs)
    return _paired_mean(probs, p_high - p_low, bins)


def mean_of_logits(
    logits: Float[Array, "*batch bins"], bins: Float[Array, " bins"]
) -> Float[Array, "*batch"]:
    r"""The mean $\sum_i p_i b_i$ of $p = \mathrm{softmax}(l)$, in pairs of bins as in `from_two_hot`.

    An ulp between the exponentials of equal logits, as vectorised code has it, would be a mean of 0.1. So
    the differences of probabilities are taken from those of logits, $p' - p = p' (1 - e^{l - l'})$ where
    $l' > l$, else $p (e^{l' - l} - 1)$: equal logits give exactly zero. Raises `ValueError` if there is not
    one logit for every bin.
    """
    xp = namespace(logits, bins)
    low, high = _ends(logits)
    rises = high > low
    probs = xp.exp(log_softmax(logits))
    p_low, p_high = _ends(probs)
    share = xp.expm1(xp.where(rises, low - high, high - low))
    return _paired_mean(probs, xp.where(rises, -p_high * share, p_low * share), bins)


def _ends(x: Float[Array, "*batch bins"]) -> tuple[Float[Array, "*batch half"], Float[Array, "*batch half"]]:
    """Return the lower and the upper half of the bins, such that opposite ones have the same index."""
    half = x.shape[-1] // 2
    return namespace(x).flip(x[..., :half], axis=-1), x[..., -half:]


def _paired_mean(probs: Array, difference: Array, bins: Array) -> Array:
    """Return the sum of `(p' - p) b' + p (b + b')` over pairs, given all `p' - p`, and of what is between."""
    require_shape("bins", bins, probs.shape[-1:])
    xp = namespace(probs, bins)
    values = xp.asarray(bins, dtype=probs.dtype)
    half = bins.shape[-1] // 2
    (low, high), (p_low, _) = _ends(values), _ends(probs)
    pairs = difference * trailing(high, difference) + p_low * trailing(low + high, p_low)
    middle = probs[..., half:-half] * trailing(values[half:-half], probs)
    return xp.sum(pairs, axis=-1) + xp.sum(middle, axis=-1)
