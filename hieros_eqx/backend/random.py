"""Random numbers from explicit keys: `jax.random` keys, or NumPy `SeedSequence`s used as if immutable.

A key is split where noise is drawn, used once, and never reused. The two backends give different numbers
from one seed; functions that must agree take the noise as an argument instead (as `core` does).
"""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np

from hieros_eqx.types import Array

Key = Any  # a JAX key (typed or raw), a `np.random.SeedSequence`, or `Draws` in place of either
T = TypeVar("T")
CUT = 2.0  # standard deviations


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
    if isinstance(key, Draws):
        return (key,) * count
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
    if isinstance(key, Draws):
        return key.take("uniform", shape)
    if isinstance(key, np.random.SeedSequence):
        return _generator(key).random(shape, dtype)
    return _jax_random().uniform(key, shape, dtype)


def normal(key: Key, shape: tuple[int, ...] = (), dtype: Any = np.float32) -> Array:
    """Standard normal numbers. The key is consumed."""
    if isinstance(key, Draws):
        return key.take("normal", shape)
    if isinstance(key, np.random.SeedSequence):
        return _generator(key).standard_normal(shape, dtype)
    return _jax_random().normal(key, shape, dtype)


def truncated_normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers (float32) cut off at two standard deviations. The key is consumed."""
    if isinstance(key, Draws):
        return key.take("truncated_normal", shape)
    if isinstance(key, np.random.SeedSequence):
        low, high = (0.5 * (1 + math.erf(bound / math.sqrt(2))) for bound in (-CUT, CUT))
        from scipy.special import ndtri

        return ndtri(_generator(key).uniform(low, high, shape)).astype(np.float32)
    size = math.prod(shape)
    padded = 1 << (size - 1).bit_length()  # few distinct sizes: JAX compiles one sampler for each
    return _jax_random().truncated_normal(key, -CUT, CUT, (padded,), np.float32)[:size].reshape(shape)


def gumbel(key: Key, shape: tuple[int, ...] = (), dtype: Any = np.float32) -> Array:
    """Standard Gumbel numbers: argmax(logits + gumbel) samples the categorical. The key is consumed."""
    if isinstance(key, np.random.SeedSequence):
        return np.asarray(_generator(key).gumbel(size=shape), dtype=dtype)
    return _jax_random().gumbel(key, shape, dtype)


class Draws:
    """Stands in for a key where many arrays are drawn: hands out parts of one draw for each distribution.

    Who asks first gets the first numbers, so splitting gives the same object once more. Without numbers it
    hands out zeros and counts, in `taken`, how many of each distribution are wanted.
    """

    def __init__(self, numbers: dict[str, Array] | None = None):
        self._numbers = numbers
        self.taken: dict[str, int] = {}

    def take(self, distribution: str, shape: tuple[int, ...]) -> Array:
        """The next float32 numbers of a distribution."""
        import jax.numpy as jnp

        begin = self.taken.get(distribution, 0)
        end = self.taken[distribution] = begin + math.prod(shape)
        if self._numbers is None:
            return jnp.zeros(shape, np.float32)  # nothing but a shape to `eval_shape`, however large
        return self._numbers[distribution][begin:end].reshape(shape)


def drawn_together(build: Callable[[Key], T], key: Key) -> T:
    """`build(key)` with the numbers taken from one draw for each distribution. The key, of JAX, is consumed.

    XLA compiles a sampler for every array that is drawn by itself and a hash for every split: for the
    parameters of an agent nine tenths of the work. `build` is called twice, and must ask for the same
    numbers in the same order, whatever they are.
    """
    import jax

    counting = Draws()
    jax.eval_shape(lambda: (build(counting), None)[1])
    wanted = sorted(counting.taken.items())
    keys = split(key, len(wanted))
    return build(Draws({name: _draw(name, count, keys[i]) for i, (name, count) in enumerate(wanted)}))


def _draw(distribution: str, count: int, key: Key) -> Array:
    """`count` numbers out of a loop: XLA does not fuse across its border, else every user samples anew."""
    import jax

    sampler = {"uniform": uniform, "normal": normal, "truncated_normal": truncated_normal}[distribution]
    halves = jax.lax.map(lambda k: sampler(k, ((count + 1) // 2,)), split(key))
    return halves.reshape(-1)[:count]


def _jax_random() -> Any:
    import jax

    return jax.random


def _generator(key: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key))


def _extend(key: np.random.SeedSequence, *numbers: int) -> np.random.SeedSequence:
    """A child of the key; `SeedSequence.spawn` would change the parent."""
    return np.random.SeedSequence(key.entropy, spawn_key=(*key.spawn_key, *numbers))
