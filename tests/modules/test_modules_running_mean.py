"""The mean of all batches: against the mean of them laid end to end, and without gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.backend import to_numpy
from hieros_eqx.modules import make_decoder
from hieros_eqx.modules.running_mean import RunningMean
from tests.modules.builders import IMAGE, observations, tiny, world_model

SHAPE = (4, 5, 3)


def test_batches_count_alike(rng):
    batches, mean = rng.normal(size=(7, 2, 6, *SHAPE)), to_numpy(RunningMean(SHAPE))
    np.testing.assert_array_equal(mean(batches[0]), np.zeros((1, 1, *SHAPE)))
    for n, batch in enumerate(batches, start=1):
        mean = mean.moved(batch)
        want = np.mean([picture for one in batches[:n] for row in one for picture in row], axis=0)
        np.testing.assert_allclose(mean.mean, want, rtol=1e-5, atol=1e-6)
        assert mean.batches == n


def test_gradients_do_not_reach_it(rng):
    x = jnp.asarray(rng.normal(size=(2, *SHAPE)), jnp.float32)
    mean = RunningMean(SHAPE).moved(x + 1)
    gradient = jax.grad(lambda own: ((x - own(x)) ** 2).sum())(mean)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("kind", ["s5wm", "rssm"])
def test_a_world_model_sees_pictures_less_their_mean(rng, kind):
    """Encoder and decoder keep the same mean; what is decoded is the mean and what the network adds."""
    plain = world_model(np.random.default_rng(1), observation=IMAGE, kind=kind)
    model = eqx.tree_at(
        lambda m: (m.encoder.centre, m.predictions.decoder.centre),
        plain,
        (to_numpy(RunningMean(IMAGE.shape)),) * 2,
        is_leaf=lambda x: x is None,
    )
    first, second = observations(rng, IMAGE, 3, 2), observations(rng, IMAGE, 3, 2)
    model = model.seen(first).seen(second)
    mean = (first / 255 - 0.5).mean((0, 1)) / 2 + (second / 255 - 0.5).mean((0, 1)) / 2
    encoder, decoder = model.encoder, model.predictions.decoder
    np.testing.assert_allclose(encoder.centre.mean, mean, atol=1e-6)
    np.testing.assert_array_equal(encoder.centre.mean, decoder.centre.mean)
    want = plain.encoder.conv(first / 255 - 0.5 - encoder.centre.mean)
    np.testing.assert_allclose(encoder(first), want, rtol=1e-9)
    feature = rng.normal(size=(2, plain.predictions.decoder.conv.grid.weight.shape[0]))
    np.testing.assert_allclose(decoder(feature), decoder.centre.mean + plain.predictions.decoder(feature))


def test_without_the_option_there_is_nothing_to_move(rng):
    model = world_model(rng, observation=IMAGE)
    assert model.encoder.centre is None and model.predictions.decoder.centre is None
    seen = model.seen(observations(rng, IMAGE, 3, 2))
    for a, b in zip(jax.tree.leaves(seen), jax.tree.leaves(model), strict=True):
        assert a is b


def test_pictures_start_as_quiet_as_configured():
    feature = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    loud, quiet = (
        make_decoder(6, IMAGE, tiny(picture_scale=scale), key=jax.random.key(0)) for scale in (1.0, 0.1)
    )
    np.testing.assert_allclose(quiet(feature), 0.1 * loud(feature), rtol=1e-4, atol=1e-6)
