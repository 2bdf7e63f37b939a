"""Every core function: NumPy = jitted JAX in float64, jitted float32 near float64, dtypes kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.core import (
    alignment,
    categorical,
    etbs,
    kl_balance,
    likelihood,
    macro,
    nn,
    normalise,
    returns,
    rewards,
    ssm,
    transforms,
)

R = np.random.default_rng(7)
X, Y = R.normal(size=(7, 3, 4)), R.normal(size=(7, 3, 4))
Z = R.normal(size=(7, 3, 2, 4)) + 1j * R.normal(size=(7, 3, 2, 4))
A_BAR = 0.9 * np.exp(1j * R.normal(size=4))
EIGENVALUES = -0.5 + 1j * np.pi * np.arange(4)
STEP = np.array([1e-3, 1e-2, 3e-2, 1e-1])
B = R.normal(size=(4, 5)) + 1j * R.normal(size=(4, 5))
RESET = R.random((7, 3, 2)) < 0.3
CLOCK = np.arange(9, dtype=np.int32)
U = R.random(50)
BINS = transforms.symexp_bins(9, 2.0)

CASES = {
    "linear": (nn.linear, X, Y[0, :, :].T, Y[0, 0, :3]),
    "layer_norm": (nn.layer_norm, X, Y[0, 0], Y[0, 1]),
    "silu": (nn.silu, X),
    "gelu": (nn.gelu, X),
    "sigmoid": (nn.sigmoid, 30 * X),
    "softplus": (nn.softplus, 30 * X),
    "logsumexp": (nn.logsumexp, 30 * X),
    "softmax": (nn.softmax, X),
    "log_softmax": (nn.log_softmax, X),
    "one_hot": (lambda i: nn.one_hot(i, 4, np.float32), np.array([[0, 3, -1]], np.int32)),
    "symlog": (transforms.symlog, 10 * X),
    "symexp": (transforms.symexp, X),
    "two_hot": (lambda x: transforms.two_hot(x, BINS), X),
    "from_two_hot": (lambda x: transforms.from_two_hot(nn.softmax(x), BINS[:4]), X),
    "mean_of_logits": (lambda x: transforms.mean_of_logits(9 * x, BINS[:4]), X),
    "unimix": (categorical.unimix, 10 * X),
    "kl": (categorical.kl, X, Y),
    "entropy": (categorical.entropy, X),
    "sample": (categorical.sample, X, Y),
    "mode": (categorical.mode, X),
    "log_prob": (categorical.log_prob, X, Y),
    "kl_losses": (kl_balance.kl_losses, X, Y),
    "bernoulli_log_prob": (likelihood.bernoulli_log_prob, 9 * X, nn.sigmoid(Y)),
    "squared_error": (lambda x, y: likelihood.squared_error(x, y, 2), X, Y),
    "symlog_squared_error": (likelihood.symlog_squared_error, X, 9 * Y),
    "lambda_return": (lambda *a: returns.lambda_return(*a, 0.95), X, Y, nn.sigmoid(X), X[0]),
    "continuation_weights": (returns.continuation_weights, X[0], nn.sigmoid(Y)),
    "percentile": (lambda x: normalise.percentile(x, 0.3), X),
    "percentile_range": (normalise.percentile_range, X),
    "ema": (lambda x, y: normalise.ema({"w": x}, {"w": y}, 0.02), X, Y),
    "ema_corrected": (lambda x, n: normalise.ema_corrected(x, n, 0.5), X[0, 0], np.arange(4, dtype=np.int32)),
    "subgoal_reward": (rewards.subgoal_reward, X, Y),
    "subgoal_reward_plain": (lambda x, y: rewards.subgoal_reward(x, y, squared=False), X, Y),
    "mean_subgoal_reward": (lambda x, y: rewards.mean_subgoal_reward(x.reshape(-1, x.shape[-1]), y), X, Y),
    "novelty_reward": (rewards.novelty_reward, X, Y),
    "novelty_reward_mse": (lambda x, y: rewards.novelty_reward(x, y, "mse"), X, Y),
    "discretize_zoh": (ssm.discretize, EIGENVALUES, B, STEP),
    "discretize_bilinear": (lambda *a: ssm.discretize(*a, "bilinear"), EIGENVALUES, B, STEP),
    "ssm.scan": (ssm.scan, A_BAR, Z, RESET, Z[1]),
    "ssm.scan_learned": (ssm.scan, A_BAR, Z, RESET, Z[1], A_BAR),
    "ssm.step": (ssm.step, A_BAR, Z[0], RESET[0], Z[1]),
    "ssm.step_learned": (ssm.step, A_BAR, Z[0], RESET[0], Z[1], A_BAR),
    "etbs.cdf": (etbs.cdf, U),
    "etbs.inverse_cdf": (etbs.inverse_cdf, U),
    "etbs.index": (lambda u: etbs.index(u, 100, 0.3), U),
    "etbs.index_sizes": (lambda u, n: etbs.index(u, n, 0.3), U, np.arange(1, 51, dtype=np.int32)),
    "previous_action": (alignment.previous_action, X, RESET[..., 0]),
    "previous_action_before": (alignment.previous_action, X, RESET[..., 0], Y[0]),
    "due": (lambda n: macro.due(n, 4), CLOCK),
    "window_fill": (lambda x: macro.window_fill({"h": x}, 3), X),
    "window_push": (lambda x, y: macro.window_push({"h": x}, {"h": y}), X, Y[:, 0]),
    "where_env": (lambda m, x, y: macro.where_env(m, (x, None), (y, None)), RESET[:, 0, 0], X, Y),
}

cases = pytest.mark.parametrize("name", CASES)


def at(precision, x):
    if x.dtype.kind in "fc":
        return x.astype(np.result_type(precision, np.complex64) if x.dtype.kind == "c" else precision)
    return x


@pytest.mark.x64
@cases
def test_numpy_equals_jitted_jax_in_float64(name):
    function, *args = CASES[name]
    compare(jax.jit(function)(*map(jnp.asarray, args)), function(*args), rtol=1e-12, atol=1e-14)


@cases
def test_jitted_float32_is_near_float64(name):
    """A few thousand roundings of 6e-8 at most; atol for differences of numbers of size one."""
    function, *args = CASES[name]
    got = jax.jit(function)(*(jnp.asarray(at(np.float32, a)) for a in args))
    compare(got, function(*args), rtol=2e-5, atol=3e-6)


@cases
def test_numpy_keeps_float32(name):
    function, *args = CASES[name]
    got, want = function(*(at(np.float32, a) for a in args)), function(*args)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert g.dtype == at(np.float32, w).dtype
    compare(got, want, rtol=2e-5, atol=3e-6)


def compare(got, want, **tolerance):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert g.shape == w.shape and g.dtype.kind == w.dtype.kind
        assert np.isfinite(w).all()
        np.testing.assert_allclose(g, w, **tolerance)
