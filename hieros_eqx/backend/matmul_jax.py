"""Products of bfloat16 numbers accumulated in float32, forward and backward.

JAX transposes a product with a float32 result into products of mixed operands, the float32 cotangent with the
bfloat16 weight or input. No matrix unit multiplies those: hence the rule below, which rounds the cotangent.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_vjp
def matmul(x: Any, weight: Any) -> Any:
    """See `matmul.matmul`; the weight's dtype is that of the operands."""
    return _forward(x, weight)[0]


def _forward(x: Any, weight: Any) -> Any:
    low = x.astype(weight.dtype)
    return _product(low, weight, (x.ndim - 1,), (0,), x.dtype), (low, weight)


def _backward(residuals: Any, y_bar: Any) -> Any:
    x, weight = residuals
    low, batch = y_bar.astype(weight.dtype), tuple(range(x.ndim - 1))
    x_bar = _product(low, weight, (x.ndim - 1,), (1,), y_bar.dtype)
    return x_bar, _product(x, low, batch, batch, weight.dtype)


matmul.defvjp(_forward, _backward)


def _product(left: Any, right: Any, left_axes: Any, right_axes: Any, dtype: Any) -> Any:
    axes = ((left_axes, right_axes), ((), ()))
    return lax.dot_general(left, right, axes, preferred_element_type=jnp.float32).astype(dtype)
