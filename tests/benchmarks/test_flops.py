"""Counted FLOPs against the definition by loops, and against XLA's count where there is no loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flops import count
from jax import lax

from hieros_eqx.backend import conv2d, conv2d_transpose


def counted(function, *shapes, platform="cuda"):
    args = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return count(jax.make_jaxpr(function)(*args), platform)


def by_xla(function, *shapes):
    args = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return jax.jit(function).lower(*args).cost_analysis()["flops"]


def test_products_with_batch_axes():
    def product(a, b):
        return jnp.einsum("nij,njk->nik", a, b)

    moved = 4 * (7 * 3 * 5 + 7 * 5 * 2 + 7 * 3 * 2)
    assert counted(product, (7, 3, 5), (7, 5, 2)) == (2 * 7 * 3 * 5 * 2, 0, moved)


def taps(size, kernel, stride, low, high, image_dilation=1, kernel_dilation=1):
    """Count, by walking over a marked array, the products of one axis with a number of the image."""
    marked = np.zeros(low + (size - 1) * image_dilation + 1 + high, bool)
    marked[low : low + (size - 1) * image_dilation + 1 : image_dilation] = True
    reach = (kernel - 1) * kernel_dilation
    return sum(
        marked[start : start + reach + 1 : kernel_dilation].sum()
        for start in range(0, len(marked) - reach, stride)
    )


@pytest.mark.parametrize(
    ("stride", "low", "high", "image_dilation", "kernel_dilation"),
    [(1, 0, 0, 1, 1), (2, 1, 1, 1, 1), (1, 2, 2, 2, 1), (1, 1, 1, 1, 2)],
)
def test_convolutions_leave_out_padding_and_dilation(stride, low, high, image_dilation, kernel_dilation):
    def convolution(image, kernel):
        return lax.conv_general_dilated(
            image,
            kernel,
            window_strides=(stride, stride),
            padding=[(low, high)] * 2,
            lhs_dilation=(image_dilation,) * 2,
            rhs_dilation=(kernel_dilation,) * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    shapes = (3, 8, 6, 5), (4, 3, 5, 7)
    geometry = (stride, low, high, image_dilation, kernel_dilation)
    wanted = 2 * 3 * 7 * 5 * taps(8, 4, *geometry) * taps(6, 3, *geometry)
    assert counted(convolution, *shapes)[:2] == (0, wanted)
    assert by_xla(convolution, *shapes) == wanted


def test_a_loop_counts_with_its_trips_and_xla_counts_it_once():
    def loop(x):
        return lax.scan(lambda carry, _: (carry @ carry, None), x, None, length=9)[0]

    assert counted(loop, (4, 4)) == (9 * 2 * 4**3, 0, 9 * 3 * 64)
    assert by_xla(loop, (4, 4)) < 2 * 2 * 4**3


def test_the_costlier_branch_counts_and_the_one_of_the_platform():
    def branch(x):
        return lax.cond(x[0, 0] > 0, lambda x: x @ x @ x, lambda x: x @ x, x)

    def form(x):
        return lax.platform_dependent(x, cpu=lambda x: x @ x @ x, default=lambda x: x @ x)

    product = 2 * 4**3
    assert counted(branch, (4, 4)).flops == 2 * product
    assert counted(form, (4, 4), platform="cpu").flops == 2 * product
    assert counted(form, (4, 4), platform="cuda").flops == product


def test_a_loop_without_known_trips_is_refused():
    def search(x):
        return lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ x, x)

    with pytest.raises(ValueError, match="trips are not known"):
        counted(search, (4, 4))


@pytest.mark.parametrize("function", [conv2d, conv2d_transpose])
def test_the_agents_convolutions_through_their_own_gradient_rules(function):
    """Forward, gradient in the image and gradient in the kernel are the same triples of numbers."""
    image, kernel = (2, 8, 8, 5), (4, 4, 5, 3)

    def forward(x, k):
        return function(x, k, stride=2)

    def gradient(x, k):
        return jax.grad(lambda x, k: jnp.square(forward(x, k)).sum(), argnums=(0, 1))(x, k)

    once = counted(forward, image, kernel).flops
    assert counted(gradient, image, kernel).flops == 3 * once
    assert by_xla(lambda x, k: forward(x, k), image, kernel) >= once
