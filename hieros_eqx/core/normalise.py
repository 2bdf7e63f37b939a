"""Moving averages and the return range by which advantages are divided."""

from typing import Any

from jaxtyping import Float, Int

from hieros_eqx.backend import namespace, tree_map
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.types import Array


def percentile(x: Float[Array, "..."], q: float) -> Float[Array, ""]:
    """The `q`-quantile (0 <= q <= 1) of all elements, linear between order statistics.

    Raises `ValueError` for another `q`.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"wanted a quantile in [0, 1], got {q}.")
    xp = namespace(x)
    return xp.quantile(x, xp.asarray(q, dtype=x.dtype))


def percentile_range(x: Float[Array, "..."], low: float = 0.05, high: float = 0.95) -> Float[Array, ""]:
    """Distance of two quantiles of all elements, DreamerV3's measure of the size of returns."""
    return percentile(x, high) - percentile(x, low)


def ema(previous: Any, value: Any, rate: float) -> Any:
    """previous + rate (value - previous), on arrays or trees: moving averages, slow target networks.

    Raises `ValueError` if shapes differ.
    """

    def move(old: Any, new: Any) -> Any:
        require_same_shape(previous=old, value=new)
        return old + rate * (new - old)

    return tree_map(move, previous, value)


def ema_corrected(
    average: Float[Array, "*shape"], count: Int[Array, "..."] | int, rate: float
) -> Float[Array, "*shape"]:
    r"""An average that began at zero, without its bias: $m / (1 - (1 - \rho)^n)$ after n updates.

    Source: Adam, arXiv 1412.6980, section 3. Before the first update the answer is zero.
    """
    xp = namespace(average, count)
    updates = xp.maximum(xp.asarray(count), 1).astype(average.dtype)
    return average / (1.0 - (1.0 - rate) ** updates)
