"""Loops and branches: structured control flow under JAX, plain Python under NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hieros_eqx.backend.dispatch import is_jax
from hieros_eqx.backend.trees import tree_leaves, tree_map


def scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    xs: Any,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Fold `carry, y_t = body(carry, x_t)` along axis 0 of the tree `xs`; returns the last carry and all y.

    `xs` may be None, with `length` steps. With `reverse` time runs from the last index to the first, and
    `y_t` still stands at index t. Raises `ValueError` if there is no step.
    """
    leaves = tree_leaves(xs)
    steps = len(leaves[0]) if leaves else length
    if not steps:
        raise ValueError(f"scan needs at least one step; got {steps}. Pass `length` where `xs` is None.")
    if is_jax(*leaves, *tree_leaves(carry)):
        import jax

        return jax.lax.scan(body, carry, xs, length=length, reverse=reverse)
    ys = [None] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        carry, ys[t] = body(carry, tree_map(lambda leaf, t=t: leaf[t], xs))
    return carry, tree_map(lambda *leaf: np.stack(leaf), *ys)


def associative_scan(operator: Callable[[Any, Any], Any], elements: Any) -> Any:
    """All prefixes e_0, e_0 o e_1, ... along axis 0, for an associative `operator(earlier, later)`.

    The operator meets whole slices of the tree `elements` (with a leading axis), so it must be elementwise
    along axis 0. JAX evaluates in logarithmic depth, NumPy from left to right.
    """
    leaves = tree_leaves(elements)
    if is_jax(*leaves):
        import jax

        return jax.lax.associative_scan(operator, elements)
    prefixes = [tree_map(lambda leaf: leaf[:1], elements)]
    for t in range(1, len(leaves[0])):
        prefixes.append(operator(prefixes[-1], tree_map(lambda leaf, t=t: leaf[t : t + 1], elements)))
    return tree_map(lambda *leaf: np.concatenate(leaf), *prefixes)


def cond(
    predicate: Any,
    true_function: Callable[..., Any],
    false_function: Callable[..., Any],
    *operands: Any,
) -> Any:
    """`true_function(*operands)` if the scalar `predicate` holds, else `false_function(*operands)`.

    A predicate that JAX may not know yet becomes `lax.cond`; one that is known is a plain `if`.
    """
    if is_jax(predicate):
        import jax

        return jax.lax.cond(predicate, true_function, false_function, *operands)
    return true_function(*operands) if predicate else false_function(*operands)
