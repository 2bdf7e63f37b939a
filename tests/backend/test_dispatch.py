import sys
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import backend


class Pair(NamedTuple):
    left: object
    right: object


class Model(eqx.Module):
    weight: object
    activation: object
    size: int = eqx.field(static=True)


def test_arguments_choose_and_jax_wins():
    x, y = np.zeros(3), jnp.zeros(3)
    assert backend.namespace(x, 1.0, None) is np
    assert backend.namespace(np.float64(1.0)) is np
    assert backend.namespace(x, y) is jnp
    assert not backend.is_jax(x, None) and backend.is_jax(x, y)
    assert jax.eval_shape(lambda z: backend.namespace(z).exp(z), y).shape == (3,)  # a tracer is a JAX array


def test_to_numpy_and_back():
    tree = {"a": Pair(jnp.arange(3), None), "b": [jnp.ones(2, jnp.bfloat16), "text"], "c": (np.float32(1),)}
    moved = backend.to_numpy(tree)
    assert isinstance(moved["a"].left, np.ndarray) and moved["a"].left.dtype.kind == "i"
    assert moved["b"][0].dtype == np.float32 and moved["b"][1] == "text"
    back = backend.to_jax(moved)
    assert all(isinstance(leaf, jax.Array) for leaf in (back["a"].left, back["b"][0], back["c"][0]))


def test_to_numpy_casts_what_is_inexact():
    tree = [
        jnp.ones(2, jnp.float32),
        jnp.ones(2, jnp.complex64),
        jnp.ones(2, jnp.bfloat16),
        jnp.arange(2),
        True,
    ]
    real, imaginary, half, integer, flag = backend.to_numpy(tree, np.float64)
    assert real.dtype == half.dtype == np.float64
    assert imaginary.dtype == np.complex128
    assert integer.dtype.kind == "i" and flag is True


def test_modules_move_with_their_functions_and_keys():
    model = Model(jnp.ones(3, jnp.float32), jax.nn.relu, 3)
    moved = backend.to_numpy(model, np.float64)
    assert moved.weight.dtype == np.float64 and moved.activation is jax.nn.relu and moved.size == 3
    assert isinstance(backend.to_jax(moved).weight, jax.Array)
    key = jax.random.key(0)
    assert backend.to_numpy({"key": key})["key"] is key


def test_trees_without_jax_behave_as_with_it(monkeypatch):
    tree = {"b": Pair(np.arange(3), None), "a": [np.ones(2), (np.zeros(1),)]}
    with_jax = backend.tree_leaves(tree), backend.tree_map(lambda x, y: x + y, tree, tree)
    monkeypatch.delitem(sys.modules, "jax")
    leaves, mapped = backend.tree_leaves(tree), backend.tree_map(lambda x, y: x + y, tree, tree)
    monkeypatch.undo()
    for got, want in zip(leaves, with_jax[0], strict=True):
        np.testing.assert_array_equal(got, want)
    assert jax.tree.structure(mapped) == jax.tree.structure(with_jax[1])
    for got, want in zip(jax.tree.leaves(mapped), jax.tree.leaves(with_jax[1]), strict=True):
        np.testing.assert_array_equal(got, want)


def test_set_at_leaves_its_argument_alone(xp):
    x = xp(np.zeros(3, np.float32))
    np.testing.assert_array_equal(backend.set_at(x, 1, 2.0), [0, 2, 0])
    np.testing.assert_array_equal(x, [0, 0, 0])
    assert backend.is_jax(backend.set_at(np.zeros(3, np.float32), jnp.int32(1), 2.0))


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_as_complex_keeps_the_precision(precision):
    z = backend.as_complex(np.ones(2, precision), np.arange(2, dtype=precision))
    np.testing.assert_array_equal(z, [1, 1 + 1j])
    assert z.dtype == np.result_type(precision, np.complex64)
    np.testing.assert_array_equal(backend.as_complex(jnp.ones(2), jnp.arange(2.0)), [1, 1 + 1j])


def test_stop_gradient_on_a_tree():
    def loss(x):
        return jnp.sum(backend.stop_gradient({"x": x, "none": None})["x"] * x)

    np.testing.assert_array_equal(jax.grad(loss)(jnp.array([2.0, 3.0])), [2.0, 3.0])
    x = np.ones(2)
    assert backend.stop_gradient(x) is x
