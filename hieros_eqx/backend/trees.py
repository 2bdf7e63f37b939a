"""Trees of arrays (NamedTuple, tuple, list, dict; any pytree where JAX is installed), and moving them."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def tree_leaves(tree: Any) -> list[Any]:
    """All leaves of a tree, in order. `None` is an empty tree."""
    if "jax" in sys.modules:
        import jax

        return jax.tree.leaves(tree)
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in tree_leaves(tree[key])]
    if isinstance(tree, tuple | list):
        return [leaf for branch in tree for leaf in tree_leaves(branch)]
    return [tree]


def tree_map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The tree of `function(leaf, *leaves)` over trees of the same structure."""
    if "jax" in sys.modules:
        import jax

        return jax.tree.map(function, tree, *rest)
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: tree_map(function, tree[key], *(other[key] for other in rest)) for key in tree}
    if isinstance(tree, tuple | list):
        branches = [tree_map(function, *group) for group in zip(tree, *rest, strict=True)]
        if hasattr(tree, "_fields"):
            return type(tree)(*branches)
        return type(tree)(branches)
    return function(tree, *rest)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays in a tree; shapes and dtypes are enough (`jax.eval_shape`)."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in tree_leaves(tree))


def to_numpy(tree: Any, dtype: Any = None) -> Any:
    """The same tree with NumPy arrays, e.g. a trained module as its own float64 reference.

    With `dtype` (say `np.float64`), floating leaves are cast to it and complex leaves to the complex type
    of that precision. Without, dtypes stay, but bfloat16 becomes float32: NumPy cannot compute in it.
    Leaves that are no arrays (functions, typed random keys) pass unchanged.
    """

    def move(leaf: Any) -> Any:
        if not _is_array(leaf) or _is_random_key(leaf):
            return leaf
        array = np.asarray(leaf)
        if array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        if dtype is not None and np.issubdtype(array.dtype, np.floating):
            return array.astype(dtype)
        if dtype is not None and np.issubdtype(array.dtype, np.complexfloating):
            return array.astype(np.result_type(dtype, np.complex64))
        return array

    return tree_map(move, tree)


def to_jax(tree: Any) -> Any:
    """The same tree with JAX arrays (float64 becomes float32 unless x64 is enabled).

    Raises `ImportError` where JAX is not installed. Leaves that are no arrays pass unchanged.
    """
    import jax.numpy as jnp

    return tree_map(
        lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf, tree
    )


def _is_array(leaf: Any) -> bool:
    jax = sys.modules.get("jax")
    return isinstance(leaf, np.ndarray | np.generic) or (jax is not None and isinstance(leaf, jax.Array))


def _is_random_key(leaf: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
