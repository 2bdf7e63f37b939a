"""The stack of S5 blocks: its definition by loops, every alternative, both evaluations, and how it starts."""

from functools import partial

import jax
import numpy as np
import pytest

from hieros_eqx.backend import to_jax, to_numpy
from hieros_eqx.core.hippo import hippo_legs_normal
from hieros_eqx.modules import S5SSM, S5Stack
from tests.modules.builders import B, T, filled, tiny
from tests.oracles import distributions

ALTERNATIVES = [
    {},
    {"double": False},
    {"ff_layers": 1},
    {"discretization": "bilinear"},
    {"reset_state": "zeros"},
    {"centre_rate": 0.25},
]


@pytest.fixture(scope="module", params=ALTERNATIVES, ids=str)
def stack(request):
    return filled(partial(S5Stack, tiny(**request.param).s5), np.random.default_rng(4))


def norm(x, module):
    return distributions.layer_norm(x, module.scale, module.offset, 1e-3)


def gelu(x):
    from math import erf

    return np.array([0.5 * v * (1 + erf(v / 2**0.5)) for v in x])


def b_and_c(ssm):
    """The complex matrices [state feature] and [feature state] of a module's real parameters."""
    size = len(ssm.log_step)
    return (ssm.b[:, :size] + 1j * ssm.b[:, size:]).T, (ssm.c[:size] - 1j * ssm.c[size:]).T


def layer_step(layer, x, before, centre, method):
    """One S5 layer with complex numbers, from its parameters."""
    ssm = layer.ssm
    eigenvalue = np.minimum(ssm.eigenvalues[:, 0], -1e-4) + 1j * ssm.eigenvalues[:, 1]
    dt, (b, c) = np.exp(ssm.log_step), b_and_c(ssm)
    if method == "zoh":
        a_bar, gain = np.exp(eigenvalue * dt), (np.exp(eigenvalue * dt) - 1) / eigenvalue
    else:
        a_bar, gain = (1 + eigenvalue * dt / 2) / (1 - eigenvalue * dt / 2), dt / (1 - eigenvalue * dt / 2)
    u = norm(x, layer.norm) - centre
    after = a_bar * before + gain * (b @ u)
    return x + gelu(((c @ after).real + ssm.d * u) @ layer.mix.weight), after


def stack_step(stack, x, before):
    """All layers on one vector; `before` is complex [layers state]."""
    after, i = [], 0
    for block in stack.blocks:
        for layer in block.layers:
            centre = 0 if stack.centre is None else stack.centre[i]
            x, state = layer_step(layer, x, before[i], centre, stack.config.discretization)
            after.append(state)
            i += 1
        if block.ff is not None:
            y = norm(
                norm(x, block.ff_norm) @ block.ff.hidden.layers[0].linear.weight,
                block.ff.hidden.layers[0].norm,
            )
            x = x + (y / (1 + np.exp(-y))) @ block.ff.output.weight + block.ff.output.bias
    return x, np.array(after)


def to_flat(states):
    return np.concatenate([np.concatenate([s.real, s.imag]) for s in states])


def arguments(rng, stack):
    reset = np.zeros((T, B), bool)
    reset[[0, 4, 3, 4], [1, 1, 2, 2]] = True
    return rng.normal(size=(T, B, 6)), reset, rng.normal(size=(B, stack.state_size))


def test_scan_is_the_definition(rng, stack):
    u, reset, state = arguments(rng, stack)
    y, states, _ = stack.scan(stack.prepare(), u, reset, state)
    layers, size = stack.config.num_layers, stack.config.state
    first = np.zeros((layers, size), complex) if stack.initial is None else stack.initial @ [1, 1j]
    for b in range(B):
        pairs = state[b].reshape(layers, 2, size)
        x = pairs[:, 0] + 1j * pairs[:, 1]
        for t in range(T):
            want, x = stack_step(stack, u[t, b], first if reset[t, b] else x)
            np.testing.assert_allclose(y[t, b], want, rtol=1e-9)
            np.testing.assert_allclose(states[t, b], to_flat(x), rtol=1e-9, atol=1e-12)


