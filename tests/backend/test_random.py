import jax
import numpy as np
import pytest

from hieros_eqx.backend import random

backends = pytest.mark.parametrize("library", ["numpy", "jax"])
DRAWS = {
    "uniform": (random.uniform, 0.5, 1 / 12**0.5),
    "normal": (random.normal, 0.0, 1.0),
    "gumbel": (random.gumbel, 0.5772156649, np.pi / 6**0.5),
}


@backends
@pytest.mark.parametrize("name", DRAWS)
def test_moments_dtype_and_repeatability(library, name):
    draw, mean, deviation = DRAWS[name]
    numbers = draw(random.key(3, library), (100, 200), np.float32)
    assert numbers.dtype == np.float32 and numbers.shape == (100, 200)
    np.testing.assert_allclose(numbers.mean(), mean, atol=5 * deviation / 20_000**0.5)
    np.testing.assert_allclose(numbers.std(), deviation, rtol=0.05)
    np.testing.assert_array_equal(numbers, draw(random.key(3, library), (100, 200), np.float32))


@backends
def test_splitting_gives_new_keys_and_changes_none(library):
    key = random.key(0, library)
    first, second = random.split(key, 2)
    again, _ = random.split(key, 2)
    folded = [random.fold_in(random.key(1, library), number) for number in (0, 1)]
    draws = [float(random.uniform(k)) for k in (key, first, second, *folded)]
    assert len(set(draws)) == 5
    assert float(random.uniform(again)) == draws[1]


def test_jax_keys_work_under_jit():
    split = jax.jit(lambda key: random.uniform(random.split(key, 3)[2], (4,)))
    np.testing.assert_array_equal(split(random.key(0, "jax")), split(random.key(0, "jax")))


def test_unknown_backend():
    with pytest.raises(ValueError, match='"numpy" or "jax"; got \'torch\''):
        getattr(random.key, "__wrapped__", random.key)(0, "torch")
