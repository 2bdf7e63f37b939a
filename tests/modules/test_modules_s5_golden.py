"""S5 layer and block with the parameters of the reference give the reference's numbers."""

from functools import partial
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import to_jax
from hieros_eqx.config import S5Config
from hieros_eqx.core import nn
from hieros_eqx.modules import S5SSM, S5Stack
from tests.modules.builders import filled

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}  # double precision; the reference scans in another order


@pytest.fixture(scope="module")
def golden():
    return np.load(Path(__file__).parents[1] / "golden" / "reference.npz")


def pairs(x):
    return np.stack([x.real, x.imag], axis=-1)


def flat(x):
    return np.concatenate([x.real, x.imag], axis=-1)


def b_layout(pair):
    """[state feature 2] as the module keeps it."""
    return np.concatenate([pair[..., 0].T, pair[..., 1].T], axis=-1)


def c_layout(c):
    return np.concatenate([c.real.T, -c.imag.T])


def load_ssm(module, golden, prefix):
    values = (
        pairs(golden[f"{prefix}.Lambda"]),
        b_layout(golden[f"{prefix}.B"]),
        c_layout(golden[f"{prefix}.C"]),
        golden[f"{prefix}.D"],
        golden[f"{prefix}.log_step"],
    )
    return eqx.tree_at(lambda m: (m.eigenvalues, m.b, m.c, m.d, m.log_step), module, values)


@pytest.fixture(scope="module")
def ssm(golden):
    return load_ssm(filled(partial(S5SSM, 6, 8), np.random.default_rng(0)), golden, "s5")


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.x64)], ids=["numpy", "jax"])
def load(request):
    return to_jax if request.param else lambda tree: tree


def time_major(golden, prefix):
    u = np.swapaxes(golden[f"{prefix}.input"], 0, 1)
    return u, np.swapaxes(golden[f"{prefix}.reset"], 0, 1)[..., 0] > 0


def test_ssm_sequence(golden, ssm, load):
    ssm, (u, reset) = load(ssm), load(time_major(golden, "s5"))
    y, states = ssm.scan(ssm.discretize(), u, reset, load(np.zeros((4, 16))), load(np.zeros(16)))
    np.testing.assert_allclose(y, np.swapaxes(golden["s5.output"], 0, 1), **TOLERANCE)
    np.testing.assert_allclose(states, np.swapaxes(flat(golden["s5.states"]), 0, 1), **TOLERANCE)


def test_ssm_steps(golden, ssm, load):
    ssm, (u, reset) = load(ssm), load(time_major(golden, "s5"))
    discrete, state, zero = ssm.discretize(), load(np.zeros((4, 16))), load(np.zeros(16))
    for t in range(len(u)):
        y, state = ssm.step(discrete, u[t], reset[t], state, zero)
        np.testing.assert_allclose(y, golden["s5.step_output"][:, t], **TOLERANCE)
        np.testing.assert_allclose(state, flat(golden["s5.step_states"])[:, t], **TOLERANCE)


def test_ssm_step_from_a_state(golden, ssm, load):
    ssm, state = load(ssm), load(flat(golden["s5.step1_prev_state"]))
    never = load(np.zeros(4, bool))
    u = load(golden["s5.input"][:, 0])
    y, after = ssm.step(ssm.discretize(), u, never, state, load(np.zeros(16)))
    np.testing.assert_allclose(y, golden["s5.step1_output"], **TOLERANCE)
    np.testing.assert_allclose(after, flat(golden["s5.step1_state"]), **TOLERANCE)


@pytest.mark.x64
def test_ssm_gradients_of_real_pairs(golden, ssm):
    """PyTorch's gradient dL/dRe + i dL/dIm of a complex parameter is our gradient of the pair."""
    u, reset = to_jax(time_major(golden, "s5"))
    weight = jnp.asarray(np.swapaxes(golden["s5.grad_w"], 0, 1))

    def loss(ssm):
        y, _ = ssm.scan(ssm.discretize(), u, reset, jnp.zeros((4, 16)), jnp.zeros(16))
        return (y * weight).sum()

    got = jax.jit(jax.grad(loss))(to_jax(ssm))
    np.testing.assert_allclose(got.eigenvalues, pairs(golden["s5.grad.Lambda"]), rtol=1e-8)
    np.testing.assert_allclose(got.b, b_layout(golden["s5.grad.B"]), rtol=1e-8)
    np.testing.assert_allclose(got.c, c_layout(golden["s5.grad.C"]), rtol=1e-8)
    for name, field in {"D": "d", "log_step": "log_step"}.items():
        np.testing.assert_allclose(getattr(got, field), golden[f"s5.grad.{name}"], rtol=1e-8)


@pytest.fixture(scope="module")
def stack(golden):
    config = S5Config(width=6, state=8, num_blocks=1, init_blocks=2, reset_state="zeros")
    stack = filled(partial(S5Stack, config), np.random.default_rng(0))
    layers = []
    for i, layer in enumerate(stack.blocks[0].layers, start=1):
        values = (
            load_ssm(layer.ssm, golden, f"block.s5_{i}.seq"),
            golden[f"block.attn_norm_{i}.weight"],
            golden[f"block.attn_norm_{i}.bias"],
            golden[f"block.linear_{i}.weight"].T,
        )
        layers.append(
            eqx.tree_at(lambda m: (m.ssm, m.norm.scale, m.norm.offset, m.mix.weight), layer, values)
        )
    return eqx.tree_at(lambda m: m.blocks[0].layers, stack, tuple(layers))


@pytest.fixture
def reference_eps(monkeypatch):
    """The block of the reference normalises with eps 1e-5; ours has 1e-3 everywhere."""
    monkeypatch.setattr(nn, "layer_norm", partial(nn.layer_norm, eps=1e-5))


def with_last_norm(golden, y):
    """The reference adds a third LayerNorm of the block's output; we leave it out."""
    scale, offset = golden["block.attn_norm_3.weight"], golden["block.attn_norm_3.bias"]
    return y + nn.layer_norm(y, scale, offset)


def block_states(golden, key):
    return np.concatenate([flat(golden[key][..., :8]), flat(golden[key][..., 8:])], axis=-1)


@pytest.mark.usefixtures("reference_eps")
def test_block_sequence(golden, stack, load):
    stack, (u, reset) = load(stack), load(time_major(golden, "block"))
    y, states, _ = stack.scan(stack.prepare(), u, reset, load(np.zeros((4, 32))))
    want = np.swapaxes(golden["block.output"], 0, 1)
    np.testing.assert_allclose(with_last_norm(golden, np.asarray(y)), want, **TOLERANCE)
    np.testing.assert_allclose(states, np.swapaxes(block_states(golden, "block.states"), 0, 1), **TOLERANCE)


@pytest.mark.usefixtures("reference_eps")
def test_block_step(golden, stack, load):
    stack, u = load(stack), load(golden["block.input"][:, 0])
    state = load(block_states(golden, "block.step_prev_state"))
    y, after = stack.step(stack.prepare(), u, load(np.zeros(4, bool)), state)
    np.testing.assert_allclose(
        with_last_norm(golden, np.asarray(y)), golden["block.step_output"], **TOLERANCE
    )
    np.testing.assert_allclose(after, block_states(golden, "block.step_state"), **TOLERANCE)
