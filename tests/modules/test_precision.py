"""The precision policy: which leaves it casts, and that all else computes in float32."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import to_numpy
from hieros_eqx.config import SubgoalConfig, make_preset
from hieros_eqx.modules import Precision, SubgoalAutoencoder
from tests.backend.products import products
from tests.modules.builders import IMAGE, WINDOW, filled, float32_jax, sequence, world_model

LOW, FULL = Precision("bfloat16"), Precision("float32")
OBSERVATIONS = {"image": IMAGE, "window": WINDOW}


def model(rng, observation):
    return float32_jax(world_model(rng, OBSERVATIONS[observation]))


def dtypes(tree):
    """Return the dtype of every leaf by its path."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf.dtype.name for path, leaf in leaves}


def observe(model, arguments):
    return model.observe(model.prepare(), *arguments)


def test_the_policy_is_that_of_the_configuration():
    config = make_preset("debug")
    assert Precision.of(config) == FULL
    assert Precision.of(replace(config, precision="bfloat16")) == LOW


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_weights_and_kernels_are_cast_and_nothing_else(rng, observation):
    own = model(rng, observation)
    found = dtypes(LOW.cast(own))
    for path, dtype in found.items():
        low = path.endswith(".weight") or ".kernels[" in path
        assert dtype == ("bfloat16" if low else "float32"), path
    assert (".encoder.conv.kernels[3]" in found) is (observation == "image")
    assert found[".stack.blocks[1].layers[0].mix.weight"] == "bfloat16"
    assert set(dtypes(own).values()) == {"float32"}  # the tree itself is as it was


def test_float32_and_numpy_leave_a_tree_alone(rng):
    own = model(rng, "image")
    assert FULL.cast(own) is own
    leaves = to_numpy(own)
    cast = LOW.cast(leaves)
    assert all(a is b for a, b in zip(jax.tree.leaves(cast), jax.tree.leaves(leaves), strict=True))


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_outputs_are_float32_and_close(rng, observation):
    """Ten layers of 8 bits each; a sampled z may fall differently, so one kind of noise decides them all."""
    own = model(rng, observation)
    *arguments, gumbel = sequence(rng, OBSERVATIONS[observation])
    arguments = (*float32_jax(tuple(arguments)), jnp.float32(40 * gumbel))
    low, full = (jax.jit(observe)(model, arguments) for model in (LOW.cast(own), own))
    assert set(dtypes(low).values()) == {"float32"}
    np.testing.assert_array_equal(np.round(low.latent.stoch), np.round(full.latent.stoch))
    for a, b in zip(jax.tree.leaves(low), jax.tree.leaves(full), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.03, atol=0.05)
    assert np.any(low.posterior != full.posterior)
    initial = LOW.cast(own).initial((2,))
    assert set(dtypes(initial).values()) == {"float32"}


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_only_the_recurrence_multiplies_in_float32(rng, observation):
    """Of each S5 layer the products with B and C: two forward, four backward."""
    own, arguments = model(rng, observation), float32_jax(sequence(rng, OBSERVATIONS[observation]))

    def loss(own):
        observed = observe(own, arguments)
        losses = own.losses(observed, arguments[0], jnp.zeros((7, 3), jnp.float32), jnp.zeros((7, 3), bool))
        return sum(x.sum() for x in losses)

    found = products(jax.grad(LOW.casting(loss)), own)
    operands = [(p.left, p.right) for p in found]
    assert set(operands) == {("bfloat16", "bfloat16"), ("float32", "float32")}
    layers = own.config.s5.num_layers
    assert operands.count(("float32", "float32")) == 6 * layers
    assert operands.count(("bfloat16", "bfloat16")) > 20
    assert {p.left for p in products(jax.grad(loss), own)} == {"float32"}


def test_gradients_arrive_at_float32_parameters(rng):
    """Against the float32 gradient; the size of the difference is that of rounding to 8 bits."""
    config = SubgoalConfig(factors=3, classes=4, hidden=8, layers=2)
    own = float32_jax(filled(lambda key: SubgoalAutoencoder(5, config, key=key), rng))
    h = jnp.float32(rng.normal(size=(50, 5)))

    def loss(own, h):
        error, kl = own.losses(h)
        return error.mean() + kl.mean()

    low, full = jax.jit(lambda *args: (jax.grad(LOW.casting(loss))(*args), jax.grad(loss)(*args)))(own, h)
    assert set(dtypes(low).values()) == {"float32"}
    a, b = (np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)]) for tree in (low, full))
    assert 1e-4 < np.linalg.norm(a - b) / np.linalg.norm(b) < 0.1
