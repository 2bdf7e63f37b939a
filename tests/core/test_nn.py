import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from hieros_eqx.core import nn
from tests.oracles import distributions as oracle


def test_trailing_adds_leading_axes_only(xp, rng):
    p, x = xp(rng.normal(size=4)), xp(rng.normal(size=(7, 3, 4)))
    assert nn.trailing(p, x).shape == (1, 1, 4)
    assert nn.trailing(x, x).shape == x.shape


@pytest.mark.x64
def test_linear(xp, rng):
    x, weight, bias = rng.normal(size=(7, 3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5)
    want = np.array([[[sum(v * w) for w in weight.T] for v in row] for row in x])
    np.testing.assert_allclose(nn.linear(xp(x), xp(weight)), want, rtol=1e-12)
    np.testing.assert_allclose(nn.linear(xp(x), xp(weight), xp(bias)), want + bias, rtol=1e-12)


@pytest.mark.x64
def test_layer_norm(xp, rng):
    x, scale, offset = rng.normal(size=(7, 3, 4)), rng.normal(size=4), rng.normal(size=4)
    want = oracle.each(lambda v: oracle.layer_norm(v, scale, offset, 1e-3), x)
    np.testing.assert_allclose(nn.layer_norm(xp(x), xp(scale), xp(offset)), want, rtol=1e-12)


@pytest.mark.x64
def test_activations_by_their_definitions(xp, rng):
    x = 3 * rng.normal(size=(7, 3, 4))
    sigmoid = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(nn.sigmoid(xp(x)), sigmoid, rtol=1e-12)
    np.testing.assert_allclose(nn.silu(xp(x)), x * sigmoid, rtol=1e-12)
    np.testing.assert_allclose(
        nn.gelu(xp(x)), x * norm.cdf(x), atol=1e-14
    )  # the left tail cancels in 1 + erf
    np.testing.assert_allclose(nn.softplus(xp(x)), np.log(1 + np.exp(x)), rtol=1e-12)


def test_nothing_overflows(xp):
    x = xp(np.array([-1e4, -90.0, 0.0, 90.0, 1e4]))
    for function in (nn.sigmoid, nn.silu, nn.softplus, nn.softmax, nn.log_softmax, nn.logsumexp):
        assert np.isfinite(function(x)).all()


def test_gradients_stay_finite_far_out():
    x = jnp.array([-1e4, -90.0, 0.0, 90.0, 1e4], jnp.float32)
    for function in (nn.sigmoid, nn.silu, nn.softplus, nn.log_softmax):
        gradient = jax.grad(lambda x, f=function: jnp.sum(f(x) * jnp.arange(5, dtype=jnp.float32)))(x)
        assert np.isfinite(gradient).all()


@pytest.mark.x64
def test_softmax_family(xp, rng):
    x = 9 * rng.normal(size=(7, 3, 4))
    want = oracle.each(oracle.softmax, x)
    np.testing.assert_allclose(nn.softmax(xp(x)), want, rtol=1e-12)
    np.testing.assert_allclose(nn.log_softmax(xp(x)), np.log(want), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(nn.logsumexp(xp(x)), np.log(np.exp(x).sum(-1)), rtol=1e-12)
    np.testing.assert_allclose(nn.logsumexp(xp(x), axis=0), np.log(np.exp(x).sum(0)), rtol=1e-12)


def test_one_hot(xp):
    got = nn.one_hot(xp(np.array([[2, 0], [-1, 5]], np.int32)), 3, np.float32)
    np.testing.assert_array_equal(got, [[[0, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    assert got.dtype == np.float32
