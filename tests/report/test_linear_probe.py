import numpy as np
import pytest

from hieros_eqx.report.linear_probe import linear_probe


@pytest.fixture
def samples(rng):
    features = rng.normal(size=(400, 5))
    groups = np.repeat(np.arange(8)[::-1], 50)  # named backwards: order is that of the samples
    return features, groups


def test_linear_labels_are_read_and_noise_is_not(rng, samples):
    features, groups = samples
    linear = features @ rng.normal(size=(5, 2)) + 3.0
    labels = np.concatenate([linear, rng.normal(size=(400, 1)), np.full((400, 1), 0.1)], axis=1)
    found = linear_probe(features, labels, groups)
    assert found.shape == (4,)
    assert np.isnan(found[3]), "there is nothing to explain"
    np.testing.assert_allclose(found[:2], 1, atol=1e-4)  # the ridge takes a thousandth of the slope
    assert found[2] < 0.1


def test_against_least_squares(samples):
    """Without ridge it is ordinary least squares on the first groups, judged on the last."""
    features, groups = samples
    labels = (features[:, 0] * features[:, 1] + features[:, 2])[:, None]
    fit, test = slice(0, 300), slice(300, 400)  # 30 % of 8 groups: the last two
    design = np.c_[features, np.ones(400)]
    weights = np.linalg.lstsq(design[fit], labels[fit], rcond=None)[0]
    residual = labels[test] - design[test] @ weights
    expected = 1 - (residual**2).sum() / ((labels[test] - labels[test].mean()) ** 2).sum()
    found = linear_probe(features, labels, groups, ridge=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_was_learned_by_heart_does_not_count(rng):
    """As many features as samples fit anything; held-out episodes show it."""
    found = linear_probe(rng.normal(size=(60, 60)), rng.normal(size=(60, 1)), np.repeat(np.arange(6), 10))
    assert found[0] < 0.2


def test_unknown_labels_are_left_out(samples):
    features, groups = samples
    labels = features[:, :1].copy()
    labels[::3] = np.nan
    np.testing.assert_allclose(linear_probe(features, labels, groups), 1, atol=1e-4)


@pytest.mark.parametrize("groups", [np.zeros(6), np.arange(6)])
def test_too_little_is_told(groups):
    labels = np.where(np.arange(6) < 2, 1.0, np.nan)[:, None]
    with pytest.raises(ValueError, match="two samples on each side"):
        linear_probe(np.zeros((6, 2)), labels, groups)
