import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import backend


def running_sum(carry, x):
    total = carry["total"] + x[0]
    return {"total": total}, (total, x[1] * 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan(xp, reverse):
    xs = np.arange(1.0, 5.0), np.arange(8.0).reshape(4, 2)
    carry, (totals, doubled) = backend.scan(
        running_sum, {"total": xp(np.array(0.0))}, tuple(map(xp, xs)), reverse=reverse
    )
    assert carry["total"] == 10
    np.testing.assert_array_equal(totals, [10, 9, 7, 4] if reverse else [1, 3, 6, 10])
    np.testing.assert_array_equal(doubled, 2 * xs[1])


def test_scan_over_nothing_but_a_length(xp):
    carry, ys = backend.scan(lambda c, _: (c * 2, None), xp(np.array(1.0)), None, length=5)
    assert carry == 32 and ys is None


def test_scan_needs_a_step(xp):
    for xs, length in [(xp(np.zeros((0, 2))), None), (None, None)]:
        with pytest.raises(ValueError, match="at least one step"):
            backend.scan(lambda c, x: (c, x), xp(np.zeros(2)), xs, length=length)


def test_associative_scan_keeps_the_order_of_a_noncommutative_operator(xp, rng):
    matrices = rng.normal(size=(7, 3, 3))
    got = backend.associative_scan(lambda early, late: {"m": late["m"] @ early["m"]}, {"m": xp(matrices)})[
        "m"
    ]
    want = np.eye(3)
    for t in range(7):
        want = matrices[t] @ want
        np.testing.assert_allclose(got[t], want, rtol=1e-4, atol=1e-5)


def test_cond(xp):
    for known in (True, False):
        got = backend.cond(xp(np.array(known)), lambda x: x + 1, lambda x: x - 1, xp(np.zeros(2)))
        np.testing.assert_array_equal(got, [1, 1] if known else [-1, -1])
    traced = jax.jit(lambda flag, x: backend.cond(flag, lambda x: x + 1, lambda x: x - 1, x))
    np.testing.assert_array_equal(traced(jnp.array(False), jnp.zeros(2)), [-1, -1])
