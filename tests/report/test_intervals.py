import numpy as np
import pytest

from hieros_eqx.report.intervals import bootstrap


def test_constant_data_have_no_width():
    assert bootstrap(np.full(7, 0.25)) == (0.25, 0.25, 0.25)


def test_interval_of_normal_data_is_the_textbook_one(rng):
    values = rng.normal(2.0, 3.0, size=400)
    interval = bootstrap(values)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose(interval.mean, values.mean(), rtol=1e-12)
    # 10,000 resamples put the quantiles within some 3 % of the half-width
    np.testing.assert_allclose(interval.low, values.mean() - half, atol=0.06 * half)
    np.testing.assert_allclose(interval.high, values.mean() + half, atol=0.06 * half)


def test_it_holds_the_mean_as_often_as_it_says(rng):
    held = 0
    for seed in range(200):
        interval = bootstrap(rng.normal(size=60), resamples=400, confidence=0.8, seed=seed)
        held += interval.low <= 0 <= interval.high
    assert 140 <= held <= 178  # 160 of 200, +- 3 standard deviations


def test_no_sample_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        bootstrap(np.zeros(0))
