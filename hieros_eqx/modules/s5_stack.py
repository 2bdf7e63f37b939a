"""Residual S5 layers, blocks of them, and their stack.

With `centre_rate` the SSM of every layer sees its input less a running mean of it. Where inputs hardly
change, their constant part otherwise adds up in slow states until what varies is small beside it
(decision 022).

Layout of the recurrent state outside this file: one real vector; per S5 layer, in the order of evaluation,
the P real parts of its SSM states and then their P imaginary parts. Its size is `num_layers * 2 * P`.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace, random, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import S5Config
from hieros_eqx.core import nn
from hieros_eqx.core.normalise import ema
from hieros_eqx.modules.dense import MLP, Linear, Norm
from hieros_eqx.modules.s5 import S5SSM, DiscreteSSM
from hieros_eqx.types import Array


class S5Layer(eqx.Module):
    """`x + GELU(W S5(LayerNorm(x) - centre))`, W without bias."""

    norm: Norm
    ssm: S5SSM
    mix: Linear

    def __init__(self, config: S5Config, *, key: Key):
        ssm_key, mix_key = random.split(key)
        self.norm = Norm(config.width)
        self.ssm = S5SSM(
            config.width,
            config.state,
            init_blocks=config.init_blocks,
            step_min=config.step_min,
            step_max=config.step_max,
            discretization=config.discretization,
            key=ssm_key,
        )
        self.mix = Linear(config.width, config.width, bias=False, key=mix_key)

    def __call__(
        self,
        discrete: DiscreteSSM,
        x: Float[Array, "*batch width"],
        reset: Bool[Array, "*batch"],
        state: Float[Array, "*start two_state"],
        state_reset: Float[Array, " two_state"],
        centre: Float[Array, " width"] | None,
        *,
        sequence: bool,
    ) -> tuple[Float[Array, "*batch width"], Float[Array, "*batch two_state"], Any]:
        """Return output and states, of a sequence (time first in `x`) or of one step, and the input's mean.

        The mean is over all axes but `width`, without gradient, and None where there is no centre.
        """
        run, u, mean = self.ssm.scan if sequence else self.ssm.step, self.norm(x), None
        if centre is not None:
            mean = stop_gradient(u.mean(axis=tuple(range(u.ndim - 1))))
            u = u - nn.trailing(stop_gradient(centre), u)
        y, states = run(discrete, u, reset, state, state_reset)
        return x + nn.gelu(self.mix(y)), states, mean


class S5Block(eqx.Module):
    """One or two S5 layers, then `x + FF(LayerNorm(x))` if the configuration asks for feed-forward layers."""

    layers: tuple[S5Layer, ...]
    ff_norm: Norm | None
    ff: MLP | None

    def __init__(self, config: S5Config, *, key: Key):
        ff_key, *keys = random.split(key, 2 + config.double)
        self.layers = tuple(S5Layer(config, key=k) for k in keys)
        self.ff_norm = Norm(config.width) if config.ff_layers else None
        self.ff = (
            MLP(config.width, config.width, config.ff_layers, config.width, key=ff_key)
            if config.ff_layers
            else None
        )

    def __call__(
        self,
        discrete: tuple[DiscreteSSM, ...],
        x: Float[Array, "*batch width"],
        reset: Bool[Array, "*batch"],
        state: Float[Array, "*start block_state"],
        state_reset: Float[Array, "layers two_state"],
        centre: Float[Array, "layers width"] | None,
        *,
        sequence: bool,
    ) -> tuple[Float[Array, "*batch width"], Float[Array, "*batch block_state"], list[Any]]:
        """Return output and the layers' states, one layer after the other, and the means of their inputs."""
        size, states, means = state_reset.shape[-1], [], []
        for i, layer in enumerate(self.layers):
            before = state[..., i * size : (i + 1) * size]
            own = None if centre is None else centre[i]
            x, after, mean = layer(discrete[i], x, reset, before, state_reset[i], own, sequence=sequence)
            states.append(after)
            means.append(mean)
        if self.ff is not None and self.ff_norm is not None:
            x = x + self.ff(self.ff_norm(x))
        return x, namespace(x).concatenate(states, axis=-1), means


