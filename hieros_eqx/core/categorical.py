"""Categorical distributions on the last axis, as functions of logits."""

from jaxtyping import Float

from hieros_eqx.backend import namespace, stop_gradient
from hieros_eqx.core.nn import log_softmax, one_hot, softmax
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.types import Array


def unimix(logits: Float[Array, "*batch classes"], ratio: float = 0.01) -> Float[Array, "*batch classes"]:
    r"""Log-probabilities of $(1 - \rho)\,\mathrm{softmax}(l) + \rho / C$ (DreamerV3: 1 % uniform)."""
    if ratio == 0:  # nothing keeps a probability from rounding to zero
        return log_softmax(logits)
    xp = namespace(logits)
    return xp.log((1.0 - ratio) * softmax(logits) + ratio / logits.shape[-1])


def kl(
    logits_p: Float[Array, "*batch classes"], logits_q: Float[Array, "*batch classes"]
) -> Float[Array, "*batch"]:
    r"""$\mathrm{KL}[p \,\|\, q] = \sum_c p_c (\ln p_c - \ln q_c)$, in nats, of finite logits.

    Raises `ValueError` if shapes differ.
    """
    require_same_shape(logits_p=logits_p, logits_q=logits_q)
    xp = namespace(logits_p, logits_q)
    log_p, log_q = log_softmax(logits_p), log_softmax(logits_q)
    return xp.sum(xp.exp(log_p) * (log_p - log_q), axis=-1)


def entropy(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    r"""$-\sum_c p_c \ln p_c$, in nats."""
    xp = namespace(logits)
    log_p = log_softmax(logits)
    return -xp.sum(xp.exp(log_p) * log_p, axis=-1)


def sample(
    logits: Float[Array, "*batch classes"], gumbel: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""A one-hot sample from given Gumbel noise, with straight-through gradient.

    The value is the one-hot of $\arg\max_c (l_c + g_c)$; the gradient is that of softmax(l)
    (DreamerV2, arXiv 2010.02193, algorithm 1). Raises `ValueError` if shapes differ.
    """
    require_same_shape(logits=logits, gumbel=gumbel)
    probs = softmax(logits)
    return _one_hot_of_argmax(logits + gumbel) + (probs - stop_gradient(probs))


def mode(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """The most probable class as a one-hot, without gradient."""
    return _one_hot_of_argmax(logits)


def log_prob(
    logits: Float[Array, "*batch classes"], value: Float[Array, "*batch classes"]
) -> Float[Array, "*batch"]:
    r"""$\ln p(\text{value})$ of a one-hot value; of weights that sum to one, the negative cross-entropy.

    Raises `ValueError` if shapes differ.
    """
    require_same_shape(logits=logits, value=value)
    xp = namespace(logits, value)
    return xp.sum(value * log_softmax(logits), axis=-1)


def _one_hot_of_argmax(scores: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    xp = namespace(scores)
    return one_hot(xp.asarray(xp.argmax(scores, axis=-1)), scores.shape[-1], scores.dtype)
