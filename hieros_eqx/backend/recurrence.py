"""The diagonal linear recurrence at the heart of S5, in a sequential and a parallel form."""

from functools import cache
from typing import Any

from jaxtyping import Inexact

from hieros_eqx.backend.control import associative_scan, scan
from hieros_eqx.backend.dispatch import is_jax
from hieros_eqx.types import Array


def linear_recurrence(
    a: Inexact[Array, "time *batch state"], b: Inexact[Array, "time *batch state"]
) -> Inexact[Array, "time *batch state"]:
    """All x_t = a_t x_{t-1} + b_t with x_{-1} = 0, real or complex (S5, arXiv 2208.04933, eq. 2).

    JAX takes the sequential form on CPU and the parallel one elsewhere (the choice is made when the program
    is lowered, so one trace serves every platform). The gradient is the same recurrence run backwards.
    Raises `ValueError` if there is no time step, or the shapes differ.
    """
    _check(a, b)
    return _jax_recurrence("platform")(a, b) if is_jax(a, b) else _sequential(a, b)


def linear_recurrence_sequential(
    a: Inexact[Array, "time *batch state"], b: Inexact[Array, "time *batch state"]
) -> Inexact[Array, "time *batch state"]:
    """`linear_recurrence` one step after the other: the least arithmetic."""
    _check(a, b)
    return _jax_recurrence("sequential")(a, b) if is_jax(a, b) else _sequential(a, b)


def linear_recurrence_parallel(
    a: Inexact[Array, "time *batch state"], b: Inexact[Array, "time *batch state"]
) -> Inexact[Array, "time *batch state"]:
    """`linear_recurrence` as an associative scan: logarithmic depth.

    (a, b) o (a', b') = (a' a, a' b + b') is associative; the second part of its prefixes is x_t.
    """
    _check(a, b)
    return _jax_recurrence("parallel")(a, b) if is_jax(a, b) else _parallel(a, b)


def _check(a: Any, b: Any) -> None:
    if a.shape != b.shape:
        raise ValueError(f"wanted `a` and `b` of one shape, got {a.shape} and {b.shape}.")
    if len(b) == 0:
        raise ValueError(f"The recurrence needs at least one time step; got shape {b.shape}.")


def _sequential(a: Any, b: Any) -> Any:
    def step(x: Any, element: tuple[Any, Any]) -> tuple[Any, Any]:
        x = element[0] * x + element[1]
        return x, x

    return scan(step, b[0] * 0, (a, b))[1]


def _parallel(a: Any, b: Any) -> Any:
    def compose(earlier: tuple[Any, Any], later: tuple[Any, Any]) -> tuple[Any, Any]:
        return later[0] * earlier[0], later[0] * earlier[1] + later[1]

    return associative_scan(compose, (a, b))[1]


@cache
def _jax_recurrence(form: str) -> Any:
    """The recurrence in one form, with its own gradient rule. JAX is imported only once it is asked for."""
    import jax
    import jax.numpy as jnp

    def by_platform(a: Any, b: Any) -> Any:
        return jax.lax.platform_dependent(a, b, cpu=_sequential, default=_parallel)

    evaluate = {"platform": by_platform, "sequential": _sequential, "parallel": _parallel}[form]

    @jax.custom_vjp
    def recurrence(a: Any, b: Any) -> Any:
        return evaluate(a, b)

    def forward(a: Any, b: Any) -> tuple[Any, tuple[Any, Any]]:
        x = recurrence(a, b)
        return x, (a, x)

    def backward(residuals: tuple[Any, Any], x_bar: Any) -> tuple[Any, Any]:
        # Transposed: b_bar_t = x_bar_t + a_{t+1} b_bar_{t+1}, and a_bar_t = b_bar_t x_{t-1}. JAX transposes
        # complex products without conjugating them.
        a, x = residuals
        none = jnp.zeros_like(x[:1])
        a_next = jnp.concatenate([a[1:], none])
        b_bar = jnp.flip(recurrence(jnp.flip(a_next, 0), jnp.flip(x_bar, 0)), 0)
        return b_bar * jnp.concatenate([none, x[:-1]]), b_bar

    recurrence.defvjp(forward, backward)
    return recurrence
