import numpy as np
import pytest

from hieros_eqx.core import etbs, normalise, returns, rewards, transforms
from tests.golden.reference import Reference

REFERENCE = Reference(
    *(f"lambda.{name}" for name in ("reward", "value", "pcont", "bootstrap", "returns", "weights")),
    *("ema.x1", "ema.x2", "ema.out"),
    *("subgoal.deter", "subgoal.goal"),
    *(f"subgoal.reward_encsymlog{i}_rewsymlog{j}" for i in (0, 1) for j in (0, 1)),
    "etbs.u",
    *(f"etbs.cdf_len{length}" for length in (1000, 1_000_000)),
    *(f"etbs.index_len{length}_tau{tau}" for length in (1000, 1_000_000) for tau in (0.3, 0.7, 1.0)),
)
pytestmark = pytest.mark.x64
CLOSE = {"rtol": 1e-10, "atol": 1e-13}


def test_lambda_return(xp):
    reward, value, discount, bootstrap = (
        xp(REFERENCE[f"lambda.{name}"]) for name in ("reward", "value", "pcont", "bootstrap")
    )
    got = returns.lambda_return(reward, value, discount, bootstrap, 0.95)
    np.testing.assert_allclose(got, REFERENCE["lambda.returns"], **CLOSE)
    weights = returns.continuation_weights(xp(np.ones((7, 1))), discount)
    np.testing.assert_allclose(weights, REFERENCE["lambda.weights"], **CLOSE)


def test_return_range(xp):
    """The reference averages both percentiles from zero without correction, and clips their distance at 1."""
    low = high = xp(np.array(0.0))
    for x, (offset, scale) in zip(
        (REFERENCE["ema.x1"], REFERENCE["ema.x2"]), REFERENCE["ema.out"], strict=True
    ):
        low = normalise.ema(low, normalise.percentile(xp(x), 0.05), 0.01)
        high = normalise.ema(high, normalise.percentile(xp(x), 0.95), 0.01)
        np.testing.assert_allclose(low, offset, **CLOSE)
        np.testing.assert_allclose(max(high - low, 1.0), scale, **CLOSE)


def test_average_of_the_range_is_the_range_of_averages(xp):
    """Ours keeps one average, of the range, and corrects its bias."""
    average = xp(np.array(0.0))
    for x in (REFERENCE["ema.x1"], REFERENCE["ema.x2"]):
        average = normalise.ema(average, normalise.percentile_range(xp(x)), 0.01)
    np.testing.assert_allclose(average, REFERENCE["ema.out"][1, 1], **CLOSE)
    corrected = normalise.ema_corrected(average, 2, 0.01)
    np.testing.assert_allclose(corrected, REFERENCE["ema.out"][1, 1] / (1 - 0.99**2), **CLOSE)


@pytest.mark.parametrize("squash_state", [0, 1])
@pytest.mark.parametrize("squash_reward", [0, 1])
def test_subgoal_reward(xp, squash_state, squash_reward):
    """Deviation up to 2e-12: the reference adds its 1e-12 to the norm, we add its square under the root."""
    state, goal = xp(REFERENCE["subgoal.deter"]), REFERENCE["subgoal.goal"].reshape(6, 8)
    if squash_state:
        state = transforms.symlog(state)
    reward = rewards.subgoal_reward(xp(np.broadcast_to(goal, state.shape)), state, squared=True).clip(0.0)
    if squash_reward:
        reward = transforms.symlog(reward)
    want = REFERENCE[f"subgoal.reward_encsymlog{squash_state}_rewsymlog{squash_reward}"][..., 0]
    np.testing.assert_allclose(reward, want, rtol=1e-10, atol=2e-12)


def reference_cdf(u, size):
    """The reference's F: ln((n+2)/x) integrated over [2, 2 + u n], as a share of the whole."""

    def integral(x):
        return x * (1 + np.log(size + 2) - np.log(x))

    return (integral(2 + u * size) - integral(2.0)) / (integral(2.0 + size) - integral(2.0))


def test_etbs_cdf(xp):
    """Ours is the closed form over [0, n]: within 6 of 1000 entries, and nearer for larger n."""
    u = REFERENCE["etbs.u"]
    want = REFERENCE["etbs.cdf_len1000"]
    np.testing.assert_allclose(np.minimum(1000 * reference_cdf(u, 1000), 999), want, rtol=1e-10)
    np.testing.assert_allclose(1000 * np.asarray(etbs.cdf(xp(u))), want, atol=6)
    assert (
        np.abs(etbs.cdf(u) - reference_cdf(u, 1000)).max()
        > 10 * np.abs(etbs.cdf(u) - reference_cdf(u, 10**6)).max()
    )


@pytest.mark.parametrize("tau", [0.3, 0.7, 1.0])
def test_etbs_index(xp, tau):
    """Within tau * 6 entries, for the same reason."""
    got = np.asarray(etbs.index(xp(REFERENCE["etbs.u"]), 1000, tau))
    assert np.abs(got - REFERENCE[f"etbs.index_len1000_tau{tau}"]).max() <= np.ceil(6 * tau)


@pytest.mark.parametrize("tau", [0.3, 0.7, 1.0])
def test_etbs_scaled_by_the_capacity(xp, tau):
    """What the reference's replay does: F counts in the capacity, 1e6, where only 1000 entries are held.

    Then F almost always points at the newest entry, and the oldest tau * 1000 are hardly ever drawn.
    """
    u = REFERENCE["etbs.u"]
    want = REFERENCE[f"etbs.index_len1000000_tau{tau}"]
    np.testing.assert_array_equal(etbs.index(xp(u), 1000, tau, scale=1_000_000), want)
    np.testing.assert_array_equal(np.minimum(1e6 * etbs.cdf(u), 999), REFERENCE["etbs.cdf_len1000000"])
    assert (np.asarray(etbs.index(xp(u), 1000, tau))[1:-1] <= want[1:-1]).mean() > 0.9
