"""Linear probes: what a linear function can read from latents (Alain and Bengio, arXiv 1610.01644)."""

import numpy as np
from jaxtyping import Float, Shaped


def linear_probe(
    features: Float[np.ndarray, "sample feature"],
    labels: Float[np.ndarray, "sample label"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    held_out: float = 0.3,
    ridge: float = 1e-3,
) -> Float[np.ndarray, " label"]:
    r"""Return R^2 of ridge regression on groups (episodes) that it was not fitted to, for every label.

    $W = \arg\min \sum_i |W x_i - y_i|^2 + \alpha n |W|^2$ on standardised features, $\alpha$ = `ridge`. The
    last `held_out` of the groups, in the order of their first sample, are kept for the test. A sample with a
    NaN among its labels is left out. R^2 is 1 minus the squared error over that of the mean of the test
    labels: below 0 where the probe is worse than that mean, NaN where they do not vary. Raises `ValueError`
    if fewer than two groups, or fewer than two samples on a side, are left.
    """
    known = ~np.isnan(labels).any(axis=1)
    x, y, own = features[known].astype(np.float64), labels[known].astype(np.float64), groups[known]
    names, first = np.unique(own, return_index=True)
    names = names[np.argsort(first)]
    kept = max(1, round(held_out * len(names)))
    test = np.isin(own, names[-kept:])
    if len(names) < 2 or test.sum() < 2 or (~test).sum() < 2:
        raise ValueError(
            f"wanted labelled samples of at least two groups, two samples on each side, got {len(names)} "
            f"groups with {(~test).sum()} samples to fit and {test.sum()} to test."
        )
    mean, spread = x[~test].mean(axis=0), np.maximum(x[~test].std(axis=0), 1e-6)
    x = (x - mean) / spread
    center = y[~test].mean(axis=0)
    gram = x[~test].T @ x[~test] + ridge * (~test).sum() * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x[~test].T @ (y[~test] - center))
    residual = y[test] - center - x[test] @ weights
    total = np.square(y[test] - y[test].mean(axis=0)).sum(axis=0)
    varies = total > 1e-12 * np.square(y[test]).sum(axis=0)
    error = np.square(residual).sum(axis=0)
    return 1 - np.divide(error, total, out=np.full_like(total, np.nan), where=varies)
