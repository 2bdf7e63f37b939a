"""Updates that are not finite change nothing but counts, whatever in them is not finite."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import init
from tests.agent.conftest import SPACES, tiny
from tests.agent.stocked import SMALL, assert_same, changed, counts, numbers, stocked

compiled, learning, behaviour = (
    importlib.import_module(f"hieros_eqx.agent.{name}") for name in ("update", "learn", "behaviour")
)

PARTS = ("world_model", "actor", "critic", "autoencoder")
FAULTS = (
    *(f"{part} loss" for part in PARTS),
    *(f"{part} gradient" for part in PARTS),
    "return range",
    "beta",
    "entropy",  # which is only watched
)


@jax.custom_vjp
def poisoned(tree, _value):
    """Return `tree`; `value` is added to the gradient of one number in it."""
    return tree


def _backward(value, gradients):
    leaves, structure = jax.tree.flatten(gradients)
    leaves[0] = leaves[0].at[(0,) * leaves[0].ndim].add(value)
    return jax.tree.unflatten(structure, leaves), jnp.zeros_like(value)


poisoned.defvjp(lambda tree, value: (tree, value), _backward)


@pytest.fixture(scope="module")
def one_level():
    """Return an update of one level that takes a value to add to each of `FAULTS`, and its arguments."""
    config = tiny(levels=1, **SMALL)
    state = init(config, SPACES, jax.random.key(0))
    rings = stocked(state.replay, np.random.default_rng(0))
    _, _, batch = jax.jit(lambda key: compiled.sample_batch(rings, 0, key, config))(jax.random.key(1))

    def learn(level, learner, faults):
        fault = dict(zip(FAULTS, faults, strict=True))
        wm, actor = learning.world_model_loss, behaviour.actor_loss
        critic, code = behaviour.critic_loss, learning.autoencoder_loss
        spread, beta = behaviour.update_return_range, learning.adapt_beta

        def world_model_loss(model, *args):
            loss, (latent, means, metrics) = wm(poisoned(model, fault["world_model gradient"]), *args)
            bad = fault["world_model loss"]
            return loss + bad, (latent, means, metrics._replace(loss=metrics.loss + bad))

        def actor_loss(model, *args):
            loss, entropy = actor(poisoned(model, fault["actor gradient"]), *args)
            return loss + fault["actor loss"], entropy + fault["entropy"]

        def critic_loss(model, *args):
            loss, targets = critic(poisoned(model, fault["critic gradient"]), *args)
            return loss, targets._replace(loss=targets.loss.at[2].add(fault["critic loss"]))

        def autoencoder_loss(model, *args):
            loss, metrics = code(poisoned(model, fault["autoencoder gradient"]), *args)
            return loss, metrics._replace(loss=metrics.loss + fault["autoencoder loss"])

        def update_return_range(*args):
            new, scale = spread(*args)
            return new.at[0].add(fault["return range"]), scale

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learning, "world_model_loss", world_model_loss)
            patch.setattr(learning, "autoencoder_loss", autoencoder_loss)
            patch.setattr(learning, "adapt_beta", lambda *args: beta(*args) + fault["beta"])
            patch.setattr(behaviour, "actor_loss", actor_loss)
            patch.setattr(behaviour, "critic_loss", critic_loss)
            patch.setattr(behaviour, "update_return_range", update_return_range)
            level, learner, _, metrics = learning.learn(level, learner, batch, jax.random.key(2), config)
        return level, learner, metrics

    jitted = jax.jit(learn)

    def run(level, learner, fault=None, value=np.nan):
        values = np.zeros(len(FAULTS), np.float32)
        if fault is not None:
            values[FAULTS.index(fault)] = value
        return jitted(level, learner, values)

    return run, state.params.worker, state.learner.worker


def test_a_finite_update_changes_parameters_and_counts_no_skip(one_level):
    run, level, learner = one_level
    new, new_learner, metrics = run(level, learner)
    assert changed(new, level) > 0.8
    assert all(np.isfinite(x).all() for x in numbers((new, new_learner, metrics)).values())
    assert counts(new_learner) == (1, 0, 0)
    assert float(metrics.skipped) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_a_fault_leaves_nothing_but_counts(one_level, fault, value):
    run, level, learner = one_level
    new, new_learner, metrics = run(level, learner, fault, value)
    assert_same((new, new_learner), (level, learner))
    assert counts(new_learner) == (0, 1, 1)
    assert float(metrics.skipped) == 1


@pytest.mark.parametrize("part", PARTS)
def test_finite_gradients_whose_norm_overflows_are_skipped(one_level, part):
    """Clipped by an infinite norm they would be zeros, or NaN where they are infinite themselves."""
    run, level, learner = one_level
    new, new_learner, metrics = run(level, learner, f"{part} gradient", 1e30)
    assert np.isinf(getattr(metrics.gradient_norm, part))
    assert_same((new, new_learner), (level, learner))
    *_, metrics = run(level, learner, f"{part} gradient", 1e15)  # clipped, and good
    assert float(metrics.skipped) == 0


def test_a_metric_that_is_only_watched_skips_nothing(one_level):
    run, level, learner = one_level
    new, new_learner, metrics = run(level, learner, "entropy")
    assert np.isnan(metrics.behaviour.entropy) and float(metrics.skipped) == 0
    assert_same((new, new_learner), run(level, learner)[:2])


def test_skipped_updates_are_counted_in_a_row_and_in_all(one_level):
    run, level, learner = one_level
    wanted = run(level, learner)
    found = []
    for fault in ("actor loss", "beta", None, "critic gradient"):
        level, learner, _ = run(level, learner, fault)
        found.append(counts(learner))
        if fault is None:  # as if nothing had happened before
            assert_same((level, learner), wanted[:2])
    assert found == [(0, 1, 1), (0, 2, 2), (1, 2, 0), (1, 3, 1)]
