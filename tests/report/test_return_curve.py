import numpy as np
import pytest

from hieros_eqx.report.return_curve import Curve, mean_over_seeds, moving_means


def episodes(seed, returns):
    return [{"seed": seed, "env_step": 10 * (i + 1), "return": float(x)} for i, x in enumerate(returns)]


def test_moving_means_over_a_tenth():
    curves = moving_means(episodes(4, range(20)) + episodes(1, [5, 7]))
    assert list(curves) == [1, 4]
    assert (curves[1].window, curves[4].window) == (1, 2)
    np.testing.assert_array_equal(curves[1].mean, [5.0, 7.0])
    np.testing.assert_allclose(curves[4].mean, np.arange(19) + 0.5)
    np.testing.assert_array_equal(curves[4].env_step, 20 + 10 * np.arange(19))


def curve(steps, means):
    return Curve(np.array(steps, np.float64), np.array(means, np.float64), 1)


def test_the_mean_over_seeds_where_all_of_them_are():
    mean = mean_over_seeds({0: curve([0, 10, 20], [0, 10, 20]), 1: curve([5, 25], [4, 4])})
    assert (mean.env_step[0], mean.env_step[-1]) == (5.0, 20.0)
    np.testing.assert_allclose(mean.mean, (mean.env_step + 4) / 2)
    # of two seeds every resample lies between them, and a quarter of the resamples is one of them twice
    np.testing.assert_allclose(mean.low, np.minimum(mean.env_step, 4.0))
    np.testing.assert_allclose(mean.high, np.maximum(mean.env_step, 4.0))


def test_equal_seeds_have_an_interval_of_no_width():
    mean = mean_over_seeds({i: curve([0, 9], [3, 3]) for i in range(3)})
    np.testing.assert_array_equal(mean.low, mean.mean)
    np.testing.assert_array_equal(mean.high, mean.mean)


@pytest.mark.parametrize(
    "curves", [{}, {0: curve([0, 9], [1, 2])}, {0: curve([0, 4], [1, 2]), 1: curve([5, 9], [1, 2])}]
)
def test_no_mean_where_seeds_do_not_meet(curves):
    assert mean_over_seeds(curves) is None
