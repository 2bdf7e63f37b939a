"""HiPPO-LegS and its normal part: how S5's state starts out (NumPy float64, at initialisation only)."""

import numpy as np
from jaxtyping import Complex, Float, Shaped


def hippo_legs_matrix(n: int) -> Float[np.ndarray, "state state"]:
    r"""HiPPO-LegS: $A_{ij} = -\sqrt{2i+1}\sqrt{2j+1}$ below the diagonal, $-(i+1)$ on it, 0 above.

    Source: HiPPO, arXiv 2008.07669, eq. 3. Raises `ValueError` if n < 1.
    """
    if n < 1:
        raise ValueError(f"wanted at least one state, got {n}.")
    root = np.sqrt(2.0 * np.arange(n, dtype=np.float64) + 1.0)
    return np.diag(np.arange(n, dtype=np.float64)) - np.tril(np.outer(root, root))


def hippo_legs_normal(n: int) -> tuple[Complex[np.ndarray, " state"], Complex[np.ndarray, "state state"]]:
    r"""Eigenvalues and orthonormal eigenvectors of HiPPO-N, $S = A + p p^\top$ with $p_i = \sqrt{i + 1/2}$.

    S is -1/2 on the diagonal and otherwise skew-symmetric, so every real part is -1/2 and $-i (S + I/2)$ is
    Hermitian; all n eigenvalues are kept, by ascending imaginary part (S5, arXiv 2208.04933, section 3.4).
    """
    p = np.sqrt(np.arange(n, dtype=np.float64) + 0.5)
    normal = hippo_legs_matrix(n) + np.outer(p, p)
    real = np.mean(np.diagonal(normal))
    imaginary, vectors = np.linalg.eigh(-1j * (normal - real * np.eye(n, dtype=np.float64)))
    return real + 1j * imaginary, vectors


def hippo_legs_blocks(
    n: int, blocks: int
) -> tuple[Complex[np.ndarray, " state"], Complex[np.ndarray, "state state"]]:
    """Eigenvalues and eigenvectors of `blocks` HiPPO-N matrices of size n / blocks on the diagonal.

    Raises `ValueError` if n is not a multiple of `blocks`, or there is none.
    """
    if blocks < 1 or n % blocks:
        raise ValueError(f"The state size must be a multiple of the {blocks} blocks; got {n}.")
    eigenvalues, vectors = hippo_legs_normal(n // blocks)
    return np.tile(eigenvalues, blocks), block_diagonal(vectors, blocks)


def block_diagonal(matrix: Shaped[np.ndarray, "rows columns"], blocks: int) -> Shaped[np.ndarray, "..."]:
    """`blocks` copies of a matrix along the diagonal, zeros elsewhere."""
    return np.kron(np.eye(blocks, dtype=matrix.dtype), matrix)
