"""The few array operations that NumPy and JAX spell differently."""

import math
from typing import Any

import numpy as np
from jaxtyping import Complex, Float, Shaped

from hieros_eqx.backend.dispatch import is_jax
from hieros_eqx.backend.trees import tree_map
from hieros_eqx.types import Array


def stop_gradient(tree: Any) -> Any:
    """The same values, seen as constants by differentiation. Works on trees; NumPy has nothing to stop."""

    def stop(leaf: Any) -> Any:
        if not is_jax(leaf):
            return leaf
        import jax

        return jax.lax.stop_gradient(leaf)

    return tree_map(stop, tree)


def set_at(x: Shaped[Array, "..."], index: Any, value: Any) -> Shaped[Array, "..."]:
    """A copy of `x` in which `x[index]` is `value`. The argument is never written to."""
    if is_jax(x):
        return x.at[index].set(value)
    if is_jax(index, value):
        import jax.numpy as jnp

        return jnp.asarray(x).at[index].set(value)
    copy = np.array(x)
    copy[index] = value
    return copy


def as_complex(real: Float[Array, "*shape"], imaginary: Float[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """real + i imaginary, in the complex type of the arguments' precision."""
    if is_jax(real, imaginary):
        import jax

        return jax.lax.complex(real, imaginary)
    out = np.empty(np.shape(real), dtype=np.result_type(real, np.complex64))
    out.real = real
    out.imag = imaginary
    return out


def erf(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""The error function $2/\sqrt\pi \int_0^x e^{-t^2} dt$."""
    if is_jax(x):
        import jax

        return jax.lax.erf(x)
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def sigmoid(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$1 / (1 + e^{-x})$, without overflow on either side, in value and gradient."""
    if is_jax(x):
        import jax

        return jax.lax.logistic(x)
    return np.exp(-np.logaddexp(0.0, -x))
