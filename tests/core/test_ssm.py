import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieros_eqx.core import hippo, ssm
from tests.oracles import sequences as oracle


def complex_normal(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def example(rng, time=7):
    a_bar = 0.9 * np.exp(1j * rng.uniform(0, 3, size=4))
    reset = rng.random((time, 3, 2)) < 0.3
    return a_bar, complex_normal(rng, time, 3, 2, 4), reset, complex_normal(rng, 3, 2, 4)


@pytest.mark.x64
def test_scan_against_oracle(xp, rng):
    a_bar, bu, reset, x_init = example(rng)
    learned = complex_normal(rng, 3, 2, 4)
    args = list(map(xp, (a_bar, bu, reset, x_init)))
    want = oracle.ssm_states(a_bar, bu, reset, x_init, learned)
    np.testing.assert_allclose(ssm.scan(*args, xp(learned)), want, rtol=1e-12)
    want = oracle.ssm_states(a_bar, bu, reset, x_init, x_init)
    np.testing.assert_allclose(ssm.scan(*args), want, rtol=1e-12)


@pytest.mark.x64
def test_one_reset_state_serves_the_whole_batch(xp, rng):
    a_bar, bu, reset, x_init = example(rng)
    learned = complex_normal(rng, 4)
    want = oracle.ssm_states(a_bar, bu, reset, x_init, np.broadcast_to(learned, (3, 2, 4)))
    np.testing.assert_allclose(ssm.scan(*map(xp, (a_bar, bu, reset, x_init, learned))), want, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_scan_is_repeated_step(seed, time):
    rng = np.random.default_rng(seed)
    a_bar, bu, reset, x = example(rng, time)
    learned = complex_normal(rng, 4)
    states = ssm.scan(a_bar, bu, reset, x, learned)
    for t in range(time):
        x = ssm.step(a_bar, bu[t], reset[t], x, learned)
        np.testing.assert_allclose(states[t], x, rtol=1e-12, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_a_reset_forgets_the_past(seed, when):
    rng = np.random.default_rng(seed)
    a_bar, bu, reset, x_init = example(rng)
    reset[when] = True
    other = bu.copy()
    other[:when] += 1.0
    learned = complex_normal(rng, 4)
    one = ssm.scan(a_bar, bu, reset, x_init, learned)
    two = ssm.scan(a_bar, other, reset, x_init + 5.0, learned)
    np.testing.assert_array_equal(one[when:], two[when:])
    if when:
        assert (one[when - 1] != two[when - 1]).all()


def test_step_without_x_reset_resets_to_zero(xp, rng):
    a_bar, bu, _, x = example(rng)
    got = ssm.step(xp(a_bar), xp(bu[0]), xp(np.ones((3, 2), bool)), xp(x))
    np.testing.assert_allclose(got, bu[0], rtol=1e-6)


def test_empty_sequences_are_refused(xp, rng):
    a_bar, bu, reset, x = example(rng)
    with pytest.raises(ValueError, match="at least one"):
        ssm.scan(xp(a_bar), xp(bu[:0]), xp(reset[:0]), xp(x))


@pytest.mark.x64
def test_zoh_is_the_exact_integral(xp, rng):
    eigenvalues, _ = hippo.hippo_legs_normal(4)
    b, step = complex_normal(rng, 4, 5), np.exp(rng.uniform(np.log(1e-3), np.log(0.1), 4))
    a_bar, b_bar = ssm.discretize(xp(eigenvalues), xp(b), xp(step))
    for p in range(4):
        want = oracle.zoh(eigenvalues[p], b[p], step[p])
        np.testing.assert_allclose(a_bar[p], want[0], rtol=1e-12)
        np.testing.assert_allclose(b_bar[p], want[1], rtol=1e-12)


@pytest.mark.x64
def test_bilinear_and_zoh_agree_to_second_order(xp, rng):
    eigenvalues, _ = hippo.hippo_legs_normal(4)
    b = complex_normal(rng, 4, 5)
    for step in (1e-3, 1e-4):
        zoh, bilinear = (
            ssm.discretize(xp(eigenvalues), xp(b), xp(np.full(4, step)), m) for m in ("zoh", "bilinear")
        )
        largest = np.abs(eigenvalues).max() * step
        np.testing.assert_allclose(bilinear[0], zoh[0], atol=largest**3)
        np.testing.assert_allclose(bilinear[1], zoh[1], rtol=largest**2)


def test_float32_keeps_the_input_gain_of_small_steps():
    """exp(x) - 1 would lose three digits at a step of 1e-3; a few roundings are left."""
    eigenvalues = np.array([-0.5 + 0.3j], np.complex64)
    _, b_bar = jax.jit(ssm.discretize)(eigenvalues, np.ones((1, 1), np.complex64), jnp.float32([1e-3]))
    want = oracle.zoh(-0.5 + 0.3j, 1.0, np.float64(np.float32(1e-3)))[1]
    np.testing.assert_allclose(b_bar[0, 0], want, rtol=1e-6)


def test_unknown_method(rng):
    with pytest.raises(ValueError, match="zoh"):
        getattr(ssm.discretize, "__wrapped__", ssm.discretize)(
            complex_normal(rng, 4), complex_normal(rng, 4, 5), rng.random(4), "euler"
        )


@pytest.mark.x64
def test_gradients_by_finite_differences(rng):
    args = list(map(jnp.asarray, (*example(rng), complex_normal(rng, 4))))
    weight = jnp.asarray(complex_normal(rng, 7, 3, 2, 4))

    @jax.jit
    def loss(a_bar, bu, x_init, x_reset):
        return jnp.sum(jnp.real(ssm.scan(a_bar, bu, args[2], x_init, x_reset) * weight))

    inputs = (args[0], args[1], args[3], args[4])
    gradients = jax.grad(loss, argnums=(0, 1, 2, 3))(*inputs)
    for i, (x, gradient) in enumerate(zip(inputs, gradients, strict=True)):
        direction = jnp.asarray(complex_normal(rng, *x.shape))

        def along(t, i=i, x=x, direction=direction):
            return loss(*inputs[:i], x + t * direction, *inputs[i + 1 :])

        slope = (along(1e-5) - along(-1e-5)) / 2e-5
        np.testing.assert_allclose(jnp.sum(jnp.real(gradient * direction)), slope, rtol=1e-7)