class S5Stack(eqx.Module):
    """Blocks one after the other, and the states that episodes start from (`learned` or `zeros`).

    `centre` is what layers take from their inputs. It is no parameter: gradients do not reach it, `recentred`
    moves it.
    """

    blocks: tuple[S5Block, ...]
    initial: Float[Array, "layers state 2"] | None
    centre: Float[Array, "layers width"] | None
    config: S5Config = eqx.field(static=True)

    def __init__(self, config: S5Config, *, key: Key):
        self.blocks = tuple(S5Block(config, key=k) for k in random.split(key, config.num_blocks))
        shape = (config.num_layers, config.state, 2)
        self.initial = jnp.zeros(shape, jnp.float32) if config.reset_state == "learned" else None
        centred = config.centre_rate > 0
        self.centre = jnp.zeros((config.num_layers, config.width), jnp.float32) if centred else None
        self.config = config

    @property
    def state_size(self) -> int:
        """Length of the recurrent state."""
        return self.config.num_layers * 2 * self.config.state

    def prepare(self) -> tuple[tuple[DiscreteSSM, ...], ...]:
        """Return the discretised layers of every block, for `scan` and `step`."""
        return tuple(tuple(layer.ssm.discretize() for layer in block.layers) for block in self.blocks)

    def scan(
        self,
        prepared: tuple[tuple[DiscreteSSM, ...], ...],
        u: Float[Array, "time *batch width"],
        reset: Bool[Array, " time *batch"],
        state: Float[Array, "*batch state"],
    ) -> tuple[
        Float[Array, "time *batch width"],
        Float[Array, "time *batch state"],
        Float[Array, "layers width"] | None,
    ]:
        """Return outputs and states of a sequence, and the means of what layers took in, for `recentred`.

        `state` is the one before index 0. Where `reset[t]`, step t starts from the initial state instead of
        the state before. There are means where there are centres.
        """
        return self._run(prepared, u, reset, state, sequence=True)

    def step(
        self,
        prepared: tuple[tuple[DiscreteSSM, ...], ...],
        u: Float[Array, "*batch width"],
        reset: Bool[Array, "*batch"],
        state: Float[Array, "*batch state"],
    ) -> tuple[Float[Array, "*batch width"], Float[Array, "*batch state"]]:
        """Return output and state of one step: the same function as `scan`."""
        return self._run(prepared, u, reset, state, sequence=False)[:2]

    def recentred(self, means: Float[Array, "layers width"] | None) -> "S5Stack":
        """Return the stack with its centres moved towards the means of a batch, by `centre_rate`."""
        if self.centre is None:
            return self
        centre = ema(self.centre, means, self.config.centre_rate)
        return eqx.tree_at(lambda stack: stack.centre, self, centre)

    def _run(self, prepared, u, reset, state, *, sequence):
        xp = namespace(u)
        layers, size = self.config.num_layers, 2 * self.config.state
        if self.initial is None:
            resets = xp.zeros((layers, size), dtype=u.dtype)
        else:
            resets = xp.swapaxes(self.initial, 1, 2).reshape(layers, size)
        per_block, states, means, x = len(self.blocks[0].layers), [], [], u
        for i, block in enumerate(self.blocks):
            own = slice(i * per_block, (i + 1) * per_block)
            before = state[..., own.start * size : own.stop * size]
            centre = None if self.centre is None else self.centre[own]
            x, after, seen = block(prepared[i], x, reset, before, resets[own], centre, sequence=sequence)
            states.append(after)
            means.extend(seen)
        return x, xp.concatenate(states, axis=-1), None if self.centre is None else xp.stack(means)
