"""The convolutions of `convolution.py` in JAX, with gradient rules and forms chosen per platform.

Each direction is the other's derivative with respect to its input, and both share the derivative with respect
to the kernel. So three linear maps are all there is, none is left to be transposed by XLA (whose transposed
convolutions are slow on CPU), and each has a library form, for GPU and TPU, and a form for CPU.

The forms for CPU cut images into cells: with kernels of two strides, an image padded by half a stride falls
into cells of stride x stride pixels, and a kernel covers 2 x 2 cells. A convolution of pictures (3 channels
to 12) then takes 8 CPU ms for 256 images instead of 20, a transposed one of 24 to 12 channels 5.5 instead of
24; between layers of many channels XLA's strided convolution and its kernel gradient are best as they are
(decision 008). Beware of `lax.scan` around a gradient on CPU: XLA's kernel gradient is then a hundred times
slower.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

FEW_CHANNELS = 8  # up to so many, as in a picture, XLA's strided convolutions lose to cells on CPU


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d(x: Any, kernel: Any, stride: int) -> Any:
    """See `convolution.conv2d`."""
    cpu = conv_cells if x.shape[-1] <= FEW_CHANNELS else conv_library
    return _batched(_by_platform(cpu, conv_library, stride), x, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d_transpose(x: Any, kernel: Any, stride: int) -> Any:
    """See `convolution.conv2d_transpose`."""
    return _batched(_by_platform(transpose_cells, transpose_library, stride), x, kernel)


def kernel_gradient(image: Any, small: Any, stride: int) -> Any:
    """The gradient of <small, conv2d(image, K)> in K: sum of image[s i + p - s/2] small[i] over pixels i."""
    image, small = (a.reshape(-1, *a.shape[-3:]) for a in (image, small))
    return _unrolled_over_kernels(partial(kernel_gradient_library, stride=stride))(image, small)


def _conv_forward(x: Any, kernel: Any, stride: int) -> Any:
    return conv2d(x, kernel, stride), (x, kernel)


def _conv_backward(stride: int, residuals: Any, y_bar: Any) -> Any:
    x, kernel = residuals
    return conv2d_transpose(y_bar, _swap(kernel), stride), kernel_gradient(x, y_bar, stride)


def _transpose_forward(x: Any, kernel: Any, stride: int) -> Any:
    return conv2d_transpose(x, kernel, stride), (x, kernel)


def _transpose_backward(stride: int, residuals: Any, y_bar: Any) -> Any:
    x, kernel = residuals
    return conv2d(y_bar, _swap(kernel), stride), _swap(kernel_gradient(y_bar, x, stride))


conv2d.defvjp(_conv_forward, _conv_backward)
conv2d_transpose.defvjp(_transpose_forward, _transpose_backward)


# ---------------------------------------------------------------------------------------- library forms


def conv_library(x: Any, kernel: Any, stride: int) -> Any:
    """One strided convolution."""
    return _convolve(x, kernel, window_strides=(stride, stride), padding=[(stride // 2, stride // 2)] * 2)


def transpose_library(x: Any, kernel: Any, stride: int) -> Any:
    """One convolution of the input spread out by zeros."""
    edge = 2 * stride - 1 - stride // 2
    padding = [(edge, edge), (edge, edge)]
    flipped = jnp.flip(kernel, (0, 1))
    return _convolve(x, flipped, window_strides=(1, 1), padding=padding, lhs_dilation=(stride, stride))


def kernel_gradient_library(image: Any, small: Any, stride: int) -> Any:
    """XLA's transposition of `conv_library` with respect to the kernel."""
    shape = jax.ShapeDtypeStruct((2 * stride, 2 * stride, image.shape[-1], small.shape[-1]), small.dtype)
    return jax.linear_transpose(lambda kernel: conv_library(image, kernel, stride), shape)(small)[0]


# ------------------------------------------------------------------------------------- forms over cells


def conv_cells(x: Any, kernel: Any, stride: int) -> Any:
    """A dense 2 x 2 convolution over cells: what one output pixel sees is four cells."""
    halves = _kernel_by_cells(kernel, stride)
    return _convolve(
        _to_cells(x, stride),
        halves.reshape(2, 2, -1, kernel.shape[-1]),
        window_strides=(1, 1),
        padding=[(0, 0), (0, 0)],
    )


def transpose_cells(x: Any, kernel: Any, stride: int) -> Any:
    """A dense 2 x 2 convolution to cells: four neighbours, and for each the part of the kernel that hits."""
    halves = jnp.moveaxis(jnp.flip(_kernel_by_cells(kernel, stride), (0, 1)), 4, 2)  # [2 2 in s s out]
    cells = _convolve(
        x, halves.reshape(2, 2, x.shape[-1], -1), window_strides=(1, 1), padding=[(1, 1), (1, 1)]
    )
    return _from_cells(cells, stride)


def _kernel_by_cells(kernel: Any, stride: int) -> Any:
    """[2s 2s in out] -> [2 2 s s in out]: which cell, which pixel of it."""
    return kernel.reshape(2, stride, 2, stride, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)


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


# --------------------------------------------------------------------------------------------- all forms

_convolve = partial(lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _by_platform(cpu: Any, library: Any, stride: int) -> Any:
    """One trace for every platform; the form is chosen when the program is lowered."""
    cpu, library = (_unrolled_over_kernels(partial(form, stride=stride)) for form in (cpu, library))
    return lambda *args: lax.platform_dependent(*args, cpu=cpu, default=library)


def _unrolled_over_kernels(function: Any) -> Any:
    """Where `vmap` gives every example its own kernel (seeds side by side), apply `function` one by one.

    JAX's own rule makes a grouped convolution of it: five times slower on CPU, and on a GPU it made five
    seeds eight times as long as one (decision 016).
    """
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def rule(size: int, in_batched: list[bool], *args: Any) -> tuple[Any, bool]:
        if not all(in_batched):
            axes = [0 if batched else None for batched in in_batched]
            return jax.vmap(function, in_axes=axes)(*args), True
        return jnp.stack([mapped(*(argument[i] for argument in args)) for i in range(size)]), True

    return mapped


def _batched(function: Any, x: Any, kernel: Any) -> Any:
    """Apply a function of one batch axis to any number of them."""
    y = function(x.reshape(-1, *x.shape[-3:]), kernel)
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def _swap(kernel: Any) -> Any:
    """Exchange input and output channels."""
    return jnp.swapaxes(kernel, 2, 3)
