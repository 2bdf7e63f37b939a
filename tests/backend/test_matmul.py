"""Products with a bfloat16 weight: rounded operands, float32 sums, in both directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import backend
from tests.backend.products import Product, products

BFLOAT16 = Product("bfloat16", "bfloat16", "float32")
SHAPES = [(), (7,), (3, 5)]  # batch axes


def example(rng, batch, features=6, outputs=4):
    x, y_bar = rng.normal(size=(*batch, features)), rng.normal(size=(*batch, outputs))
    return x, rng.normal(size=(features, outputs)), y_bar


def rounded(x):
    """Return the nearest bfloat16 numbers, in double precision."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    up = (bits >> 16 & 1) + np.uint32(0x7FFF)  # to the nearest, ties to even
    return (bits + up & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def pull_back(x, weight, y_bar):
    return jax.vjp(backend.matmul, jnp.float32(x), jnp.bfloat16(weight))[1](jnp.float32(y_bar))


def test_any_other_weight_is_a_plain_product(xp, rng):
    for dtype in (np.float32, np.float64):
        x, weight, _ = (a.astype(dtype) for a in example(rng, (3, 5)))
        got = backend.matmul(xp(x), xp(weight))
        assert got.dtype == xp(x).dtype
        np.testing.assert_allclose(got, x @ weight, rtol=1e-5, atol=1e-6)  # float32, 6 terms


@pytest.mark.parametrize("batch", SHAPES)
def test_values_are_products_of_rounded_operands(rng, batch):
    """To float32; without rounding, or with a rounded result, they are a thousand times further off."""
    x, weight, _ = example(rng, batch)
    got = backend.matmul(jnp.float32(x), jnp.bfloat16(weight))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, rounded(x) @ rounded(weight), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("batch", SHAPES)
def test_gradients_are_products_of_rounded_operands(rng, batch):
    x, weight, y_bar = example(rng, batch)
    x_bar, weight_bar = pull_back(x, weight, y_bar)
    assert (x_bar.dtype, weight_bar.dtype) == (jnp.float32, jnp.bfloat16)
    np.testing.assert_allclose(x_bar, rounded(y_bar) @ rounded(weight).T, rtol=2e-5, atol=2e-6)
    flat_x, flat_y = rounded(x).reshape(-1, 6), rounded(y_bar).reshape(-1, 4)
    # the gradient of a bfloat16 weight is one: half a unit in the last of 8 bits
    np.testing.assert_allclose(np.float64(weight_bar), flat_x.T @ flat_y, rtol=2**-8, atol=1e-6)


def test_sums_are_accumulated_in_float32():
    """A sum of ones in bfloat16 stops at 256."""
    ones = np.ones((1, 4096))
    assert backend.matmul(jnp.float32(ones), jnp.bfloat16(ones.T)) == 4096
    x_bar, _ = pull_back(np.ones((1, 1)), ones, ones)
    _, weight_bar = pull_back(ones.T, np.ones((1, 1)), ones.T)
    assert x_bar == 4096 and weight_bar == 4096


def test_every_product_has_bfloat16_operands_also_backward(rng):
    x, weight, _ = example(rng, (3, 5))

    def loss(product, x, weight):
        return jnp.sum(jnp.sin(product(x, weight.astype(jnp.bfloat16))))

    def naive(x, weight):
        axes = (((2,), (0,)), ((), ()))
        return jax.lax.dot_general(x.astype(jnp.bfloat16), weight, axes, preferred_element_type=jnp.float32)

    gradient = jax.value_and_grad(loss, argnums=(1, 2))
    for product, bfloat16 in ((backend.matmul, True), (naive, False)):
        found = products(lambda *a, p=product: gradient(p, *a), jnp.float32(x), jnp.float32(weight))
        assert len(found) == 3
        assert (set(found) == {BFLOAT16}) is bfloat16
    assert set(products(backend.matmul, jnp.float32(x), jnp.float32(weight))) == {
        Product("float32", "float32", "float32")
    }


def test_levels_under_vmap(rng):
    x, weight, y_bar = (np.stack([a, 3 * a]) for a in example(rng, (3, 5)))
    many = jax.vmap(pull_back)(*map(jnp.float32, (x, weight, y_bar)))
    for level in range(2):
        for got, want in zip(many, pull_back(x[level], weight[level], y_bar[level]), strict=True):
            np.testing.assert_allclose(np.float32(got[level]), np.float32(want), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 9])  # few and many, where the form on CPU differs
@pytest.mark.parametrize("function", [backend.conv2d, backend.conv2d_transpose])
def test_a_bfloat16_kernel_rounds_operands_and_results(rng, function, channels):
    """Against the float32 convolution of rounded operands: results and gradients are bfloat16, 8 bits."""
    x, kernel = rng.normal(size=(2, 8, 8, channels)), rng.normal(size=(4, 4, channels, 5))

    def convolve(x, kernel):
        return function(x, kernel, stride=2)

    def both(dtype):
        y, back = jax.vjp(convolve, jnp.float32(rounded(x)), jnp.asarray(rounded(kernel), dtype))
        return y, *back(jnp.float32(rounded(np.sin(np.arange(y.size).reshape(y.shape)))))

    got, want = both(jnp.bfloat16), both(jnp.float32)
    assert [a.dtype.name for a in got] == ["float32", "float32", "bfloat16"]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(np.float32(a), b, rtol=2**-8, atol=1e-2)
    gradient = jax.grad(lambda *args: jnp.sum(jnp.sin(convolve(*args))), argnums=(0, 1))
    found = products(gradient, jnp.float32(x), jnp.bfloat16(kernel))
    assert found and {(p.left, p.right) for p in found} == {("bfloat16", "bfloat16")}
