"""Shapes that must agree: what broadcasting would take without a word, and give other numbers."""

import numpy as np

from hieros_eqx.types import Array


def require_same_shape(**arrays: Array) -> None:
    """Raise `ValueError` unless all have one shape. Shapes are static, so a compiled program pays nothing."""
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        got = ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
        raise ValueError(f"wanted arrays of one shape, got {got}.")


def require_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless the array has the shape."""
    if np.shape(array) != shape:
        raise ValueError(f"wanted `{name}` of shape {shape}, got {np.shape(array)}.")
