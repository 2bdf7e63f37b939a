"""Every accelerator: policy, acting and all updates are lowered for GPU and TPU on a machine without either.

What comes out may hold nothing that such a device cannot or should not do: call the host, compute in float64,
or wait for a shape. Production's defaults hold here (float32), whatever the other tests run with.
"""

import importlib
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from hieros_eqx.agent import init, init_seeds, policy
from hieros_eqx.agent.seeds import seed_axis
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep
from tests.agent.conftest import NUM_ENVS, tiny

stepping = importlib.import_module("hieros_eqx.agent.step")
updating = importlib.import_module("hieros_eqx.agent.update")

pytestmark = pytest.mark.no_cover  # traces much, and nothing that others do not cover

PLATFORMS = ("cuda", "tpu")
LEVELS, SEEDS = 3, 2
PICTURES = Spaces(
    observation=ObservationSpace(kind="image", shape=(64, 64, 3)),
    action=ActionSpace(kind="discrete", size=18),
)
FAULTS = {
    "a host callback": r"callback|infeed|outfeed|stablehlo\.(send|recv)\b|xla_ffi_python",
    "float64": r"f64",
    "a dynamic shape": r"tensor<[^>]*\?",
    "int64": r"tensor<(\d+x)*i64>",  # threefry counts in unsigned 64 bits; nothing else needs so many
}
ATTRIBUTES = re.compile(r"dense<[^>]*> : tensor<[^>]*>|array<i64[^>]*>")  # constants of the program text


@pytest.fixture(autouse=True)
def production_defaults():
    with jax.enable_x64(False):
        yield


def faults(function, *args, platform, **static):
    """Return the faults of a jitted function as lowered for a platform."""
    return faults_in(export.export(function, platforms=[platform])(*args, **static).mlir_module())


def faults_in(module):
    assert "stablehlo" in module
    text = ATTRIBUTES.sub("", module)
    return [name for name, pattern in FAULTS.items() if re.search(pattern, text)]


def abstract(lead, seeds=None, **changes):
    """Return a state of three levels that look at pictures, and a timestep, as shapes alone."""
    config = tiny(levels=LEVELS, **changes)
    if seeds is None:
        state = jax.eval_shape(partial(init, config, PICTURES), jax.random.key(0))
    else:
        state = jax.eval_shape(lambda: init_seeds(config, PICTURES, range(seeds)))
    shapes = ((*lead, 64, 64, 3), np.uint8), (lead, np.float32), *[(lead, np.bool_)] * 3
    return state, Timestep(*(jax.ShapeDtypeStruct(*shape) for shape in shapes))


def acting(state, timestep):
    """Return acting with its arguments."""
    args = (state.params, state.carry, state.replay, state.key, state.env_step, timestep)
    return stepping._act, args, {"seeds": seed_axis(state.key)}


def worker_update(state):
    """Return the update of level 0 with its arguments."""
    args = (state.key, state.params.worker, state.learner.worker, state.train_step, state.replay[0])
    return updating._update_worker, args, {"config": state.config, "seeds": seed_axis(state.key)}


def upper_update(state, depth):
    """Return the update of levels 1 .. depth-1 with its arguments."""
    args = (state.key, state.params.upper, state.learner.upper, state.train_step, state.replay)
    static = {"config": state.config, "depth": depth, "seeds": seed_axis(state.key)}
    return updating._update_upper, args, static


def assert_faultless(programs, platform):
    """Assert that no program has a fault."""
    found = [faults(function, *args, platform=platform, **static) for function, args, static in programs]
    assert found == [[]] * len(programs)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_policy_acting_and_updates_of_every_depth(platform):
    state, timestep = abstract((NUM_ENVS,))
    playing = [
        (jax.jit(partial(policy, greedy=greedy)), (state.params, state.carry, timestep, state.key), {})
        for greedy in (False, True)
    ]
    updates = [worker_update(state), *(upper_update(state, depth) for depth in range(2, LEVELS + 1))]
    assert_faultless([*playing, acting(state, timestep), *updates], platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_updates_with_products_in_bfloat16(platform):
    state, _ = abstract((NUM_ENVS,), precision="bfloat16")
    assert_faultless([worker_update(state), upper_update(state, LEVELS)], platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_seeds_side_by_side(platform):
    state, timestep = abstract((SEEDS, NUM_ENVS), SEEDS)
    assert_faultless([acting(state, timestep), worker_update(state), upper_update(state, LEVELS)], platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_fault_would_be_noticed(platform):
    def calls_the_host(x):
        jax.debug.callback(lambda _: None, x)
        return x

    x = jnp.ones((3,), jnp.float32)
    assert faults(jax.jit(lambda x: x + 1), x, platform=platform) == []
    assert faults_in(jax.jit(calls_the_host).lower(x).as_text()) == ["a host callback"]
    with pytest.raises(ValueError, match="platform"):  # JAX itself binds a callback to the platform it is on
        faults(jax.jit(calls_the_host), x, platform=platform)
    (rows,) = export.symbolic_shape("rows")
    symbolic = jax.ShapeDtypeStruct((rows, 2), jnp.float32)
    assert "a dynamic shape" in faults(jax.jit(lambda x: x + x), symbolic, platform=platform)
    with jax.enable_x64(True):
        double = jnp.ones((3,), jnp.float64)
        assert faults(jax.jit(lambda x: x * x), double, platform=platform) == ["float64"]
        assert faults(jax.jit(jnp.argmax), x, platform=platform) == ["int64"]
