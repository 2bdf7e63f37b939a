"""Random numbers from explicit keys: `jax.random` keys, or NumPy `SeedSequence`s used as if immutable.

A key is split where noise is drawn, used once, and never reused. The two backends give different numbers
from one seed; functions that must agree take the noise as an argument instead (as `core` does).
"""

from typing import Any, Literal

import numpy as np

from hieros_eqx.types import Array

Key = Any  # a JAX key (typed or raw), or a `np.random.SeedSequence`


def key(seed: int, backend: Literal["numpy", "jax"]) -> Key:
    """A fresh key. Raises `ValueError` for an unknown backend."""
    if backend == "numpy":
        return np.random.SeedSequence(seed)
    if backend == "jax":
        import jax

        return jax.random.key(seed)
    raise ValueError(f'`backend` must be "numpy" or "jax"; got {backend!r}.')


def split(key: Key, count: int = 2) -> Any:
    """`count` independent keys, as something that can be indexed and unpacked. The key is consumed."""
    if isinstance(key, np.random.SeedSequence):
        return [_extend(key, 0, i) for i in range(count)]
    return _jax_random().split(key, count)


def fold_in(key: Key, number: Any) -> Key:
    """The key of (`key`, `number`), another for every number. A key is folded or split, never both."""
    if isinstance(key, np.random.SeedSequence):
        return _extend(key, 1, int(number))
    return _jax_random().fold_in(key, number)


def uniform(key: Key, shape: tuple[int, ...] = (), dtype: Any = np.float32) -> Array:
    """Uniform numbers in [0, 1). The key is consumed."""
    if isinstance(key, np.random.SeedSequence):
        return _generator(key).random(shape, dtype)
    return _jax_random().uniform(key, shape, dtype)


def normal(key: Key, shape: tuple[int, ...] = (), dtype: Any = np.float32) -> Array:
    """Standard normal numbers. The key is consumed."""
    if isinstance(key, np.random.SeedSequence):
        return _generator(key).standard_normal(shape, dtype)
    return _jax_random().normal(key, shape, dtype)


def gumbel(key: Key, shape: tuple[int, ...] = (), dtype: Any = np.float32) -> Array:
    """Standard Gumbel numbers: argmax(logits + gumbel) samples the categorical. The key is consumed."""
    if isinstance(key, np.random.SeedSequence):
        return np.asarray(_generator(key).gumbel(size=shape), dtype=dtype)
    return _jax_random().gumbel(key, shape, dtype)


def _jax_random() -> Any:
    import jax

    return jax.random


def _generator(key: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key))


def _extend(key: np.random.SeedSequence, *numbers: int) -> np.random.SeedSequence:
    """A child of the key; `SeedSequence.spawn` would change the parent."""
    return np.random.SeedSequence(key.entropy, spawn_key=(*key.spawn_key, *numbers))
