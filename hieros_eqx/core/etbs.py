"""Efficient Time-Balanced Sampling (Hieros, arXiv 2310.05167): which entry a uniform number draws.

Uniform draws from a growing buffer favour what came early: after n entries, entry i (1 = oldest) has been
drawn in proportion to 1/i + ... + 1/n, about ln(n/i). With s = i/n the distribution function of that is
F(s) = s (1 - ln s). Sending uniform numbers through F moves the draws towards recent entries.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hieros_eqx.backend import namespace, scan
from hieros_eqx.types import Array

BISECTIONS = 64  # halvings of [0, 1]: below the spacing of float64


def cdf(s: Float[Array, "*shape"] | float) -> Float[Array, "*shape"]:
    r"""$F(s) = s (1 - \ln s)$ with $F(0) = 0$, for s in [0, 1]."""
    xp = namespace(s)
    s = xp.asarray(s)
    positive = s > 0
    return xp.where(positive, s * (1.0 - xp.log(xp.where(positive, s, xp.ones_like(s)))), xp.zeros_like(s))


def inverse_cdf(v: Float[Array, "*shape"] | float) -> Float[Array, "*shape"]:
    """The s in [0, 1] with F(s) = v, by bisection."""
    return _invert(v, 1.0)


def index(
    u: Float[Array, "*batch"],
    size: Int[Array, "..."] | int,
    temperature: float,
    scale: Int[Array, "..."] | int | None = None,
) -> Int[Array, "*batch"]:
    r"""The entry that $u \in [0, 1)$ draws: $\lfloor n (\tau F(u) + (1 - \tau) u) \rfloor$, 0 = oldest.

    `temperature` $\tau$ = 0 draws uniformly. `size` is n, one for all or one each. The result is clamped to
    [0, n), and 0 where n is 0; float32 can name every entry up to n = 2**24. With `scale` (the reference:
    the buffer's capacity) F counts in that many entries: $n F$ becomes $\min(\mathrm{scale}\, F, n - 1)$.
    Raises `ValueError` for another temperature.
    """
    _require_temperature(temperature)
    xp = namespace(u, size, scale)
    held = xp.asarray(size, dtype=np.int32)
    if scale is None:
        position = held.astype(u.dtype) * _warp(u, temperature)
    else:
        newest = (held - 1).astype(u.dtype)
        balanced = xp.minimum(xp.asarray(scale, dtype=u.dtype) * cdf(u), newest)
        position = temperature * balanced + (1.0 - temperature) * u * held.astype(u.dtype)
    return xp.maximum(xp.minimum(xp.floor(position).astype(np.int32), held - 1), 0)


def probability(size: int, temperature: float) -> Float[np.ndarray, " size"]:
    """The probability with which `index` draws each of `size` entries: lengths of the intervals of u.

    Raises `ValueError` without entries, or for a temperature outside of [0, 1].
    """
    _require_entries(size)
    _require_temperature(temperature)
    edges = _invert(np.arange(size + 1, dtype=np.float64) / size, temperature)
    edges = np.concatenate([np.zeros(1, np.float64), edges[1:-1], np.ones(1, np.float64)])
    return np.diff(edges)


def cdf_table(size: int) -> Float[np.ndarray, " edges"]:
    r"""F from the definition, at s = 0, 1/n, ..., 1: cumulated shares $p_i = \frac1n \sum_{j=i}^n \frac1j$.

    It is within 1/(2n) of the closed form. Raises `ValueError` without entries.
    """
    _require_entries(size)
    visits = np.cumsum(1.0 / np.arange(size, 0, -1, dtype=np.float64))[::-1]
    return np.concatenate([np.zeros(1, np.float64), np.cumsum(visits)]) / size


def _require_temperature(temperature: float) -> None:
    if not 0 <= temperature <= 1:
        raise ValueError(f"wanted a temperature in [0, 1], got {temperature}.")


def _require_entries(size: int) -> None:
    if size < 1:
        raise ValueError(f"wanted at least one entry, got {size}.")


def _warp(u: Any, temperature: float) -> Any:
    return temperature * cdf(u) + (1.0 - temperature) * u


def _invert(v: Any, temperature: float) -> Any:
    xp = namespace(v)
    v = xp.asarray(v)

    def halve(bounds: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        low, high = bounds
        middle = 0.5 * (low + high)
        below = _warp(middle, temperature) < v
        return (xp.where(below, middle, low), xp.where(below, high, middle)), None

    (low, high), _ = scan(halve, (xp.zeros_like(v), xp.ones_like(v)), None, length=BISECTIONS)
    return 0.5 * (low + high)
