"""Strided convolution and its adjoint, the two halves of an image autoencoder (channels last)."""

from typing import Any

import numpy as np
from jaxtyping import Float

from hieros_eqx.backend.dispatch import is_jax
from hieros_eqx.types import Array


def conv2d(
    x: Float[Array, "*batch height width channels"],
    kernel: Float[Array, "size size channels out"],
    *,
    stride: int,
) -> Float[Array, "*batch height_out width_out out"]:
    r"""Convolution that divides height and width by `stride`; kernels are two strides wide.

    $y[i, j] = \sum_{p, q} x[s i + p - s/2,\; s j + q - s/2]\; K[p, q]$, with zeros outside the image.
    Kernel 4, stride 2, padding 1 takes 64 to 32 to 16 to 8 to 4. With a bfloat16 kernel `x` is rounded to it,
    the result is rounded too, and has the dtype of `x`. Raises `ValueError` for other geometries.
    """
    _check(x, kernel, stride)
    if x.shape[-3] % stride or x.shape[-2] % stride:
        raise ValueError(f"conv2d needs image sides divisible by the stride {stride}; got shape {x.shape}.")
    if is_jax(x, kernel):
        from hieros_eqx.backend import convolution_jax

        return _in_the_kernels_dtype(convolution_jax.conv2d, x, kernel, stride)
    padding = [(0, 0)] * (x.ndim - 3) + [(stride // 2, stride // 2)] * 2 + [(0, 0)]
    patches = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), kernel.shape[:2], axis=(-3, -2))
    return np.einsum(
        "...hwcpq,pqco->...hwo", patches[..., ::stride, ::stride, :, :, :], kernel, optimize=True
    )


def conv2d_transpose(
    x: Float[Array, "*batch height width channels"],
    kernel: Float[Array, "size size channels out"],
    *,
    stride: int,
) -> Float[Array, "*batch height_out width_out out"]:
    r"""Transposed convolution: multiplies height and width by `stride`; kernels are two strides wide.

    Every input pixel adds its multiple of the kernel to the output: $x[i, j]\; K[p, q]$ goes to
    $y[s i + p - s/2,\; s j + q - s/2]$, and what falls outside is dropped. This is the adjoint of `conv2d`
    with the kernel's two channel axes exchanged (nothing is flipped). Raises `ValueError` as `conv2d` does.
    """
    _check(x, kernel, stride)
    if is_jax(x, kernel):
        from hieros_eqx.backend import convolution_jax

        return _in_the_kernels_dtype(convolution_jax.conv2d_transpose, x, kernel, stride)
    *batch, height, width, _ = x.shape
    size, out = kernel.shape[0], kernel.shape[-1]
    y = np.zeros((*batch, stride * (height + 1), stride * (width + 1), out), np.result_type(x, kernel))
    for p in range(size):
        for q in range(size):
            y[..., p : p + stride * height : stride, q : q + stride * width : stride, :] += x @ kernel[p, q]
    edge = stride // 2
    return y[..., edge:-edge, edge:-edge, :]


def _in_the_kernels_dtype(function: Any, x: Array, kernel: Array, stride: int) -> Array:
    """Round `x` to the dtype of a bfloat16 kernel, return its own; so reverse mode rounds cotangents too."""
    if kernel.dtype.name != "bfloat16":
        return function(x, kernel, stride)
    return function(x.astype(kernel.dtype), kernel, stride).astype(x.dtype)


def _check(x: Array, kernel: Array, stride: int) -> None:
    if stride % 2 or kernel.shape[:2] != (2 * stride, 2 * stride):
        raise ValueError(
            f"Convolutions here have an even stride s and a kernel [2s 2s in out]; got stride {stride} and "
            f"kernel shape {kernel.shape}. Use kernel 4 with stride 2."
        )
    if x.shape[-1] != kernel.shape[2]:
        raise ValueError(
            f"Kernel {kernel.shape} expects {kernel.shape[2]} channels; got an input of shape {x.shape}."
        )
