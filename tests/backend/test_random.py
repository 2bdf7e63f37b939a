import jax
import numpy as np
import pytest

from hieros_eqx.backend import random
from hieros_eqx.modules.dense import TRUNCATED_STD

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
def test_truncated_normal_stays_within_two_standard_deviations(library):
    numbers = np.asarray(random.truncated_normal(random.key(3, library), (100, 201)))
    assert numbers.dtype == np.float32 and numbers.shape == (100, 201)
    assert 1.99 < np.abs(numbers).max() <= 2
    np.testing.assert_allclose(numbers.mean(), 0, atol=5 * 0.88 / 20_100**0.5)
    np.testing.assert_allclose(numbers.std(), TRUNCATED_STD, rtol=0.02)


def many(key):
    """Several arrays of every distribution, from keys that were split."""
    first, second, third = random.split(key, 3)
    return {
        "normal": [random.normal(first, (3, 5)), random.normal(second, (2,))],
        "uniform": [random.uniform(random.split(second)[1], (4, 1))],
        "truncated_normal": [random.truncated_normal(third, (3,)) for _ in range(2)],
    }


def test_what_is_drawn_together_is_handed_out_once():
    drawn = random.drawn_together(many, random.key(3, "jax"))
    numbers = np.concatenate([np.ravel(part) for parts in drawn.values() for part in parts])
    assert len(np.unique(numbers)) == len(numbers) == 15 + 2 + 4 + 3 + 3
    jax.tree.map(np.testing.assert_array_equal, drawn, random.drawn_together(many, random.key(3, "jax")))
    other = random.drawn_together(many, random.key(4, "jax"))
    assert not np.isin(numbers, np.concatenate([np.ravel(x) for x in jax.tree.leaves(other)])).any()


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_what_is_drawn_together_has_the_distribution_asked_for(name):
    draw = getattr(random, name)
    parts = random.drawn_together(
        lambda key: [draw(k, (5_000,)) for k in random.split(key, 4)], random.key(0, "jax")
    )
    alone = draw(random.key(1, "jax"), (20_000,))
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(
        np.quantile(np.concatenate(parts), quantiles), np.quantile(np.asarray(alone), quantiles), atol=0.08
    )


def test_drawing_together_under_vmap_is_drawing_by_each_key():
    keys = random.split(random.key(0, "jax"), 3)
    together = jax.vmap(lambda key: random.drawn_together(many, key))(keys)
    for i, key in enumerate(keys):
        alone = random.drawn_together(many, key)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_array_equal(a[i], b), together, alone)


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
