"""Returns, weights, alignment, macro steps."""

import numpy as np
import pytest

from hieros_eqx.core import alignment, macro, returns
from tests.oracles import sequences as oracle


@pytest.mark.x64
@pytest.mark.parametrize("lambda_", [0.0, 0.95, 1.0])
def test_lambda_return(xp, rng, lambda_):
    reward, value = rng.normal(size=(2, 7, 3, 2))
    discount, bootstrap = rng.random((7, 3, 2)), rng.normal(size=(3, 2))
    args = reward, value, discount, bootstrap
    want = oracle.lambda_return(*args, lambda_)
    np.testing.assert_allclose(returns.lambda_return(*map(xp, args), lambda_), want, rtol=1e-12)


def test_lambda_return_by_hand(xp):
    reward, value = xp(np.array([1.0, 2.0])), xp(np.array([100.0, 10.0]))
    got = returns.lambda_return(reward, value, xp(np.array([0.5, 0.5])), xp(np.array(4.0)), 0.5)
    np.testing.assert_allclose(got, [1 + 0.5 * (0.5 * 10 + 0.5 * 4), 2 + 0.5 * 4])


def test_empty_horizon_is_refused(xp):
    none = xp(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="at least one"):
        returns.lambda_return(none, none, none, xp(np.zeros(3)), 0.95)


@pytest.mark.x64
def test_continuation_weights(xp, rng):
    initial, discount = rng.random((3, 2)), rng.random((7, 3, 2))
    want = oracle.continuation_weights(initial, discount)
    np.testing.assert_allclose(returns.continuation_weights(xp(initial), xp(discount)), want, rtol=1e-12)


def test_previous_action(xp, rng):
    action, is_first = rng.normal(size=(7, 3, 2)).astype(np.float32), rng.random((7, 3)) < 0.3
    before = rng.normal(size=(3, 2)).astype(np.float32)
    is_first[0] = [True, False, False]
    got = alignment.previous_action(xp(action), xp(is_first), xp(before))
    np.testing.assert_array_equal(got, oracle.previous_action(action, is_first, before))
    got = alignment.previous_action(xp(action), xp(is_first))
    np.testing.assert_array_equal(got, oracle.previous_action(action, is_first, 0 * before))


def test_due(xp):
    clock = xp(np.array([0, 1, 3, 4, 8], np.int32))
    np.testing.assert_array_equal(macro.due(clock, 4), [True, False, False, True, True])
    np.testing.assert_array_equal(macro.due(clock, 1), [True] * 5)


def test_window_keeps_the_last_entries_oldest_first(xp, rng):
    steps = rng.normal(size=(6, 3, 2)).astype(np.float32)
    window = macro.window_fill({"h": xp(steps[0])}, 4)
    np.testing.assert_array_equal(window["h"], np.repeat(steps[0][:, None], 4, axis=1))
    for t in range(1, 6):
        window = macro.window_push(window, {"h": xp(steps[t])})
    np.testing.assert_array_equal(window["h"], np.moveaxis(steps[2:], 0, 1))


def test_where_env_selects_rows_of_every_leaf(xp):
    mask = xp(np.array([True, False, True]))
    ones = (xp(np.ones((3, 2, 4))), xp(np.ones(3, np.int32)), None)
    zeros = (xp(np.zeros((3, 2, 4))), xp(np.zeros(3, np.int32)), None)
    wide, flat, none = macro.where_env(mask, ones, zeros)
    np.testing.assert_array_equal(wide, np.array([1, 0, 1])[:, None, None] * np.ones((3, 2, 4)))
    np.testing.assert_array_equal(flat, [1, 0, 1])
    assert none is None
