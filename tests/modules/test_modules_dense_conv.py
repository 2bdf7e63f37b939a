"""Dense and convolutional blocks: against loops, and how they start."""

import math
from functools import partial

import jax
import numpy as np
import pytest

from hieros_eqx.errors import ConfigError
from hieros_eqx.modules import MLP, ImageEncoder, Linear, Norm
from hieros_eqx.modules.conv import ConvDecoder, ConvEncoder, init_kernel
from tests.modules.builders import filled
from tests.oracles import distributions, images


def hidden(x, layer):
    y = [sum(x[i] * layer.linear.weight[i, j] for i in range(len(x))) for j in range(len(layer.norm.scale))]
    return np.array(
        [
            v / (1 + math.exp(-v))
            for v in distributions.layer_norm(y, layer.norm.scale, layer.norm.offset, 1e-3)
        ]
    )


def test_mlp_is_hidden_layers_then_linear(rng, xp):
    mlp = filled(partial(MLP, 4, 6, 2, 3), rng)
    x = rng.normal(size=(7, 2, 4))
    got = jax.tree.map(xp, mlp)(xp(x))
    for where in np.ndindex(7, 2):
        y = x[where]
        for layer in mlp.hidden.layers:
            y = hidden(y, layer)
        want = y @ mlp.output.weight + mlp.output.bias
        np.testing.assert_allclose(
            got[where], want, rtol=1e-9 if got.dtype == np.float64 else 1e-4, atol=1e-6
        )


def test_linear_starts_truncated_normal_of_average_fan():
    layer = Linear(200, 300, key=jax.random.key(1))
    std = (1 / 250) ** 0.5
    weight = np.asarray(layer.weight, np.float64)
    assert weight.std() == pytest.approx(std, rel=0.02)  # 60,000 weights: 0.3 % expected
    assert weight.mean() == pytest.approx(0, abs=0.02 * std)
    assert 1.99 * std / 0.8796 < abs(weight).max() <= 2 * std / 0.8796 * 1.001
    assert not np.any(layer.bias)
    assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_scale_of_an_output_layer():
    key = jax.random.key(1)
    np.testing.assert_allclose(
        Linear(4, 5, scale=0.01, key=key).weight, 0.01 * Linear(4, 5, key=key).weight, rtol=1e-6
    )
    assert not np.any(MLP(4, 5, 1, 3, out_scale=0.0, key=key).output.weight)


def test_norm_starts_neutral():
    norm = Norm(4)
    assert np.all(norm.scale == 1)
    assert np.all(norm.offset == 0)


def normalised(x, norm):
    y = distributions.each(lambda v: distributions.layer_norm(v, norm.scale, norm.offset, 1e-3), x)
    return y / (1 + np.exp(-y))


@pytest.fixture(scope="module")
def encoder():
    return filled(partial(ConvEncoder, 3, 2), np.random.default_rng(0))


@pytest.fixture(scope="module")
def decoder():
    return filled(partial(ConvDecoder, 5, (32, 16, 3), 2), np.random.default_rng(1))


def test_conv_encoder(rng, encoder):
    x = rng.normal(size=(2, 1, 32, 16, 3))
    got = encoder(x)
    for i in range(2):
        y = x[i, 0]
        for kernel, norm in zip(encoder.kernels, encoder.norms, strict=True):
            y = normalised(images.conv2d(y, kernel, 2), norm)
        assert y.shape == (2, 1, 16)
        np.testing.assert_allclose(got[i, 0], y.reshape(-1), rtol=1e-9, atol=1e-12)


def test_conv_decoder(rng, decoder):
    x = rng.normal(size=(2, 1, 5))
    got = decoder(x)
    for i in range(2):
        y = (x[i, 0] @ decoder.grid.weight).reshape(2, 1, 16)
        for kernel, norm in zip(decoder.kernels, decoder.norms, strict=True):
            y = images.conv2d_transpose(normalised(y, norm), kernel, 2)
        np.testing.assert_allclose(got[i, 0], y + decoder.bias, rtol=1e-9, atol=1e-12)


def test_convolutions_start_with_the_fans_of_all_their_pixels():
    kernel = np.asarray(init_kernel(48, 96, jax.random.key(2)), np.float64)
    assert kernel.shape == (4, 4, 48, 96)
    assert kernel.std() == pytest.approx((1 / (16 * (48 + 96) / 2)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("shape", [(64, 60, 3), (64, 64)])
def test_images_that_cannot_be_halved_four_times_are_refused(shape):
    with pytest.raises(ConfigError, match="divisible by 16"):
        ImageEncoder(shape, 2, key=jax.random.key(0))
