"""Bookkeeping of macro steps: clocks, the window of latents a level looks at, selecting per environment."""

from typing import Any

from jaxtyping import Bool, Int

from hieros_eqx.backend import namespace, tree_leaves, tree_map
from hieros_eqx.core.shapes import require_same_shape, require_shape
from hieros_eqx.types import Array


def due(clock: Int[Array, "*shape"], period: int) -> Bool[Array, "*shape"]:
    """Whether a level acts: steps since the episode's start are a multiple of its period k**level.

    Raises `ValueError` for a period below 1.
    """
    if period < 1:
        raise ValueError(f"wanted a period of at least 1, got {period}.")
    return clock % period == 0


def window_fill(value: Any, size: int) -> Any:
    """A window [env window ...] that holds `value` [env ...] `size` times; on trees, leaf by leaf.

    Raises `ValueError` for a size below 1.
    """
    if size < 1:
        raise ValueError(f"wanted a window of at least 1, got {size}.")
    xp = namespace(*tree_leaves(value))
    return tree_map(lambda leaf: xp.repeat(leaf[:, None], size, axis=1), value)


def window_push(window: Any, value: Any) -> Any:
    """The window [env window ...] without its oldest entry, and `value` [env ...] as its newest, last one."""
    xp = namespace(*tree_leaves((window, value)))
    return tree_map(lambda old, new: xp.concatenate([old[:, 1:], new[:, None]], axis=1), window, value)


def where_env(mask: Bool[Array, "*env"], a: Any, b: Any) -> Any:
    """Leaf by leaf, tree `a` where `mask` holds, else tree `b`; the mask covers the leading axes.

    Raises `ValueError` if it does not.
    """
    xp = namespace(mask, *tree_leaves((a, b)))

    def select(yes: Any, no: Any) -> Any:
        require_same_shape(a=yes, b=no)
        require_shape("mask", mask, yes.shape[: mask.ndim])
        return xp.where(mask.reshape(mask.shape + (1,) * (yes.ndim - mask.ndim)), yes, no)

    return tree_map(select, a, b)
