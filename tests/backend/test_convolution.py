import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import backend
from hieros_eqx.backend import convolution_jax
from tests.oracles import images as oracle

DIRECTIONS = {
    "down": (backend.conv2d, oracle.conv2d),
    "up": (backend.conv2d_transpose, oracle.conv2d_transpose),
}
directions = pytest.mark.parametrize("direction", DIRECTIONS)


def example(rng, stride=2, channels=5):
    x = rng.normal(size=(2, 3, 4 * stride, 6 * stride, channels))
    return x, rng.normal(size=(2 * stride, 2 * stride, channels, 7))


@pytest.mark.x64
@directions
@pytest.mark.parametrize("stride", [2, 4])
def test_values(xp, rng, direction, stride):
    function, definition = DIRECTIONS[direction]
    x, kernel = example(rng, stride)
    got = function(xp(x), xp(kernel), stride=stride)
    for position in np.ndindex(2, 3):
        np.testing.assert_allclose(
            got[position], definition(x[position], kernel, stride), rtol=1e-10, atol=1e-11
        )


@pytest.mark.x64
@pytest.mark.parametrize("stride", [2, 4])
def test_the_forms_of_all_platforms_agree(rng, stride):
    x, kernel = map(jnp.asarray, example(rng, stride))
    x = x[0]
    c = convolution_jax
    pairs = [
        (c.conv_cells(x, kernel, stride), c.conv_library(x, kernel, stride)),
        (c.transpose_cells(x, kernel, stride), c.transpose_library(x, kernel, stride)),
    ]
    for cells, library in pairs:
        np.testing.assert_allclose(cells, library, rtol=1e-10, atol=1e-10)


@pytest.mark.x64
@directions
@pytest.mark.parametrize("channels", [5, 9])  # few and many, where the form on CPU differs
def test_gradient_rules_by_differences(rng, direction, channels):
    """Both functions are linear in either argument, so a difference is the slope, whatever its step."""
    function, _ = DIRECTIONS[direction]
    x, kernel = map(jnp.asarray, example(rng, channels=channels))
    weight = jnp.asarray(rng.normal(size=function(x, kernel, stride=2).shape))

    @jax.jit
    def loss(x, kernel):
        return jnp.sum(function(x, kernel, stride=2) * weight)

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)
    for i, gradient in enumerate(gradients):
        direction_ = jnp.asarray(rng.normal(size=gradient.shape))
        moved = [x, kernel]
        moved[i] = moved[i] + direction_
        np.testing.assert_allclose(jnp.sum(gradient * direction_), loss(*moved) - loss(x, kernel), rtol=1e-9)


@pytest.mark.x64
def test_the_two_directions_are_adjoint(xp, rng):
    x, kernel = example(rng)
    y = rng.normal(size=(2, 3, 4, 6, 7))
    down = np.sum(np.asarray(backend.conv2d(xp(x), xp(kernel), stride=2)) * y)
    up = np.sum(np.asarray(backend.conv2d_transpose(xp(y), xp(np.swapaxes(kernel, 2, 3)), stride=2)) * x)
    np.testing.assert_allclose(down, up, rtol=1e-10)


@directions
@pytest.mark.parametrize("channels", [5, 9])
def test_float32_and_seeds_under_vmap(rng, direction, channels):
    """Sums of 16 products per channel in float32."""
    function, definition = DIRECTIONS[direction]
    x, kernel = example(rng, channels=channels)
    kernels = np.stack([kernel, 2 * kernel[::-1]])
    got = jax.jit(jax.vmap(lambda x, k: function(x, k, stride=2)))(jnp.float32(x), jnp.float32(kernels))
    assert got.dtype == jnp.float32
    for seed in range(2):
        want = definition(x[seed, 1], kernels[seed], 2)
        np.testing.assert_allclose(got[seed, 1], want, rtol=1e-4, atol=1e-4)
    shared = jax.vmap(lambda x: function(x, jnp.float32(kernel), stride=2))(jnp.float32(x))
    np.testing.assert_allclose(shared[1, 1], definition(x[1, 1], kernel, 2), rtol=1e-4, atol=1e-4)


@pytest.mark.x64
@directions
def test_gradients_of_seeds_under_vmap(rng, direction):
    function, _ = DIRECTIONS[direction]
    x, kernel = example(rng, channels=9)
    x, kernels = jnp.asarray(x), jnp.asarray(np.stack([kernel, 2 * kernel[::-1]]))
    gradient = jax.grad(lambda x, k: jnp.sum(jnp.sin(function(x, k, stride=2))), argnums=(0, 1))
    many = jax.jit(jax.vmap(gradient))(x, kernels)
    for seed in range(2):
        for got, want in zip(many, gradient(x[seed], kernels[seed]), strict=True):
            np.testing.assert_allclose(got[seed], want, rtol=1e-10, atol=1e-12)


@directions
def test_numpy_keeps_float32(rng, direction):
    x, kernel = (a.astype(np.float32) for a in example(rng))
    assert DIRECTIONS[direction][0](x, kernel, stride=2).dtype == np.float32


@directions
def test_wrong_geometry_is_refused(xp, rng, direction):
    function, _ = DIRECTIONS[direction]
    x = xp(rng.normal(size=(1, 8, 8, 3)))
    with pytest.raises(ValueError, match="kernel 4 with stride 2"):
        function(x, xp(np.zeros((3, 3, 3, 5))), stride=2)
    with pytest.raises(ValueError, match=r"expects 4 channels; got an input of shape \(1, 8, 8, 3\)"):
        getattr(function, "__wrapped__", function)(x, xp(np.zeros((4, 4, 4, 5))), stride=2)


def test_odd_images_are_refused(xp):
    with pytest.raises(ValueError, match="divisible by the stride 2"):
        backend.conv2d(xp(np.zeros((1, 7, 8, 3))), xp(np.zeros((4, 4, 3, 5))), stride=2)