def test_steps_are_the_scan(rng, stack):
    u, reset, state = arguments(rng, stack)
    prepared = stack.prepare()
    y, states, _ = stack.scan(prepared, u, reset, state)
    for t in range(T):
        out, state = stack.step(prepared, u[t], reset[t], state)
        np.testing.assert_allclose(out, y[t], rtol=1e-11)
        np.testing.assert_allclose(state, states[t], rtol=1e-11, atol=1e-12)


def test_centres_follow_the_means_of_what_layers_take_in(rng):
    """Those of the first layer by hand; without the option nothing moves, and nothing is there to move."""
    stack = filled(partial(S5Stack, tiny(centre_rate=0.25).s5), rng)
    u, reset, state = arguments(rng, stack)
    *_, means = stack.scan(stack.prepare(), u, reset, state)
    moved = stack.recentred(means)
    want = np.mean([norm(row, stack.blocks[0].layers[0].norm) for row in u.reshape(-1, 6)], axis=0)
    np.testing.assert_allclose(means[0], want, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(moved.centre, 0.75 * stack.centre + 0.25 * means, rtol=1e-12)
    assert moved.blocks[0].layers[0].ssm.b is stack.blocks[0].layers[0].ssm.b

    plain = filled(partial(S5Stack, tiny().s5), rng)
    *_, means = plain.scan(plain.prepare(), u, reset, state)
    assert plain.centre is None and means is None and plain.recentred(None) is plain


@pytest.mark.x64
def test_gradients_do_not_reach_centres(rng):
    stack = filled(partial(S5Stack, tiny(centre_rate=0.25).s5), rng)
    inputs = arguments(rng, stack)

    def loss(stack):
        y, states, means = stack.scan(stack.prepare(), *to_jax(inputs))
        return (y**2).sum() + (states**2).sum() + (means**2).sum()

    gradient = jax.jit(jax.grad(loss))(to_jax(stack))
    assert not np.any(gradient.centre) and np.any(gradient.blocks[0].layers[0].norm.offset)


@pytest.fixture(scope="module")
def fresh():
    return to_numpy(S5SSM(200, 128, init_blocks=4, key=jax.random.key(0)), np.float64)


def test_start_of_the_eigenvalues_and_steps(fresh):
    want, _ = hippo_legs_normal(32)
    for i in range(4):
        block = fresh.eigenvalues[32 * i : 32 * (i + 1)]
        np.testing.assert_allclose(block[:, 0], -0.5, rtol=1e-5)
        np.testing.assert_allclose(block[:, 1], want.imag, rtol=1e-5)
    steps = np.exp(fresh.log_step)
    assert 0.001 <= steps.min() < 0.002 < 0.05 < steps.max() <= 0.1
    assert np.all(abs(fresh.discretize().a_bar) < 1)


def test_start_of_b_and_c(fresh):
    """V B is real LeCun normal (variance 1 / D); C V^-1 is complex with variance 1 / P in each part."""
    _, vectors = hippo_legs_normal(32)
    v = np.kron(np.eye(4), vectors)
    b, c = b_and_c(fresh)
    b, c = v @ b, c @ np.linalg.inv(v)
    np.testing.assert_allclose(b.imag, 0, atol=1e-6)
    assert b.real.var() == pytest.approx(1 / 200, rel=0.04)
    assert c.real.var() == pytest.approx(1 / 128, rel=0.04)
    assert c.imag.var() == pytest.approx(1 / 128, rel=0.04)
    assert fresh.d.std() == pytest.approx(1, rel=0.2)


def test_eigenvalues_are_kept_from_growing(rng):
    ssm = filled(partial(S5SSM, 6, 4), rng)
    ssm.eigenvalues[:, 0] = [1.0, 0.0, -1e-5, -0.3]
    size = abs(ssm.discretize().a_bar)
    np.testing.assert_allclose(size, np.exp(np.array([-1e-4, -1e-4, -1e-4, -0.3]) * np.exp(ssm.log_step)))
