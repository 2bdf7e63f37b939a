"""The subgoal autoencoder: losses against loops, the code, and its straight-through gradient."""

import math
from functools import partial

import jax
import numpy as np
import pytest

from hieros_eqx.backend import to_jax
from hieros_eqx.config import SubgoalConfig
from hieros_eqx.modules import SubgoalAutoencoder
from tests.modules.builders import filled
from tests.oracles import distributions

CONFIG = SubgoalConfig(factors=3, classes=4, hidden=6, layers=2)


@pytest.fixture(scope="module")
def autoencoder():
    return filled(partial(SubgoalAutoencoder, 5, CONFIG), np.random.default_rng(1))


@pytest.mark.parametrize("sampled", [False, True])
def test_losses(rng, autoencoder, sampled):
    h = 2 * rng.normal(size=(7, 2, 5))
    gumbel = rng.gumbel(size=(7, 2, 3, 4)) if sampled else None
    reconstruction, kl = autoencoder.losses(h, gumbel)
    for where in np.ndindex(7, 2):
        logits = autoencoder.encoder(h[where]).reshape(3, 4)
        scores = logits + gumbel[where] if sampled else logits
        code = np.stack([distributions.one_hot_of_argmax(row) for row in scores])
        goal = autoencoder.decoder(code.ravel())
        want = sum((g - v) ** 2 for g, v in zip(goal, h[where], strict=True)) / 5
        assert reconstruction[where] == pytest.approx(want, rel=1e-9)
        want = sum(sum(p * math.log(4 * p) for p in distributions.softmax(row)) for row in logits) / 3
        assert kl[where] == pytest.approx(want, rel=1e-9)


def test_reconstruction_takes_the_most_likely_code(rng, autoencoder):
    h = 2 * rng.normal(size=(7, 5))
    code = autoencoder.code(autoencoder.logits(h))
    np.testing.assert_array_equal(np.sort(code, -1), np.broadcast_to([0, 0, 0, 1], (7, 3, 4)))
    assert len(np.unique(code, axis=0)) > 1
    np.testing.assert_array_equal(autoencoder.reconstruct(h), autoencoder.decode(code))
    np.testing.assert_array_equal(autoencoder.decode(code), autoencoder.decoder(code.reshape(7, 12)))


@pytest.mark.x64
@pytest.mark.parametrize("sampled", [False, True])
def test_code_passes_the_gradient_of_the_probabilities(rng, autoencoder, sampled):
    logits, weight = to_jax((rng.normal(size=(3, 4)), rng.normal(size=(3, 4))))
    gumbel = to_jax(rng.gumbel(size=(3, 4)))

    def value(logits):
        code = autoencoder.sample(logits, gumbel) if sampled else autoencoder.code(logits)
        return (weight * code).sum()

    want = jax.grad(lambda x: (weight * jax.nn.softmax(x)).sum())(logits)
    np.testing.assert_allclose(jax.grad(value)(logits), want, rtol=1e-9, atol=1e-12)


@pytest.mark.x64
def test_gradients_reach_every_parameter_but_not_h(rng, autoencoder):
    h = to_jax(rng.normal(size=(7, 5)))

    @jax.jit
    def gradients(module, h):
        return jax.grad(lambda module, h: sum(x.sum() for x in module.losses(h)), (0, 1))(module, h)

    module, to_h = gradients(to_jax(autoencoder), h)
    assert not np.any(to_h)
    for path, leaf in jax.tree_util.tree_leaves_with_path(module):
        assert np.any(leaf), path
