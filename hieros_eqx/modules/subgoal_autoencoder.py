"""The subgoal autoencoder: h to a short discrete code and back (docs/algorithm.md, section 3)."""

import math

import equinox as eqx
from jaxtyping import Float

from hieros_eqx.backend import random, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import SubgoalConfig
from hieros_eqx.core import categorical, nn
from hieros_eqx.modules.dense import MLP
from hieros_eqx.types import Array


class SubgoalAutoencoder(eqx.Module):
    """MLP to the logits of a code, MLP with linear output from a code to a goal."""

    encoder: MLP
    decoder: MLP
    config: SubgoalConfig = eqx.field(static=True)

    def __init__(self, deter: int, config: SubgoalConfig, *, key: Key):
        encoder_key, decoder_key = random.split(key)
        code, hidden, layers = config.factors * config.classes, config.hidden, config.layers
        self.encoder = MLP(deter, hidden, layers, code, key=encoder_key)
        self.decoder = MLP(code, hidden, layers, deter, key=decoder_key)
        self.config = config

    def logits(self, h: Float[Array, "*batch feature"]) -> Float[Array, "*batch factors classes"]:
        """Return the logits of the code."""
        flat = self.encoder(h)
        return flat.reshape(*flat.shape[:-1], self.config.factors, self.config.classes)

    def code(self, logits: Float[Array, "*batch factors classes"]) -> Float[Array, "*batch factors classes"]:
        """Return the most likely code, one-hot, with straight-through gradient."""
        probs = nn.softmax(logits)
        return categorical.mode(logits) + (probs - stop_gradient(probs))

    def sample(
        self, logits: Float[Array, "*batch factors classes"], gumbel: Float[Array, "*batch factors classes"]
    ) -> Float[Array, "*batch factors classes"]:
        """Return a sampled code, one-hot, with straight-through gradient."""
        return categorical.sample(logits, gumbel)

    def decode(self, code: Float[Array, "*batch factors classes"]) -> Float[Array, "*batch feature"]:
        """Return the goal that a code stands for."""
        return self.decoder(code.reshape(*code.shape[:-2], self.config.factors * self.config.classes))

    def reconstruct(self, h: Float[Array, "*batch feature"]) -> Float[Array, "*batch feature"]:
        """Return the goal of the most likely code of h."""
        return self.decode(self.code(self.logits(h)))

    def losses(
        self,
        h: Float[Array, "*batch feature"],
        gumbel: Float[Array, "*batch factors classes"] | None = None,
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Return squared error (mean over features) and KL to the uniform code (mean over factors, in nats).

        With noise the code is sampled, without it is the most likely one. No gradient goes to h.
        """
        h = stop_gradient(h)
        logits = self.logits(h)
        code = self.code(logits) if gumbel is None else self.sample(logits, gumbel)
        kl = math.log(self.config.classes) - categorical.entropy(logits)
        return ((self.decode(code) - h) ** 2).mean(-1), kl.mean(-1)
