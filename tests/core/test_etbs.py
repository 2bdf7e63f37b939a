import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hieros_eqx.core import etbs
from tests.oracles import sampling as oracle

UNIT = st.floats(0, 1, exclude_max=True)
TEMPERATURES = st.floats(0, 1)


@pytest.mark.x64
def test_cdf(xp, rng):
    s = np.concatenate([[0.0, 1.0, 1e-300], rng.random(20)])
    np.testing.assert_allclose(etbs.cdf(xp(s)), [oracle.cdf(v) for v in s], rtol=1e-12)
    assert etbs.cdf(0.5) == 0.5 * (1 + np.log(2))


@pytest.mark.x64
def test_inverse_cdf_both_ways(xp):
    """F is flat at 1, so there the inverse is known to sqrt(1e-16) only; F of it stays exact."""
    v = np.linspace(0, 1, 101)
    np.testing.assert_allclose(etbs.cdf(etbs.inverse_cdf(xp(v))), v, atol=1e-12)
    s = np.linspace(0, 0.99, 100)
    np.testing.assert_allclose(etbs.inverse_cdf(etbs.cdf(xp(s))), s, atol=1e-12)


@pytest.mark.parametrize("size", [10, 1000, 100_000])
def test_table_and_closed_form_agree(size):
    closed = etbs.cdf(np.arange(size + 1) / size)
    np.testing.assert_allclose(etbs.cdf_table(size), closed, atol=1 / (2 * size))


def test_table_is_what_a_growing_buffer_sees():
    visits = oracle.visits_of_a_growing_buffer(200)
    np.testing.assert_allclose(np.diff(etbs.cdf_table(200)), visits / visits.sum(), rtol=1e-10)


@pytest.mark.x64
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_index(xp, rng, temperature):
    u = rng.random(200)
    want = [oracle.index(v, 1000, temperature) for v in u]
    got = etbs.index(xp(u), 1000, temperature)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == np.int32
    sizes = rng.integers(1, 50, size=200, dtype=np.int32)
    want = [oracle.index(v, n, temperature) for v, n in zip(u, sizes, strict=True)]
    np.testing.assert_array_equal(etbs.index(xp(u), xp(sizes), temperature), want)


@given(st.lists(UNIT, min_size=1, max_size=20), st.integers(1, 1_000_000), TEMPERATURES)
def test_index_is_in_range_and_monotone(values, size, temperature):
    for dtype in (np.float64, np.float32):
        u = np.minimum(np.sort(np.array(values, dtype)), np.nextafter(dtype(1), dtype(0)))
        drawn = etbs.index(u, size, temperature)
        assert (drawn >= 0).all() and (drawn < size).all()
        if dtype is np.float64:
            assert (np.diff(drawn) >= 0).all()


def test_ends_are_clamped_exactly_in_float32():
    u = jnp.asarray([0.0, np.nextafter(np.float32(1), np.float32(0))], jnp.float32)
    for size in (1, 3, 1000, 999_999, 1_000_000):
        for temperature in (0.0, 0.3, 1.0):
            drawn = jax.jit(etbs.index, static_argnums=(1, 2))(u, size, temperature)
            np.testing.assert_array_equal(drawn, [0, size - 1])


def test_an_empty_buffer_gives_zero(xp):
    np.testing.assert_array_equal(etbs.index(xp(np.array([0.0, 0.9])), 0, 0.3), [0, 0])


def test_float32_is_within_one_entry_of_float64(rng):
    """n F(u) near 1e6 is rounded to 1/16 in float32, and its factors by as much again."""
    u = rng.random(10_000).astype(np.float32)
    single, double = etbs.index(u, 1_000_000, 0.3), etbs.index(u.astype(np.float64), 1_000_000, 0.3)
    assert np.abs(single - double).max() <= 1


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [1, 2, 50])
def test_measured_shares_are_the_probabilities(size, temperature):
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    share = np.bincount(etbs.index(u, size, temperature), minlength=size) / len(u)
    probability = etbs.probability(size, temperature)
    np.testing.assert_allclose(probability.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(share, probability, atol=2e-6)  # a grid of 1e-6 and two ends


@pytest.mark.parametrize("temperature, ratio", [(0.0, 154), (0.3, 82), (1.0, 9)])
def test_visits_of_old_entries_over_new_ones(temperature, ratio):
    """The figures of the specification: a buffer growing to 1000 entries, oldest over newest twentieth."""
    visits = np.zeros(1000)
    for held in range(3, 1001, 5):  # the middle of every five sizes stands for them
        visits[:held] += etbs.probability(held, temperature)
    assert abs(visits[:50].sum() / visits[-50:].sum() - ratio) < 0.05 * ratio
