"""Heads that read a latent: two-hot regression, continuation, categorical variables."""

from dataclasses import dataclass
from typing import Literal

import equinox as eqx
from jaxtyping import Float

from hieros_eqx.backend import stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import categorical, likelihood, nn, transforms
from hieros_eqx.modules.dense import MLP
from hieros_eqx.types import Array


@dataclass(frozen=True, kw_only=True)
class TwoHotBins:
    """Where the bins of a two-hot distribution lie and how its mean is read.

    `symexp`: bins at the symexp of evenly spaced points, mean `sum p b`, unbiased for rare large values.
    `symlog`: bins evenly spaced in [-20, 20] in symlog space, mean `symexp(sum p b)`, as in DreamerV3's first
    version and in the paper.
    """

    num: int
    space: Literal["symexp", "symlog"] = "symexp"

    def encode(self, x: Float[Array, "*batch"]) -> Float[Array, "*batch bins"]:
        """Return two-hot probabilities whose mean is `x`; values beyond the bins go to the outermost."""
        if self.space == "symexp":
            return transforms.two_hot(x, transforms.symexp_bins(self.num))
        return transforms.two_hot(transforms.symlog(x), transforms.symlog_bins(self.num))

    def mean(self, logits: Float[Array, "*batch bins"]) -> Float[Array, "*batch"]:
        """Return the value that unnormalised log-probabilities stand for."""
        if self.space == "symexp":
            return transforms.mean_of_logits(logits, transforms.symexp_bins(self.num))
        return transforms.symexp(transforms.mean_of_logits(logits, transforms.symlog_bins(self.num)))


class TwoHotHead(eqx.Module):
    """A number as a categorical over bins. Starts at zero: all logits equal, mean 0."""

    mlp: MLP
    bins: TwoHotBins = eqx.field(static=True)

    def __init__(self, inputs: int, hidden: int, layers: int, bins: TwoHotBins, *, key: Key):
        self.mlp = MLP(inputs, hidden, layers, bins.num, out_scale=0.0, key=key)
        self.bins = bins

    def logits(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch bins"]:
        """Return unnormalised log-probabilities of the bins."""
        return self.mlp(x)

    def mean(self, logits: Float[Array, "*batch bins"]) -> Float[Array, "*batch"]:
        """Return the expected number."""
        return self.bins.mean(logits)

    def loss(
        self, logits: Float[Array, "*batch bins"], target: Float[Array, "*batch"]
    ) -> Float[Array, "*batch"]:
        """Return the cross-entropy to the two-hot of `target`; no gradient goes to the target."""
        return -(stop_gradient(self.bins.encode(target)) * nn.log_softmax(logits)).sum(-1)


class ContinueHead(eqx.Module):
    """The probability that the episode goes on."""

    mlp: MLP

    def __init__(self, inputs: int, hidden: int, layers: int, *, key: Key):
        self.mlp = MLP(inputs, hidden, layers, 1, key=key)

    def logit(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch"]:
        """Return the log-odds."""
        return self.mlp(x)[..., 0]

    def probability(self, logit: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Return the probability in [0, 1]."""
        return nn.sigmoid(logit)

    def loss(self, logit: Float[Array, "*batch"], target: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """Return `-ln p(target)` of a target in [0, 1]."""
        return -likelihood.bernoulli_log_prob(logit, target)


class CategoricalHead(eqx.Module):
    """Independent categorical variables, each mixed with a little of the uniform distribution."""

    mlp: MLP
    variables: int = eqx.field(static=True)
    classes: int = eqx.field(static=True)
    unimix: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int,
        variables: int,
        classes: int,
        unimix: float,
        *,
        out_scale: float = 1.0,
        key: Key,
    ):
        self.mlp = MLP(inputs, hidden, layers, variables * classes, out_scale=out_scale, key=key)
        self.variables, self.classes, self.unimix = variables, classes, unimix

    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch stoch classes"]:
        """Return log-probabilities after the mix."""
        flat = self.mlp(x)
        return categorical.unimix(flat.reshape(*flat.shape[:-1], self.variables, self.classes), self.unimix)


def make_posterior(inputs: int, config: WorldModelConfig, *, key: Key) -> CategoricalHead:
    """Return the head `q(z | inputs)`, one hidden layer, whose z differ from the start (decision 012)."""
    return CategoricalHead(
        inputs,
        config.hidden,
        1,
        config.stoch,
        config.classes,
        config.unimix,
        out_scale=config.posterior_scale,
        key=key,
    )
