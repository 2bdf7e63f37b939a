import numpy as np
import pytest
from scipy.linalg import block_diag

from hieros_eqx.core import hippo


@pytest.mark.parametrize("n", [1, 4, 32])
def test_hippo_legs_matrix(n):
    want = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            want[i, j] = -np.sqrt((2 * i + 1) * (2 * j + 1))
        want[i, i] = -(i + 1)
    np.testing.assert_allclose(hippo.hippo_legs_matrix(n), want, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [2, 5, 32])
def test_normal_part_is_diagonalised(n):
    eigenvalues, vectors = hippo.hippo_legs_normal(n)
    p = np.sqrt(np.arange(n) + 0.5)
    normal = hippo.hippo_legs_matrix(n) + np.outer(p, p)
    np.testing.assert_allclose(vectors @ np.diag(eigenvalues) @ vectors.conj().T, normal, atol=1e-12 * n**2)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(eigenvalues.real, -0.5, rtol=1e-12)
    assert (np.diff(eigenvalues.imag) > 0).all()
    np.testing.assert_allclose(eigenvalues.imag, -eigenvalues.imag[::-1], atol=1e-12 * n)


def test_blocks():
    eigenvalues, vectors = hippo.hippo_legs_normal(3)
    tiled, blocks = hippo.hippo_legs_blocks(12, 4)
    np.testing.assert_array_equal(tiled, np.concatenate([eigenvalues] * 4))
    np.testing.assert_array_equal(blocks, block_diag(*[vectors] * 4))


def test_blocks_must_divide_the_state():
    with pytest.raises(ValueError, match="multiple of the 3 blocks; got 8"):
        hippo.hippo_legs_blocks(8, 3)
