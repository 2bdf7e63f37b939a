import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx import backend
from tests.oracles import sequences as oracle

FORMS = {
    "platform": backend.linear_recurrence,
    "sequential": backend.linear_recurrence_sequential,
    "parallel": backend.linear_recurrence_parallel,
}
forms = pytest.mark.parametrize("form", FORMS)


def elements(rng, kind, time=7):
    a, b = rng.normal(size=(2, time, 3, 4))
    if kind == "complex":
        return a + 1j * rng.normal(size=a.shape), b + 1j * rng.normal(size=b.shape)
    return a, b


@pytest.mark.x64
@forms
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("time", [1, 7])
def test_values(xp, rng, form, kind, time):
    a, b = elements(rng, kind, time)
    want = oracle.linear_recurrence(a, b)
    np.testing.assert_allclose(FORMS[form](xp(a), xp(b)), want, rtol=1e-11, atol=1e-12)


@pytest.mark.x64
@forms
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_gradient_rule_equals_that_of_the_plain_loop(rng, form, kind):
    a, b = map(jnp.asarray, elements(rng, kind))
    weight = jnp.asarray(elements(rng, kind)[0])

    def gradients(recurrence):
        return jax.jit(jax.grad(lambda *x: jnp.sum(jnp.real(recurrence(*x) * weight) ** 2), argnums=(0, 1)))(
            a, b
        )

    def plain(a, b):
        x, states = jnp.zeros_like(b[0]), []
        for t in range(len(b)):
            x = a[t] * x + b[t]
            states.append(x)
        return jnp.stack(states)

    for got, want in zip(gradients(FORMS[form]), gradients(plain), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@forms
def test_vmap_and_second_derivative(rng, form):
    a, b = (jnp.asarray(x, jnp.float32) for x in elements(rng, "real"))
    many = jax.jit(jax.vmap(FORMS[form], in_axes=1, out_axes=1))(a, b)
    np.testing.assert_allclose(many, FORMS[form](a, b), rtol=1e-4, atol=1e-5)
    # The sum of x_0 .. x_2 is quadratic in a scale of a, with coefficient a_2 a_1 b_0.
    curvature = jax.jit(jax.grad(jax.grad(lambda s: jnp.sum(FORMS[form](s * a[:3], b[:3])))))(
        jnp.float32(1.0)
    )
    np.testing.assert_allclose(curvature, 2 * jnp.sum(a[2] * a[1] * b[0]), rtol=1e-4)


def test_no_time_step_is_refused(xp):
    none = xp(np.zeros((0, 3)))
    for recurrence in FORMS.values():
        with pytest.raises(ValueError, match="at least one time step"):
            recurrence(none, none)
