import numpy as np
import pytest

from hieros_eqx.core import categorical, kl_balance, likelihood, nn, transforms
from tests.golden.reference import Reference

REFERENCE = Reference(
    *(f"kl.{name}" for name in ("post_logit", "prior_logit", "loss", "value", "dyn_loss", "rep_loss")),
    *(f"kl.post_{name}" for name in ("entropy", "probs", "logprob_of_argmax")),
    *(f"kl.flatten_{name}" for name in ("entropy", "logprob_of_argmax")),
    *(f"twohot.{name}" for name in ("x", "logits", "buckets", "log_prob", "mode", "mean", "target")),
    *(f"twohot.zero_logits_{name}" for name in ("log_prob", "mode")),
    *("symlog.x", "symlog.y", "symexp.y"),
    *(f"symlog_mse.{name}" for name in ("mode_raw", "value", "log_prob")),
    *(f"bern.{name}" for name in ("logits", "x", "log_prob", "mean")),
)
pytestmark = pytest.mark.x64
CLOSE = {"rtol": 1e-10, "atol": 1e-13}


def unimixed(xp, key):
    return categorical.unimix(xp(REFERENCE[key]), 0.01)


def test_kl_losses(xp):
    posterior, prior = unimixed(xp, "kl.post_logit"), unimixed(xp, "kl.prior_logit")
    value = categorical.kl(posterior, prior).sum(-1)
    np.testing.assert_allclose(value, REFERENCE["kl.value"], **CLOSE)
    dynamics, representation = (loss.mean() for loss in kl_balance.kl_losses(posterior, prior, free_nats=1.0))
    np.testing.assert_allclose(dynamics, REFERENCE["kl.dyn_loss"], **CLOSE)
    np.testing.assert_allclose(representation, REFERENCE["kl.rep_loss"], **CLOSE)
    np.testing.assert_allclose(0.5 * dynamics + 0.1 * representation, REFERENCE["kl.loss"], **CLOSE)


def test_categorical(xp):
    posterior = unimixed(xp, "kl.post_logit")
    entropy = categorical.entropy(posterior)
    np.testing.assert_allclose(entropy.sum(-1), REFERENCE["kl.post_entropy"], **CLOSE)
    np.testing.assert_allclose(nn.softmax(posterior), REFERENCE["kl.post_probs"], **CLOSE)
    log_prob = categorical.log_prob(posterior, categorical.mode(posterior))
    np.testing.assert_allclose(log_prob, REFERENCE["kl.post_logprob_of_argmax"], **CLOSE)
    np.testing.assert_allclose(entropy.mean(-1), REFERENCE["kl.flatten_entropy"], **CLOSE)
    np.testing.assert_allclose(log_prob.mean(-1), REFERENCE["kl.flatten_logprob_of_argmax"], **CLOSE)


def test_two_hot(xp):
    """The reference's bins are evenly spaced in symlog space, with targets squashed and means unsquashed."""
    bins = transforms.symlog_bins(255)
    np.testing.assert_allclose(bins, REFERENCE["twohot.buckets"], rtol=1e-10, atol=1e-14)
    logits = xp(REFERENCE["twohot.logits"])
    target = transforms.two_hot(transforms.symlog(xp(REFERENCE["twohot.x"])[..., 0]), bins)
    np.testing.assert_allclose(target[0], REFERENCE["twohot.target"], **CLOSE)
    log_prob = categorical.log_prob(logits, target)
    np.testing.assert_allclose(log_prob, REFERENCE["twohot.log_prob"], **CLOSE)
    mean = transforms.symexp(transforms.mean_of_logits(logits, bins))[..., None]
    np.testing.assert_allclose(mean, REFERENCE["twohot.mean"], **CLOSE)
    np.testing.assert_array_equal(REFERENCE["twohot.mode"], REFERENCE["twohot.mean"])


def test_two_hot_of_zero_logits(xp):
    bins, logits = transforms.symlog_bins(255), xp(np.zeros((1, 14, 255)))
    target = transforms.two_hot(transforms.symlog(xp(REFERENCE["twohot.x"])[..., 0]), bins)
    log_prob = categorical.log_prob(logits, target)
    np.testing.assert_allclose(log_prob, REFERENCE["twohot.zero_logits_log_prob"], **CLOSE)
    mean = transforms.symexp(transforms.mean_of_logits(logits, bins))[..., None]
    np.testing.assert_allclose(mean, REFERENCE["twohot.zero_logits_mode"], **CLOSE)


def test_symlog_and_symexp(xp):
    x = xp(REFERENCE["symlog.x"])
    np.testing.assert_allclose(transforms.symlog(x), REFERENCE["symlog.y"], **CLOSE)
    np.testing.assert_allclose(transforms.symexp(x / 10), REFERENCE["symexp.y"], **CLOSE)


def test_symlog_squared_error(xp):
    error = likelihood.symlog_squared_error(
        xp(REFERENCE["symlog_mse.mode_raw"]), xp(REFERENCE["symlog_mse.value"]), ndims=1
    )
    np.testing.assert_allclose(-error, REFERENCE["symlog_mse.log_prob"], **CLOSE)


def test_bernoulli(xp):
    logits, x = xp(REFERENCE["bern.logits"]), xp(REFERENCE["bern.x"])
    np.testing.assert_allclose(likelihood.bernoulli_log_prob(logits, x), REFERENCE["bern.log_prob"], **CLOSE)
    np.testing.assert_allclose(nn.sigmoid(logits), REFERENCE["bern.mean"], **CLOSE)
