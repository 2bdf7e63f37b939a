"""RSSM: DreamerV3's world model, behind the same interface as S5WM."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace, random, scan, sigmoid, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import categorical
from hieros_eqx.core.nn import trailing
from hieros_eqx.modules.dense import Hidden, Linear, Norm
from hieros_eqx.modules.encoder import AbstractEncoder, WindowSpec, make_encoder
from hieros_eqx.modules.heads import CategoricalHead, make_posterior
from hieros_eqx.modules.predictions import LatentPredictions
from hieros_eqx.modules.world_model import AbstractWorldModel, Observed, flat_stoch
from hieros_eqx.types import Array, Latent, ObservationSpace


class RSSM(AbstractWorldModel):
    r"""Recurrent state-space model with a normalised GRU (arXiv 1811.04551, 2301.04104).

    $h_t = \mathrm{GRU}(h_{t-1}, \mathrm{Hidden}(z_{t-1}, a_{t-1}))$, prior $p(z_t | h_t)$, posterior
    $q(z_t | h_t, o_t)$. Unlike in S5WM the posterior depends on h, so time steps come one after the other,
    and h is all that is carried: the latent's `state` is empty. Episodes start from $h_{-1} = \tanh(w)$ with
    a learned w.
    """

    encoder: AbstractEncoder
    input: Hidden
    gates: Linear
    gates_norm: Norm
    start: Float[Array, " feature"]
    posterior: CategoricalHead
    prior: CategoricalHead
    predictions: LatentPredictions
    config: WorldModelConfig = eqx.field(static=True)

    def __init__(
        self,
        config: WorldModelConfig,
        observation: ObservationSpace | WindowSpec,
        action_size: int,
        *,
        key: Key,
    ):
        keys = random.split(key, 6)
        deter, hidden, z = config.deter, config.hidden, (config.stoch, config.classes)
        self.encoder = make_encoder(observation, config, key=keys[0])
        self.input = Hidden(z[0] * z[1] + action_size, hidden, key=keys[1])
        self.gates = Linear(deter + hidden, 3 * deter, bias=False, key=keys[2])
        self.gates_norm = Norm(3 * deter)
        self.start = jnp.zeros(deter, jnp.float32)
        self.posterior = make_posterior(deter + self.encoder.output_size, config, key=keys[3])
        self.prior = CategoricalHead(deter, hidden, 1, *z, config.unimix, key=keys[4])
        self.predictions = LatentPredictions(config, observation, key=keys[5])
        self.config = config

    def prepare(self) -> None:
        """Return nothing: evaluations share no work."""

    def observe(
        self,
        prepared: None,
        observation: Any,
        previous_action: Float[Array, "time *batch action"],
        is_first: Bool[Array, " time *batch"],
        before: Latent,
        gumbel: Float[Array, "time *batch stoch classes"],
    ) -> Observed:
        """Return latents of a whole sequence; only the encoder takes all time steps at once."""
        del prepared

        def body(latent: Latent, inputs: Any) -> tuple[Latent, Observed]:
            embedded, action, first, noise = inputs
            observed = self._observe(embedded, action, first, latent, noise)
            return observed.latent, observed

        inputs = (self.encoder(observation), previous_action, is_first, gumbel)
        return scan(body, before, inputs)[1]

    def observe_step(
        self,
        prepared: None,
        observation: Any,
        previous_action: Float[Array, "*batch action"],
        is_first: Bool[Array, "*batch"],
        before: Latent,
        gumbel: Float[Array, "*batch stoch classes"],
    ) -> Observed:
        """Return the latents of one step: the same function as `observe`."""
        del prepared
        return self._observe(self.encoder(observation), previous_action, is_first, before, gumbel)

    def imagine_step(
        self,
        prepared: None,
        latent: Latent,
        action: Float[Array, "*batch action"],
        gumbel: Float[Array, "*batch stoch classes"],
    ) -> Latent:
        """Return the latent after an action, with z from the prior."""
        del prepared
        deter = self._recur(latent.stoch, action, latent.deter)
        prior = self.prior(deter)
        return self._latent(categorical.sample(prior, gumbel), deter, latent, prior)

    def recentred(self, means: None) -> "RSSM":
        """Return the model itself: it has no running means."""
        del means
        return self

    def _observe(self, embedded, previous_action, is_first, before, gumbel):
        xp = namespace(before.deter)
        start = trailing(xp.tanh(self.start), before.deter)
        deter = self._recur(
            xp.where(is_first[..., None, None], xp.zeros_like(before.stoch), before.stoch),
            xp.where(is_first[..., None], xp.zeros_like(previous_action), previous_action),
            xp.where(is_first[..., None], start, before.deter),
        )
        prior = self.prior(deter)
        posterior = self.posterior(xp.concatenate([deter, embedded], axis=-1))
        latent = self._latent(categorical.sample(posterior, gumbel), deter, before, prior)
        return Observed(latent, posterior, prior)

    def _recur(self, stoch, action, deter):
        """GRU whose gates are normalised together and whose update gate starts nearly closed."""
        xp = namespace(stoch, action)
        u = self.input(xp.concatenate([flat_stoch(stoch), action], axis=-1))
        gates = self.gates_norm(self.gates(xp.concatenate([deter, u], axis=-1)))
        reset, candidate, update = xp.split(gates, 3, axis=-1)
        update = sigmoid(update - 1)
        return update * xp.tanh(sigmoid(reset) * candidate) + (1 - update) * deter

    def _latent(self, stoch, deter, before, prior):
        entropy = stop_gradient(categorical.entropy(prior).sum(-1))
        return Latent(stoch, deter, before.state, entropy)
