"""The convolutions of `convolution.py` in JAX: matmuls over cells on CPU, the library's own elsewhere.

XLA's convolutions are slow on CPU, their gradients above all. With kernels of two strides, an image padded
by half a stride falls into cells of stride x stride pixels, and a kernel covers 2 x 2 cells: both directions
are one gather of four neighbours, one matmul, and a reshape between pixels and cells. Each of the two is the
other's derivative with respect to the input, and they share the derivative with respect to the kernel, so
nothing below is left to be transposed by XLA.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d(x: Any, kernel: Any, stride: int) -> Any:
    """See `convolution.conv2d`."""
    return _batched(_by_platform(_conv_cells, _conv_library, stride), x, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d_transpose(x: Any, kernel: Any, stride: int) -> Any:
    """See `convolution.conv2d_transpose`."""
    return _batched(_by_platform(_transpose_cells, _transpose_library, stride), x, kernel)


def _kernel_gradient(image: Any, small: Any, stride: int) -> Any:
    """Sum over pixels of image[s i + p - s/2, c] small[i, o]: d/dK of <small, conv2d(image, K)>."""
    image, small = (a.reshape(-1, *a.shape[-3:]) for a in (image, small))
    return _by_platform(_kernel_gradient_cells, _kernel_gradient_library, stride)(image, small)


def _conv_forward(x: Any, kernel: Any, stride: int) -> Any:
    return conv2d(x, kernel, stride), (x, kernel)


def _conv_backward(stride: int, residuals: Any, y_bar: Any) -> Any:
    x, kernel = residuals
    return conv2d_transpose(y_bar, _swap(kernel), stride), _kernel_gradient(x, y_bar, stride)


def _transpose_forward(x: Any, kernel: Any, stride: int) -> Any:
    return conv2d_transpose(x, kernel, stride), (x, kernel)


def _transpose_backward(stride: int, residuals: Any, y_bar: Any) -> Any:
    x, kernel = residuals
    return conv2d(y_bar, _swap(kernel), stride), _swap(_kernel_gradient(y_bar, x, stride))


conv2d.defvjp(_conv_forward, _conv_backward)
conv2d_transpose.defvjp(_transpose_forward, _transpose_backward)


# ---------------------------------------------------------------------------------------- on CPU: cells


def _conv_cells(x: Any, kernel: Any, stride: int) -> Any:
    rows = _kernel_by_cells(kernel, stride).reshape(-1, kernel.shape[-1])
    return _neighbours(_to_cells(x, stride)) @ rows


def _transpose_cells(x: Any, kernel: Any, stride: int) -> Any:
    size_in, size_out = kernel.shape[2:]
    # A cell takes the second half of its upper left neighbour's kernel and the first half of its own.
    blocks = jnp.flip(_kernel_by_cells(kernel, stride), (0, 1))  # [2 2 s s in out]
    rows = jnp.moveaxis(blocks, 4, 2).reshape(4 * size_in, stride * stride * size_out)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return _from_cells(_neighbours(padded) @ rows, stride)


def _kernel_gradient_cells(image: Any, small: Any, stride: int) -> Any:
    patches = _neighbours(_to_cells(image, stride))
    gradient = jnp.einsum("nhwr,nhwo->ro", patches, small)
    blocks = gradient.reshape(2, 2, stride, stride, image.shape[-1], small.shape[-1])
    return blocks.transpose(0, 2, 1, 3, 4, 5).reshape(2 * stride, 2 * stride, *blocks.shape[4:])


def _kernel_by_cells(kernel: Any, stride: int) -> Any:
    """[2s 2s in out] -> [2 2 s s in out]: which cell, which pixel of it."""
    return kernel.reshape(2, stride, 2, stride, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)


def _neighbours(cells: Any) -> Any:
    """Every cell beside its right, lower and lower right neighbour, along the channels."""
    return jnp.concatenate(
        [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=-1
    )


def _to_cells(image: Any, stride: int) -> Any:
    """Pad by half a stride, then pixels to channels: [n h w c] -> [n h/s+1 w/s+1 s*s*c]."""
    edge = stride // 2
    padded = jnp.pad(image, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    count, height, width, channels = padded.shape
    cells = padded.reshape(count, height // stride, stride, width // stride, stride, channels)
    return cells.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // stride, width // stride, -1)


def _from_cells(cells: Any, stride: int) -> Any:
    """Undo `_to_cells`: channels to pixels, then drop the edge."""
    count, height, width, _ = cells.shape
    pixels = cells.reshape(count, height, width, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
    edge = stride // 2
    return pixels.reshape(count, height * stride, width * stride, -1)[:, edge:-edge, edge:-edge]


# ---------------------------------------------------------------------------- elsewhere: XLA's own kernels


def _conv_library(x: Any, kernel: Any, stride: int) -> Any:
    padding = [(stride // 2, stride // 2)] * 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _transpose_library(x: Any, kernel: Any, stride: int) -> Any:
    padding = [(2 * stride - 1 - stride // 2,) * 2] * 2
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, (0, 1)),
        (1, 1),
        padding,
        lhs_dilation=(stride, stride),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _kernel_gradient_library(image: Any, small: Any, stride: int) -> Any:
    shape = jax.ShapeDtypeStruct((2 * stride, 2 * stride, image.shape[-1], small.shape[-1]), small.dtype)
    return jax.linear_transpose(lambda kernel: _conv_library(image, kernel, stride), shape)(small)[0]


# --------------------------------------------------------------------------------------------- both


def _by_platform(cells: Any, library: Any, stride: int) -> Any:
    """One trace for every platform; the form is chosen when the program is lowered."""
    return lambda *args: lax.platform_dependent(
        *args, cpu=partial(cells, stride=stride), default=partial(library, stride=stride)
    )


def _batched(function: Any, x: Any, kernel: Any) -> Any:
    """Apply a function of one batch axis to any number of them."""
    y = function(x.reshape(-1, *x.shape[-3:]), kernel)
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def _swap(kernel: Any) -> Any:
    """Exchange input and output channels."""
    return jnp.swapaxes(kernel, 2, 3)
