"""The diagonal state-space model of S5: discretisation, a whole sequence, one step."""

from typing import Literal

from jaxtyping import Bool, Complex, Float

from hieros_eqx.backend import linear_recurrence, namespace
from hieros_eqx.core.nn import trailing
from hieros_eqx.core.shapes import require_same_shape, require_shape
from hieros_eqx.types import Array


def discretize(
    eigenvalues: Complex[Array, " state"],
    b: Complex[Array, "state feature"],
    step: Float[Array, " state"],
    method: Literal["zoh", "bilinear"] = "zoh",
) -> tuple[Complex[Array, " state"], Complex[Array, "state feature"]]:
    r"""$(\bar\Lambda, \bar B)$ of $\dot x = \Lambda x + B u$ at step $\Delta$ (S5, arXiv 2208.04933, eq. 6).

    `zoh`: $\bar\Lambda = e^{\Lambda\Delta}$, $\bar B = \Lambda^{-1}(\bar\Lambda - I) B$.
    `bilinear`, with $Z = \Lambda\Delta/2$: $\bar\Lambda = (1 + Z) / (1 - Z)$, $\bar B = \Delta / (1 - Z)\,B$.
    Raises `ValueError` for another `method`.
    """
    require_shape("b", b, (*eigenvalues.shape, b.shape[-1]))
    a_bar, gain = decay_and_gain(eigenvalues, step, method)
    return a_bar, gain[:, None] * b


def decay_and_gain(
    eigenvalues: Complex[Array, " state"],
    step: Float[Array, " state"],
    method: str = "zoh",
) -> tuple[Complex[Array, " state"], Complex[Array, " state"]]:
    r"""What `discretize` comes to: $\bar\Lambda$, and the $g$ with $\bar B = g B$, so $\bar B u = g (B u)$.

    Raises `ValueError` for another `method`, or if shapes differ.
    """
    require_same_shape(eigenvalues=eigenvalues, step=step)
    xp = namespace(eigenvalues, step)
    step = step.astype(eigenvalues.dtype)
    if method == "zoh":
        a_bar = xp.exp(eigenvalues * step)
        gain = xp.expm1(eigenvalues * step) / eigenvalues  # exp(.) - 1 would cancel for small steps
    elif method == "bilinear":
        denominator = 1.0 - 0.5 * step * eigenvalues
        a_bar = (1.0 + 0.5 * step * eigenvalues) / denominator
        gain = step / denominator
    else:
        raise ValueError(f'`method` must be "zoh" or "bilinear"; got {method!r}.')
    return a_bar, gain


def scan(
    a_bar: Complex[Array, " state"],
    bu: Complex[Array, "time *batch state"],
    reset: Bool[Array, " time *batch"],
    x_init: Complex[Array, "*#batch state"],
    x_reset: Complex[Array, "*#batch state"] | None = None,
) -> Complex[Array, "time *batch state"]:
    r"""States $x_t = \bar\Lambda\, x'_{t-1} + \bar B u_t$ of a whole sequence (S5, eq. 2).

    $x'_{t-1}$ is `x_reset` (default `x_init`) where `reset[t]`, else $x_{t-1}$; $x_{-1}$ is `x_init`. Resets
    need no special scan: there the element (a, b) is $(0, \bar\Lambda x_{reset} + \bar B u_t)$, and elements
    still compose associatively. Raises `ValueError` if there is no time step or shapes do not agree.
    """
    require_shape("a_bar", a_bar, bu.shape[-1:])
    require_shape("reset", reset, bu.shape[:-1])
    xp = namespace(a_bar, bu, reset, x_init, x_reset)
    x_init = trailing(x_init, bu)
    x_reset = x_init if x_reset is None else trailing(x_reset, bu)
    decay = trailing(a_bar, bu)
    a = xp.where(reset[..., None], xp.zeros_like(decay), decay)
    b = bu + xp.where(reset[..., None], decay * x_reset, xp.zeros_like(decay))
    b = xp.concatenate([b[:1] + a[:1] * x_init, b[1:]])
    return linear_recurrence(a, b)


def step(
    a_bar: Complex[Array, " state"],
    bu: Complex[Array, "*batch state"],
    reset: Bool[Array, "*batch"],
    x: Complex[Array, "*#batch state"],
    x_reset: Complex[Array, "*#batch state"] | None = None,
) -> Complex[Array, "*batch state"]:
    r"""One step of `scan`: $\bar\Lambda x' + \bar B u$.

    $x'$ is `x_reset` where `reset`, else `x`. Without `x_reset` it is zero: a step knows no `x_init`. Raises
    `ValueError` if shapes do not agree.
    """
    require_shape("a_bar", a_bar, bu.shape[-1:])
    require_shape("reset", reset, bu.shape[:-1])
    xp = namespace(a_bar, bu, reset, x, x_reset)
    x = trailing(x, bu)
    x_reset = xp.zeros_like(x) if x_reset is None else trailing(x_reset, bu)
    return trailing(a_bar, bu) * xp.where(reset[..., None], x_reset, x) + bu
