"""Which array library serves a call: the arguments decide, and JAX wins in a mix."""

import sys
from typing import Any

import numpy as np


def is_jax(*arrays: Any) -> bool:
    """Whether any argument is a JAX array (or a tracer of one). Imports nothing."""
    jax = sys.modules.get("jax")
    return jax is not None and any(isinstance(array, jax.Array) for array in arrays)


def namespace(*arrays: Any) -> Any:
    """The library that speaks the arguments' language: `jax.numpy` if any is a JAX array, else `numpy`.

    Anything that is no array (Python numbers, `None`) has no vote.
    """
    return sys.modules["jax.numpy"] if is_jax(*arrays) else np
