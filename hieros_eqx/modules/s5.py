r"""S5: the diagonal state-space model inside an S5 layer (arXiv 2208.04933)."""

import math
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Complex, Float

from hieros_eqx.backend import as_complex, namespace, random
from hieros_eqx.backend.random import Key
from hieros_eqx.core import hippo, nn, ssm
from hieros_eqx.types import Array

MAX_REAL = -1e-4
"""Largest real part of an eigenvalue: no state may grow."""


class DiscreteSSM(NamedTuple):
    r"""An S5 layer at its step size: $x_t = \bar\Lambda x_{t-1} + g (B u_t)$."""

    a_bar: Complex[Array, " state"]
    gain: Complex[Array, " state"]


def to_complex(x: Float[Array, "*batch two_state"]) -> Complex[Array, "*batch state"]:
    """Return states from real and then imaginary parts."""
    size = x.shape[-1] // 2
    return as_complex(x[..., :size], x[..., size:])


def to_real(x: Complex[Array, "*batch state"]) -> Float[Array, "*batch two_state"]:
    """Return real and then imaginary parts of states."""
    return namespace(x).concatenate([x.real, x.imag], axis=-1)


def _pair(x: Complex[np.ndarray, "*shape"]) -> Float[Array, "*shape 2"]:
    return jnp.stack([np.real(x), np.imag(x)], axis=-1).astype(jnp.float32)


class S5SSM(eqx.Module):
    r"""$x_t = \bar\Lambda x_{t-1} + \bar B u_t$, $y_t = \mathrm{Re}(C x_t) + D u_t$.

    Parameters are real. B and C lie as they are multiplied with, so that nothing is copied: `u @ b` are the
    real and then the imaginary parts of $B u$, and $\mathrm{Re}(C x)$ is `to_real(x) @ c`.

    Starts as HiPPO-LegS-N, block-diagonal, with $B = V^{-1} B_0$ and $C = C_0 V$ for LeCun normal $B_0$,
    $C_0$; all eigenvalues kept, steps log-uniform, D normal.
    """

    eigenvalues: Float[Array, "state 2"]
    b: Float[Array, "feature two_state"]  # Re B^T, then Im B^T
    c: Float[Array, "two_state feature"]  # Re C^T over -Im C^T
    d: Float[Array, " feature"]
    log_step: Float[Array, " state"]
    discretization: Literal["zoh", "bilinear"] = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        state: int,
        *,
        init_blocks: int = 1,
        step_min: float = 0.001,
        step_max: float = 0.1,
        discretization: Literal["zoh", "bilinear"] = "zoh",
        key: Key,
    ):
        b_key, c_key, d_key, step_key = random.split(key, 4)
        eigenvalues, vectors = hippo.hippo_legs_blocks(state, init_blocks)
        vectors_pair = _pair(vectors)  # unitary: V^-1 is its conjugate transpose
        b = random.normal(b_key, (state, features)) / math.sqrt(features)
        c = random.normal(c_key, (2, features, state)) / math.sqrt(state)
        v_real, v_imag = vectors_pair[..., 0], vectors_pair[..., 1]
        self.eigenvalues = _pair(eigenvalues)
        self.b = jnp.concatenate([v_real.T @ b, -v_imag.T @ b]).T
        self.c = jnp.concatenate([c[0] @ v_real - c[1] @ v_imag, -c[0] @ v_imag - c[1] @ v_real], axis=-1).T
        self.d = random.normal(d_key, (features,))
        low, high = math.log(step_min), math.log(step_max)
        self.log_step = low + (high - low) * random.uniform(step_key, (state,))
        self.discretization = discretization

    def discretize(self) -> DiscreteSSM:
        """Return what the recurrence needs and parameters alone decide; compute it once per update."""
        real = namespace(self.eigenvalues).minimum(self.eigenvalues[:, 0], MAX_REAL)
        eigenvalues = as_complex(real, self.eigenvalues[:, 1])
        step = namespace(self.log_step).exp(self.log_step)
        return DiscreteSSM(*ssm.decay_and_gain(eigenvalues, step, self.discretization))

    def scan(
        self,
        discrete: DiscreteSSM,
        u: Float[Array, "time *batch feature"],
        reset: Bool[Array, " time *batch"],
        state: Float[Array, "*batch two_state"],
        state_reset: Float[Array, " two_state"],
    ) -> tuple[Float[Array, "time *batch feature"], Float[Array, "time *batch two_state"]]:
        """Return outputs and states of a sequence; `state` is the one before index 0."""
        bu = self._drive(discrete, u)
        x = to_real(ssm.scan(discrete.a_bar, bu, reset, to_complex(state), to_complex(state_reset)))
        return self._read(x, u), x

    def step(
        self,
        discrete: DiscreteSSM,
        u: Float[Array, "*batch feature"],
        reset: Bool[Array, "*batch"],
        state: Float[Array, "*batch two_state"],
        state_reset: Float[Array, " two_state"],
    ) -> tuple[Float[Array, "*batch feature"], Float[Array, "*batch two_state"]]:
        """Return output and state of one step."""
        bu = self._drive(discrete, u)
        x = to_real(ssm.step(discrete.a_bar, bu, reset, to_complex(state), to_complex(state_reset)))
        return self._read(x, u), x

    def _drive(self, discrete: DiscreteSSM, u: Array) -> Array:
        bu = to_complex(u @ self.b)
        return nn.trailing(discrete.gain, bu) * bu

    def _read(self, x: Array, u: Array) -> Array:
        return x @ self.c + nn.trailing(self.d, u) * u
