"""Heads, encoders and decoders: losses against loops, and what predictions stand for."""

from functools import partial

import jax
import numpy as np
import pytest

from hieros_eqx.backend import to_numpy
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.modules import (
    CategoricalHead,
    ContinueHead,
    TwoHotBins,
    TwoHotHead,
    VectorEncoder,
    WindowEncoder,
    make_decoder,
    make_encoder,
)
from hieros_eqx.types import Window
from tests.modules.builders import IMAGE, VECTOR, WINDOW, filled, observations, tiny
from tests.oracles import distributions

SPACES = ["symexp", "symlog"]


def logits(probs):
    return np.log(np.maximum(probs, 1e-30))


@pytest.mark.parametrize("space", SPACES)
def test_two_hot_holds_its_mean(space, xp):
    bins = TwoHotBins(num=255, space=space)
    x = xp(np.array([[-1e4, -3.5, 0.0], [0.01, 7.0, 2e5]], np.float32))
    probs = bins.encode(x)
    np.testing.assert_allclose(np.asarray(probs).sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(bins.mean(logits(probs)), x, rtol=1e-4)  # float32, bins up to 5e8


def test_a_rare_large_reward_is_read_without_bias_from_symexp_bins():
    for space, want in {"symexp": 10.0, "symlog": 0.586}.items():
        bins = TwoHotBins(num=255, space=space)
        probs = 0.1 * bins.encode(np.array(100.0)) + 0.9 * bins.encode(np.array(0.0))
        assert bins.mean(logits(probs)) == pytest.approx(want, rel=1e-2)


@pytest.mark.parametrize("space", SPACES)
def test_two_hot_head_starts_at_zero_exactly(space):
    head = to_numpy(TwoHotHead(4, 6, 1, TwoHotBins(num=255, space=space), key=jax.random.key(0)))
    assert not np.any(head.mean(head.logits(np.ones((3, 4), np.float32))))


@pytest.mark.parametrize("space", SPACES)
def test_two_hot_loss(rng, space):
    head = filled(partial(TwoHotHead, 4, 6, 2, TwoHotBins(num=21, space=space)), rng)
    x, target = rng.normal(size=(5, 4)), 10 * rng.normal(size=5)
    logits = head.logits(x)
    points = np.linspace(-20, 20, 21)
    for i in range(5):
        if space == "symexp":
            weights = distributions.two_hot(target[i], [distributions.symexp(p) for p in points])
        else:
            weights = distributions.two_hot(distributions.symlog(target[i]), points)
        want = -distributions.log_prob(logits[i], weights)
        assert head.loss(logits, target)[i] == pytest.approx(want, rel=1e-9)


def test_continue_head(rng):
    head = filled(partial(ContinueHead, 4, 6, 2), rng)
    logit = head.logit(rng.normal(size=(5, 4)))
    target = np.array([0.0, 1.0, 1.0, 0.0, 0.25])
    np.testing.assert_allclose(head.probability(logit), 1 / (1 + np.exp(-logit)), rtol=1e-12)
    for i in range(5):
        want = -distributions.bernoulli_log_prob(logit[i], target[i])
        assert head.loss(logit, target)[i] == pytest.approx(want, rel=1e-9)


def test_categorical_head_mixes_in_the_uniform(rng):
    head = filled(partial(CategoricalHead, 4, 6, 1, 3, 5, 0.2), rng)
    x = rng.normal(size=(7, 4))
    logits = head.mlp(x).reshape(7, 3, 5)
    want = distributions.each(lambda row: distributions.unimix(row, 0.2), logits)
    np.testing.assert_allclose(head(x), want, rtol=1e-9)
    assert np.exp(head(x)).min() >= 0.04


def test_vector_encoder_squashes_inputs_of_unknown_scale(rng):
    x = 1e3 * rng.normal(size=(4, 10))
    squashed = filled(partial(VectorEncoder, 10, 8, 2), np.random.default_rng(0))
    plain = filled(partial(VectorEncoder, 10, 8, 2, symlog=False), np.random.default_rng(0))
    np.testing.assert_allclose(squashed(x), plain(np.sign(x) * np.log1p(abs(x))), rtol=1e-12)


def test_window_encoder_reads_all_z_then_all_h(rng):
    window = observations(rng, WINDOW, 3)
    encoder = filled(partial(WindowEncoder, WINDOW, 8, 2), rng)
    flat = np.stack([np.concatenate([window.stoch[i].ravel(), window.deter[i].ravel()]) for i in range(3)])
    np.testing.assert_allclose(encoder(window), encoder.hidden(flat), rtol=1e-12)


def test_image_encoder_centres_pixels(rng):
    encoder = filled(partial(make_encoder, IMAGE, tiny()), rng)
    image = observations(rng, IMAGE, 2)
    np.testing.assert_allclose(encoder(image), encoder.conv(image / 255 - 0.5), rtol=1e-12)


@pytest.mark.parametrize("observation", [IMAGE, VECTOR, WINDOW], ids=["image", "vector", "window"])
def test_output_size_is_that_of_the_features(rng, observation):
    encoder = filled(partial(make_encoder, observation, tiny()), rng)
    x = observations(rng, observation, 2, 3)
    assert encoder(x).shape == (2, 3, encoder.output_size)


def decoder(observation, config: WorldModelConfig | None = None):
    return filled(partial(make_decoder, 6, observation, config or tiny()), np.random.default_rng(2))


def test_image_loss_and_picture(rng):
    module, x = decoder(IMAGE), observations(rng, IMAGE, 2)
    prediction = module(rng.normal(size=(2, 6)))
    for i in range(2):
        want = sum(
            (p - (float(v) / 255 - 0.5)) ** 2
            for p, v in zip(prediction[i].ravel(), x[i].ravel(), strict=True)
        )
        assert module.loss(prediction, x)[i] == pytest.approx(want, rel=1e-9)
    exact = x / 255 - 0.5
    np.testing.assert_array_equal(module.to_uint8(exact), x)
    np.testing.assert_array_equal(module.to_uint8(np.array([[[-9.0, 9.0, 0.0]]])), [[[0, 255, 128]]])
    np.testing.assert_array_equal(module.to_observation(prediction), module.to_uint8(prediction))


def test_vector_loss(rng):
    module, x = decoder(VECTOR), observations(rng, VECTOR, 2)
    prediction = module(rng.normal(size=(2, 6)))
    for i in range(2):
        want = sum((p - distributions.symlog(v)) ** 2 for p, v in zip(prediction[i], x[i], strict=True))
        assert module.loss(prediction, x)[i] == pytest.approx(want, rel=1e-9)
    np.testing.assert_allclose(module.to_observation(np.sign(x) * np.log1p(abs(x))), x, rtol=1e-9)


def test_window_loss_latent(rng):
    module, x = decoder(WINDOW), observations(rng, WINDOW, 3)
    prediction = module(rng.normal(size=(3, 6)))
    for i in range(3):
        z = -distributions.each(distributions.log_prob, prediction.stoch[i], x.stoch[i]).sum()
        h = ((prediction.deter[i] - x.deter[i]) ** 2).sum()
        assert module.loss(prediction, x)[i] == pytest.approx((z + h) / 2, rel=1e-9)  # 2 latents
    seen = module.to_observation(prediction)
    np.testing.assert_array_equal(
        seen.stoch, distributions.each(distributions.one_hot_of_argmax, prediction.stoch)
    )
    np.testing.assert_array_equal(seen.deter, prediction.deter)


def test_window_loss_symlog_mse(rng):
    module, x = decoder(WINDOW, tiny(upper_loss="symlog_mse")), observations(rng, WINDOW, 3)
    feature = rng.normal(size=(3, 6))
    prediction = module(feature)
    flat = module.mlp(feature)
    for i in range(3):
        target = [*x.stoch[i].ravel(), *x.deter[i].ravel()]
        want = sum((p - distributions.symlog(v)) ** 2 for p, v in zip(flat[i], target, strict=True)) / 2
        assert module.loss(prediction, x)[i] == pytest.approx(want, rel=1e-9)
    squashed = Window(prediction.stoch, np.sign(x.deter) * np.log1p(abs(x.deter)))
    np.testing.assert_allclose(module.to_observation(squashed).deter, x.deter, rtol=1e-9)
