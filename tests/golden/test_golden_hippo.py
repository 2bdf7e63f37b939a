import numpy as np

from hieros_eqx.core import hippo
from tests.golden.reference import Reference

REFERENCE = Reference(
    "hippo8.A", "dplr8.Lambda", "dplr8.P", "dplr8.B", "dplr8.V", "dplr8.B_orig", "dplr32.Lambda"
)


def phases(vectors, reference):
    """The unit factor of each column: eigenvectors are defined up to one."""
    factors = np.sum(vectors.conj() * reference, axis=0)
    np.testing.assert_allclose(np.abs(factors), 1.0, rtol=1e-10)
    return factors


def test_hippo_legs_matrix():
    np.testing.assert_allclose(hippo.hippo_legs_matrix(8), REFERENCE["hippo8.A"], rtol=1e-10)


def test_eigenvalues():
    for n, key in [(8, "dplr8.Lambda"), (32, "dplr32.Lambda")]:
        np.testing.assert_allclose(hippo.hippo_legs_normal(n)[0], REFERENCE[key], rtol=1e-10)


def test_eigenvectors_and_what_they_rotate():
    _, vectors = hippo.hippo_legs_normal(8)
    factors = phases(vectors, REFERENCE["dplr8.V"])
    np.testing.assert_allclose(vectors * factors, REFERENCE["dplr8.V"], rtol=1e-10, atol=1e-12)
    rotate = (vectors * factors).conj().T
    input_vector = np.sqrt(2 * np.arange(8) + 1)
    np.testing.assert_allclose(input_vector, REFERENCE["dplr8.B_orig"], rtol=1e-10)
    np.testing.assert_allclose(rotate @ input_vector, REFERENCE["dplr8.B"], rtol=1e-10, atol=1e-12)
    low_rank = np.sqrt(np.arange(8) + 0.5)
    np.testing.assert_allclose(rotate @ low_rank, REFERENCE["dplr8.P"], rtol=1e-10, atol=1e-12)
