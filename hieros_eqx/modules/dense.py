"""Dense building blocks: linear layer, layer normalisation, hidden layers, multi-layer perceptron."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from hieros_eqx.backend import random
from hieros_eqx.backend.random import Key
from hieros_eqx.core import nn
from hieros_eqx.types import Array

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal cut off at two sigma."""


def average_fan_normal(
    key: Key, shape: tuple[int, ...], fan_in: int, fan_out: int, scale: float = 1.0
) -> Float[Array, "..."]:
    """Return float32 weights, cut at two sigma, of std deviation `scale / sqrt((fan_in + fan_out) / 2)`."""
    std = scale * (2 / (fan_in + fan_out)) ** 0.5 / TRUNCATED_STD
    return std * random.truncated_normal(key, shape)


class Linear(eqx.Module):
    """`x W + b`. `scale` multiplies the standard deviation at initialisation; 0 starts at zero."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"] | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, scale: float = 1.0, key: Key):
        self.weight = average_fan_normal(key, (inputs, outputs), inputs, outputs, scale)
        self.bias = jnp.zeros(outputs, jnp.float32) if bias else None

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return the affine map of the last axis."""
        return nn.linear(x, self.weight, self.bias)


class Norm(eqx.Module):
    """Layer normalisation over the last axis, eps 1e-3."""

    scale: Float[Array, " feature"]
    offset: Float[Array, " feature"]

    def __init__(self, size: int):
        self.scale = jnp.ones(size, jnp.float32)
        self.offset = jnp.zeros(size, jnp.float32)

    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch feature"]:
        """Return `x` with mean 0 and variance 1 over the last axis, scaled and shifted."""
        return nn.layer_norm(x, self.scale, self.offset)


class Hidden(eqx.Module):
    """One hidden layer: linear without bias, layer normalisation, SiLU."""

    linear: Linear
    norm: Norm

    def __init__(self, inputs: int, outputs: int, *, key: Key):
        self.linear = Linear(inputs, outputs, bias=False, key=key)
        self.norm = Norm(outputs)

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return the layer's activations."""
        return nn.silu(self.norm(self.linear(x)))


class HiddenStack(eqx.Module):
    """Hidden layers one after the other."""

    layers: tuple[Hidden, ...]

    def __init__(self, inputs: int, hidden: int, layers: int, *, key: Key):
        sizes = [inputs] + [hidden] * layers
        keys = random.split(key, layers)
        self.layers = tuple(Hidden(sizes[i], hidden, key=keys[i]) for i in range(layers))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return the last layer's activations."""
        for layer in self.layers:
            x = layer(x)
        return x


class MLP(eqx.Module):
    """`layers` hidden layers, then a linear output with bias; `out_scale` 0 starts it at zero."""

    hidden: HiddenStack
    output: Linear

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int,
        outputs: int,
        *,
        out_scale: float = 1.0,
        key: Key,
    ):
        hidden_key, output_key = random.split(key)
        self.hidden = HiddenStack(inputs, hidden, layers, key=hidden_key)
        self.output = Linear(hidden, outputs, scale=out_scale, key=output_key)

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return the output layer's values."""
        return self.output(self.hidden(x))
