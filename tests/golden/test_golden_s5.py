import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.core import ssm
from tests.golden import s5_layer
from tests.golden.reference import Reference

NAMES = ("Lambda", "B", "C", "D", "log_step")
REFERENCE = Reference(
    *(f"disc.{name}" for name in ("Lambda", "B", "Delta")),
    *(f"disc.{method}_{name}" for method in ("zoh", "bilinear") for name in ("Lambda_bar", "B_bar")),
    *(f"s5.{name}" for name in NAMES),
    *(f"s5.grad.{name}" for name in NAMES),
    *(
        f"s5.{name}"
        for name in ("input", "reset", "output", "states", "grad_w", "step_output", "step_states")
    ),
    *(f"s5.step1_{name}" for name in ("prev_state", "output", "state")),
)
pytestmark = pytest.mark.x64
CLOSE = {"rtol": 1e-10, "atol": 1e-13}  # atol: sums of numbers of size one


def parameters(make=np.asarray):
    return {name: make(REFERENCE[f"s5.{name}"]) for name in NAMES}


def time_first(key):
    return np.moveaxis(REFERENCE[f"s5.{key}"], 0, 1)


def resets():
    return time_first("reset")[..., 0] > 0


@pytest.mark.parametrize("method", ["zoh", "bilinear"])
def test_discretisation(xp, method):
    inputs = (xp(REFERENCE[f"disc.{name}"]) for name in ("Lambda", "B", "Delta"))
    for got, name in zip(ssm.discretize(*inputs, method), ("Lambda_bar", "B_bar"), strict=True):
        np.testing.assert_allclose(got, REFERENCE[f"disc.{method}_{name}"], **CLOSE)


def test_sequence_with_resets(xp):
    output, states = s5_layer.sequence(parameters(xp), xp(time_first("input")), xp(resets()))
    np.testing.assert_allclose(output, time_first("output"), **CLOSE)
    np.testing.assert_allclose(states, time_first("states"), **CLOSE)


def test_steps_with_resets(xp):
    u, reset = xp(time_first("input")), xp(resets())
    x = xp(np.zeros((4, 8), np.complex128))
    for t in range(12):
        output, x = s5_layer.one_step(parameters(xp), u[t], reset[t], x)
        np.testing.assert_allclose(output, time_first("step_output")[t], **CLOSE)
        np.testing.assert_allclose(x, time_first("step_states")[t], **CLOSE)


def test_one_step_from_a_given_state(xp):
    x, reset = xp(REFERENCE["s5.step1_prev_state"]), xp(np.zeros(4, bool))
    output, state = s5_layer.one_step(parameters(xp), xp(time_first("input")[0]), reset, x)
    np.testing.assert_allclose(output, REFERENCE["s5.step1_output"], **CLOSE)
    np.testing.assert_allclose(state, REFERENCE["s5.step1_state"], **CLOSE)


def test_gradients():
    """The reference's gradient of a complex parameter is dL/dRe + i dL/dIm, JAX's is the conjugate."""
    u, reset, weight = (jnp.asarray(a) for a in (time_first("input"), resets(), time_first("grad_w")))

    def loss(p):
        return jnp.sum(s5_layer.sequence(p, u, reset)[0] * weight)

    gradients = jax.jit(jax.grad(loss))(parameters(jnp.asarray))
    for name in NAMES:
        want = REFERENCE[f"s5.grad.{name}"]
        np.testing.assert_allclose(jnp.conj(gradients[name]), want, rtol=1e-10, atol=1e-11)
