"""The product with a weight, in the precision of the weight."""

from jaxtyping import Float

from hieros_eqx.backend.dispatch import is_jax
from hieros_eqx.types import Array


def matmul(
    x: Float[Array, "*batch feature"], weight: Float[Array, "feature out"]
) -> Float[Array, "*batch out"]:
    """Return `x @ weight`; a bfloat16 weight asks for bfloat16 products.

    Then `x` is rounded to bfloat16, sums are accumulated in float32, and the result has the dtype of `x`; the
    products of reverse mode are formed alike, from the rounded cotangent. NumPy has no such dtype.
    """
    if is_jax(weight) and weight.dtype.name == "bfloat16":
        from hieros_eqx.backend import matmul_jax

        return matmul_jax.matmul(x, weight)
    return x @ weight
