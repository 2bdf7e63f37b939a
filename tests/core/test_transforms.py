import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hieros_eqx.core import transforms
from tests.oracles import distributions as oracle

REALS = st.floats(-1e8, 1e8)
BINS = {
    "even": np.linspace(-3, 3, 7),
    "uneven": np.array([-5.0, -1.0, -0.1, 0.0, 0.5, 2.0]),
    "symexp": transforms.symexp_bins(255),
}


@pytest.mark.x64
def test_symlog_and_symexp(xp, rng):
    x = np.concatenate([100 * rng.normal(size=20), [0.0, 1e-9, -1e-9]])
    np.testing.assert_allclose(transforms.symlog(xp(x)), [oracle.symlog(v) for v in x], rtol=1e-12)
    np.testing.assert_allclose(transforms.symexp(xp(x / 20)), [oracle.symexp(v) for v in x / 20], rtol=1e-12)


@given(REALS)
def test_symexp_undoes_symlog(x):
    back = transforms.symexp(transforms.symlog(np.array([x])))
    np.testing.assert_allclose(back, [x], rtol=1e-12, atol=1e-300)


def test_slope_at_zero_is_one():
    for function in (transforms.symlog, transforms.symexp):
        np.testing.assert_allclose(jax.vmap(jax.grad(function))(jnp.array([0.0, -0.0])), [1.0, 1.0])


@pytest.mark.x64
@pytest.mark.parametrize("kind", BINS)
def test_two_hot(xp, rng, kind):
    bins = BINS[kind]
    x = np.concatenate([3 * rng.normal(size=20), bins[:7], [-1e10, 1e10]]).reshape(-1, 1)
    want = np.array([[oracle.two_hot(v, bins) for v in row] for row in x])
    got = transforms.two_hot(xp(x), xp(bins))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)  # interval / width, with bins up to 5e8
    assert ((np.asarray(got) != 0).sum(-1) <= 2).all()


@given(st.lists(st.floats(-4e8, 4e8), min_size=1, max_size=5), st.sampled_from(list(BINS)))
def test_two_hot_weights_have_mean_x_and_sum_one(values, kind):
    x, bins = np.array(values), BINS[kind]
    weights = transforms.two_hot(x, bins)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-12)
    inside = np.clip(x, bins[0], bins[-1])
    np.testing.assert_allclose(transforms.from_two_hot(weights, bins), inside, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [9, 10, 255, 256])
def test_bins_are_exactly_symmetric(count):
    for make in (transforms.symlog_bins, transforms.symexp_bins):
        bins = make(count, 20.0)
        assert bins.shape == (count,) and bins.dtype == np.float64
        assert (np.diff(bins) > 0).all()
        np.testing.assert_array_equal(bins, -bins[::-1])
        if count % 2:
            assert bins[count // 2] == 0.0
    np.testing.assert_allclose(transforms.symlog_bins(count), np.linspace(-20, 20, count), atol=1e-14)


@pytest.mark.parametrize("count", [254, 255])
def test_mean_of_wide_bins_in_float32(xp, count):
    """Uniform weights on bins up to 5e8 have mean zero; a small asymmetry must not drown."""
    bins = transforms.symexp_bins(count)
    probs = np.full((2, count), 1 / count, np.float32)
    np.testing.assert_array_equal(transforms.from_two_hot(xp(probs), bins), [0, 0])
    compiled = jax.jit(lambda p: transforms.from_two_hot(p, bins))  # where products and sums are fused
    np.testing.assert_array_equal(compiled(jnp.asarray(probs)), [0, 0])
    probs[0, 150] += 0.01
    want = np.float32(probs[0, 150] - probs[0, 149]) * bins[150]
    got = transforms.from_two_hot(xp(probs), bins)
    np.testing.assert_allclose(got, [want, 0], rtol=1e-5)


@pytest.mark.x64
@pytest.mark.parametrize("count", [9, 10])
def test_mean_of_logits_against_its_definition(xp, rng, count):
    """Bins up to 200 that are not symmetric, logits far apart."""
    bins = np.sort(100 * rng.normal(size=count))
    logits = 9 * rng.normal(size=(3, 2, count))
    logits[0] = logits[0, :, ::-1]
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    want = [[sum(p * b for p, b in zip(row, bins, strict=True)) for row in rows] for rows in weights]
    np.testing.assert_allclose(transforms.mean_of_logits(xp(logits), bins), want, rtol=1e-10)


@pytest.mark.parametrize("count", [41, 254, 255])
def test_equal_opposite_logits_have_mean_zero_in_float32(xp, rng, count):
    """Where XLA optimises, exponentials of equal numbers differ by an ulp; times 5e8 the mean was 0.9."""
    bins, half = transforms.symexp_bins(count), count // 2
    logits = rng.normal(size=(50, count)).astype(np.float32)
    logits[:, -half:] = logits[:, half - 1 :: -1]
    np.testing.assert_array_equal(transforms.mean_of_logits(xp(logits), bins), 0)
    optimised = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
    compiled = jax.jit(lambda x: transforms.mean_of_logits(x, bins), compiler_options=optimised)
    np.testing.assert_array_equal(compiled(jnp.asarray(logits)), 0)


@pytest.mark.x64
def test_gradient_of_the_mean_of_logits_by_differences(rng):
    """Also where opposite logits are equal, on the seam of the two formulas."""
    bins = transforms.symexp_bins(9, 2.0)
    for logits in (rng.normal(size=9), np.zeros(9)):
        gradient = jax.grad(lambda x: transforms.mean_of_logits(x, bins))(jnp.asarray(logits))
        for i, step in enumerate(1e-6 * np.eye(9)):
            up, down = (transforms.mean_of_logits(logits + sign * step, bins) for sign in (1, -1))
            np.testing.assert_allclose(gradient[i], (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


def test_two_hot_takes_bins_in_the_dtype_of_x(xp):
    assert transforms.two_hot(xp(np.zeros(3, np.float32)), BINS["even"]).dtype == np.float32


def test_float32_two_hot_round_trip_under_jit(rng):
    """Relative 1e-5: one division and one sum in float32, at any magnitude up to the last bin."""
    bins = transforms.symexp_bins(255)
    x = (rng.choice([-1, 1], 100) * np.exp(rng.uniform(-5, 19, 100))).astype(np.float32)
    back = jax.jit(lambda x: transforms.from_two_hot(transforms.two_hot(x, bins), bins))(jnp.asarray(x))
    np.testing.assert_allclose(back, x, rtol=1e-5)
