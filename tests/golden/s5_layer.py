"""The reference's S5 layer, put together from core functions."""

from hieros_eqx.backend import as_complex, namespace
from hieros_eqx.core import ssm
from hieros_eqx.core.nn import trailing


def discretized(parameters):
    """Transition and input matrix; B is stored as (real, imaginary), the step as its logarithm."""
    xp = namespace(parameters["B"])
    b = as_complex(parameters["B"][..., 0], parameters["B"][..., 1])
    return ssm.discretize(parameters["Lambda"], b, xp.exp(parameters["log_step"]))


def readout(parameters, u, states):
    """y = Re(C x) + D u."""
    xp = namespace(u, states)
    return xp.real(states @ parameters["C"].T) + trailing(parameters["D"], u) * u


def sequence(parameters, u, reset):
    """Outputs and states of a whole sequence, time first; the state starts at zero and is reset to zero."""
    a_bar, b_bar = discretized(parameters)
    bu = u.astype(b_bar.dtype) @ b_bar.T
    zero = namespace(bu).zeros_like(bu[0])
    states = ssm.scan(a_bar, bu, reset, zero, zero)
    return readout(parameters, u, states), states


def one_step(parameters, u, reset, x):
    """Output and state of one step."""
    a_bar, b_bar = discretized(parameters)
    x = ssm.step(a_bar, u.astype(b_bar.dtype) @ b_bar.T, reset, x)
    return readout(parameters, u, x), x
