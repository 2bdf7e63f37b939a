"""What pictures have in common, taken from each: the mean of all that updates have seen."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from hieros_eqx.backend import stop_gradient
from hieros_eqx.core import nn
from hieros_eqx.types import Array


class RunningMean(eqx.Module):
    r"""$\mu_n = \mu_{n-1} + (\bar x_n - \mu_{n-1}) / n$, with $\bar x_n$ the mean of batch n and $\mu_0 = 0$.

    It is no parameter: gradients do not reach it, `moved` is how it learns.
    """

    mean: Float[Array, "*shape"]
    batches: Float[Array, ""]

    def __init__(self, shape: tuple[int, ...]):
        self.mean = jnp.zeros(shape, jnp.float32)
        self.batches = jnp.zeros((), jnp.float32)

    def __call__(self, like: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return the mean, with as many axes as `like` and without gradient."""
        return nn.trailing(stop_gradient(self.mean), like)

    def moved(self, x: Float[Array, "..."]) -> "RunningMean":
        """Return the mean with one batch more; `x` has any leading axes."""
        lead = tuple(range(x.ndim - self.mean.ndim))
        batches = self.batches + 1
        mean = self.mean + (x.mean(axis=lead) - self.mean) / batches
        return eqx.tree_at(lambda own: (own.mean, own.batches), self, (mean, batches))
