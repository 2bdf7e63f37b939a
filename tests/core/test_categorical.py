import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hieros_eqx.core import categorical, kl_balance
from tests.oracles import distributions as oracle

LOGITS = arrays(np.float64, (2, 5), elements=st.floats(-50, 50))


@pytest.mark.x64
def test_against_definitions(xp, rng):
    p, q = 3 * rng.normal(size=(2, 7, 3, 4))
    value = np.eye(4)[rng.integers(4, size=(7, 3))]
    unimix = oracle.each(lambda v: oracle.unimix(v, 0.05), p)
    np.testing.assert_allclose(categorical.unimix(xp(p), 0.05), unimix, rtol=1e-12)
    np.testing.assert_allclose(categorical.kl(xp(p), xp(q)), oracle.each(oracle.kl, p, q), rtol=1e-10)
    np.testing.assert_allclose(categorical.entropy(xp(p)), oracle.each(oracle.entropy, p), rtol=1e-12)
    log_prob = oracle.each(oracle.log_prob, p, value)
    np.testing.assert_allclose(categorical.log_prob(xp(p), xp(value)), log_prob, rtol=1e-10)


@given(LOGITS, LOGITS)
def test_kl_is_a_divergence(p, q):
    assert (categorical.kl(p, q) >= -1e-12).all()
    np.testing.assert_allclose(categorical.kl(p, p + 3.0), 0.0, atol=1e-12)


@given(LOGITS, st.floats(0.001, 1.0))
def test_unimix_is_normalised_and_bounded_below(logits, ratio):
    probs = np.exp(categorical.unimix(logits, ratio))
    np.testing.assert_allclose(probs.sum(-1), 1.0, rtol=1e-12)
    assert (probs >= ratio / 5 * (1 - 1e-12)).all()


def test_unimix_of_nothing_stays_finite_where_a_probability_rounds_to_zero():
    logits = jnp.array([0.0, 300.0, -300.0])
    np.testing.assert_allclose(categorical.unimix(logits, 0.0), [-300, 0, -600])
    gradient = jax.grad(lambda x: categorical.kl(categorical.unimix(x, 0.0), logits[::-1]))(logits)
    assert np.isfinite(gradient).all()


def test_sample_and_mode_are_exact_one_hots(xp, rng):
    logits, gumbel = rng.normal(size=(7, 3, 4)), rng.gumbel(size=(7, 3, 4))
    want = oracle.each(oracle.one_hot_of_argmax, logits + gumbel)
    np.testing.assert_array_equal(categorical.sample(xp(logits), xp(gumbel)), want)
    np.testing.assert_array_equal(categorical.mode(xp(logits)), oracle.each(oracle.one_hot_of_argmax, logits))


def test_sample_frequencies_are_the_probabilities(rng):
    logits = np.array([0.0, 1.0, -2.0, 0.5])
    draws = categorical.sample(np.tile(logits, (50_000, 1)), rng.gumbel(size=(50_000, 4)))
    np.testing.assert_allclose(draws.mean(0), oracle.softmax(logits), atol=0.01)  # 4 standard errors: 0.009


@pytest.mark.x64
def test_straight_through_gradient_is_that_of_the_probabilities(rng):
    logits, gumbel, weight = rng.normal(size=(3, 5, 4))
    got = jax.grad(lambda x: jnp.sum(categorical.sample(x, jnp.asarray(gumbel)) * weight))(
        jnp.asarray(logits)
    )
    step = 1e-6
    for position in np.ndindex(logits.shape):
        high, low = logits.copy(), logits.copy()
        high[position] += step
        low[position] -= step
        difference = oracle.each(oracle.softmax, high) - oracle.each(oracle.softmax, low)
        np.testing.assert_allclose(got[position], np.sum(difference * weight) / (2 * step), atol=1e-8)


def test_mode_has_no_gradient():
    gradient = jax.grad(lambda x: jnp.sum(categorical.mode(x)))(jnp.array([0.1, 0.3]))
    np.testing.assert_array_equal(gradient, [0.0, 0.0])


class TestKLLosses:
    @pytest.mark.x64
    def test_sum_over_variables_and_clip_per_step(self, xp, rng):
        posterior, prior = rng.normal(size=(2, 7, 3, 2, 4))
        kl = oracle.each(oracle.kl, posterior, prior).sum(-1)
        assert (kl < 1).any() and (kl > 1).any()
        for loss in kl_balance.kl_losses(xp(posterior), xp(prior), free_nats=1.0):
            np.testing.assert_allclose(loss, np.maximum(kl, 1.0), rtol=1e-10)

    def test_each_loss_reaches_one_side_only(self, rng):
        posterior, prior = map(jnp.asarray, rng.normal(size=(2, 7, 3, 2, 4)))

        def total(index):
            return lambda *args: jnp.sum(kl_balance.kl_losses(*args, free_nats=0.0)[index])

        for index, (reached, still) in enumerate([(1, 0), (0, 1)]):
            gradients = jax.grad(total(index), argnums=(0, 1))(posterior, prior)
            assert np.abs(gradients[reached]).min() > 0
            np.testing.assert_array_equal(gradients[still], 0.0)

    def test_free_nats_stop_the_gradient(self):
        equal = jnp.zeros((1, 1, 2, 4)).at[..., 0].set(0.1)
        gradient = jax.grad(lambda q: jnp.sum(kl_balance.kl_losses(equal, q)[0]))(equal * 0.0)
        np.testing.assert_array_equal(gradient, 0.0)
