"""Convolutional halves of the image encoder and decoder: kernel 4, stride 2, four layers."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from hieros_eqx.backend import conv2d, conv2d_transpose, random
from hieros_eqx.backend.random import Key
from hieros_eqx.core import nn
from hieros_eqx.errors import ConfigError
from hieros_eqx.modules.dense import Linear, Norm, average_fan_normal
from hieros_eqx.types import Array

KERNEL, STRIDE, LAYERS = 4, 2, 4


def grid_shape(shape: tuple[int, ...], depth: int) -> tuple[int, int, int]:
    """Return height, width and channels of the smallest grid; 64 x 64 pixels give 4 x 4.

    Raises `ConfigError` where halving four times leaves no whole number.
    """
    if len(shape) != 3 or any(size % STRIDE**LAYERS for size in shape[:2]):
        raise ConfigError(
            f"observation shape {shape}: wanted height x width x channels with height and width divisible by "
            f"{STRIDE**LAYERS}; resize the images, to 64 x 64 for example."
        )
    return shape[0] // STRIDE**LAYERS, shape[1] // STRIDE**LAYERS, depth * 2 ** (LAYERS - 1)


def init_kernel(inputs: int, outputs: int, key: Key) -> Float[Array, "height width inputs outputs"]:
    """Return a kernel whose fans count all its pixels."""
    area = KERNEL * KERNEL
    return average_fan_normal(key, (KERNEL, KERNEL, inputs, outputs), area * inputs, area * outputs)


class ConvEncoder(eqx.Module):
    """Image to features: channels double as sides halve; normalised over channels, SiLU."""

    kernels: tuple[Float[Array, "height width _ _"], ...]
    norms: tuple[Norm, ...]

    def __init__(self, channels: int, depth: int, *, key: Key):
        sizes = [channels] + [depth * 2**i for i in range(LAYERS)]
        keys = random.split(key, LAYERS)
        self.kernels = tuple(init_kernel(sizes[i], sizes[i + 1], keys[i]) for i in range(LAYERS))
        self.norms = tuple(Norm(size) for size in sizes[1:])

    def __call__(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch feature"]:
        """Return the flattened grid."""
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            x = nn.silu(norm(conv2d(x, kernel, stride=STRIDE)))
        return x.reshape(*x.shape[:-3], math.prod(x.shape[-3:]))


class ConvDecoder(eqx.Module):
    """Features to image: linear to the grid, then channels halve as sides double; the end is linear."""

    grid: Linear
    kernels: tuple[Float[Array, "height width _ _"], ...]
    norms: tuple[Norm, ...]
    bias: Float[Array, " channels"]
    shape: tuple[int, int, int] = eqx.field(static=True)  # of the grid

    def __init__(self, inputs: int, shape: tuple[int, ...], depth: int, scale: float = 1.0, *, key: Key):
        self.shape = grid_shape(shape, depth)
        sizes = [depth * 2**i for i in reversed(range(LAYERS))] + [shape[-1]]
        grid_key, *keys = random.split(key, 1 + LAYERS)
        self.grid = Linear(inputs, math.prod(self.shape), bias=False, key=grid_key)
        *kernels, last = (init_kernel(sizes[i], sizes[i + 1], keys[i]) for i in range(LAYERS))
        self.kernels = (*kernels, scale * last)
        self.norms = tuple(Norm(size) for size in sizes[:-1])
        self.bias = jnp.zeros(shape[-1], jnp.float32)

    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch height width channels"]:
        """Return an image, unbounded."""
        x = self.grid(x)
        x = x.reshape(*x.shape[:-1], *self.shape)
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            x = conv2d_transpose(nn.silu(norm(x)), kernel, stride=STRIDE)
        return x + nn.trailing(self.bias, x)
