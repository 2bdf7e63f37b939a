import numpy as np
import pytest

from hieros_eqx.core import nn
from tests.golden import s5_layer
from tests.golden.reference import Reference

NAMES = ("Lambda", "B", "C", "D", "log_step")
REFERENCE = Reference(
    *(f"block.s5_{i}.seq.{name}" for i in (1, 2) for name in NAMES),
    *(f"block.attn_norm_{i}.{name}" for i in (1, 2, 3) for name in ("weight", "bias")),
    *(f"block.linear_{i}.weight" for i in (1, 2)),
    *(f"block.{name}" for name in ("input", "reset", "output", "states")),
    *(f"block.step_{name}" for name in ("prev_state", "output", "state")),
)
pytestmark = pytest.mark.x64
CLOSE = {"rtol": 1e-10, "atol": 1e-13}


def norm(index, x, xp):
    """The reference's LayerNorm has PyTorch's eps, 1e-5; ours is 1e-3 by default."""
    scale, offset = (xp(REFERENCE[f"block.attn_norm_{index}.{name}"]) for name in ("weight", "bias"))
    return nn.layer_norm(x, scale, offset, eps=1e-5)


def block(x, layer, xp):
    """Twice x + GELU(W S5(LayerNorm(x))), then LayerNorm(x) once more, which only the reference adds."""
    for index in (1, 2):
        p = {name: xp(REFERENCE[f"block.s5_{index}.seq.{name}"]) for name in NAMES}
        mixed = layer(index, p, norm(index, x, xp))
        x = x + nn.gelu(nn.linear(mixed, xp(REFERENCE[f"block.linear_{index}.weight"]).T))
    return x + norm(3, x, xp)


def test_sequence(xp):
    x, reset = (np.moveaxis(REFERENCE[f"block.{name}"], 0, 1) for name in ("input", "reset"))
    states = {}

    def layer(index, p, u):
        output, states[index] = s5_layer.sequence(p, u, xp(reset[..., 0] > 0))
        return output

    output = block(xp(x), layer, xp)
    np.testing.assert_allclose(output, np.moveaxis(REFERENCE["block.output"], 0, 1), **CLOSE)
    both = np.concatenate([states[1], states[2]], axis=-1)
    np.testing.assert_allclose(both, np.moveaxis(REFERENCE["block.states"], 0, 1), **CLOSE)


def test_step(xp):
    before = np.split(REFERENCE["block.step_prev_state"], 2, axis=-1)
    states = {}

    def layer(index, p, u):
        output, states[index] = s5_layer.one_step(p, u, xp(np.zeros(4, bool)), xp(before[index - 1]))
        return output

    output = block(xp(REFERENCE["block.input"][:, 0]), layer, xp)
    np.testing.assert_allclose(output, REFERENCE["block.step_output"], **CLOSE)
    both = np.concatenate([states[1], states[2]], axis=-1)
    np.testing.assert_allclose(both, REFERENCE["block.step_state"], **CLOSE)
