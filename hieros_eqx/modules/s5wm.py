"""S5WM: the world model built on S5 layers."""

from typing import Any

import equinox as eqx
from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace, random, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import categorical, transforms
from hieros_eqx.modules.dense import Hidden, Linear, Norm
from hieros_eqx.modules.encoder import AbstractEncoder, WindowSpec, make_encoder
from hieros_eqx.modules.heads import CategoricalHead, make_posterior
from hieros_eqx.modules.predictions import LatentPredictions
from hieros_eqx.modules.s5_stack import S5Stack
from hieros_eqx.modules.world_model import AbstractWorldModel, Observed, flat_stoch
from hieros_eqx.types import Array, Latent, ObservationSpace


class S5WM(AbstractWorldModel):
    r"""Hieros' sequence model: a stack of S5 blocks over $u_t = (z_{t-1}, a_{t-1})$ (arXiv 2310.05167).

    $m_t = \mathrm{Linear}(y_t)$ gives the prior $p(z_t | m_t)$; $h_t$ is the symlog of a linear map of the
    real parts of all SSM states, or of $m_t$ (`state_as_deter`), layer-normalised before if the configuration
    asks for it (`normalize_deter`). The posterior $q(z_t | o_t)$ does not depend on h.
    """

    encoder: AbstractEncoder
    posterior: CategoricalHead
    input: Hidden
    stack: S5Stack
    output: Linear
    prior: CategoricalHead
    deter: Linear | None  # None: h comes from m itself
    deter_norm: Norm | None
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
        keys = random.split(key, 8)
        width, hidden, z = config.s5.width, config.hidden, (config.stoch, config.classes)
        self.encoder = make_encoder(observation, config, key=keys[0])
        self.posterior = make_posterior(self.encoder.output_size, config, key=keys[1])
        self.input = Hidden(z[0] * z[1] + action_size, width, key=keys[2])
        self.stack = S5Stack(config.s5, key=keys[3])
        self.output = Linear(width, hidden, key=keys[4])
        self.prior = CategoricalHead(hidden, hidden, 1, *z, config.unimix, key=keys[5])
        states = config.state_size // 2 if config.state_as_deter else hidden
        plain = not config.state_as_deter and hidden == config.deter
        self.deter = None if plain else Linear(states, config.deter, key=keys[6])
        self.deter_norm = Norm(config.deter) if config.normalize_deter else None
        self.predictions = LatentPredictions(config, observation, key=keys[7])
        self.config = config

    def prepare(self) -> Any:
        """Return the discretised S5 layers."""
        return self.stack.prepare()

    def observe(
        self,
        prepared: Any,
        observation: Any,
        previous_action: Float[Array, "time *batch action"],
        is_first: Bool[Array, " time *batch"],
        before: Latent,
        gumbel: Float[Array, "time *batch stoch classes"],
    ) -> Observed:
        """Return latents of a whole sequence; all time steps at once."""
        posterior = self.posterior(self.encoder(observation))
        stoch = categorical.sample(posterior, gumbel)
        xp = namespace(stoch)
        previous_stoch = xp.concatenate([before.stoch[None], stoch[:-1]])
        u = self._input(previous_stoch, previous_action, is_first)
        y, states, means = self.stack.scan(prepared, u, is_first, before.state)
        return self._observed(stoch, posterior, y, states)._replace(means=means)

    def observe_step(
        self,
        prepared: Any,
        observation: Any,
        previous_action: Float[Array, "*batch action"],
        is_first: Bool[Array, "*batch"],
        before: Latent,
        gumbel: Float[Array, "*batch stoch classes"],
    ) -> Observed:
        """Return the latents of one step: the same function as `observe`."""
        posterior = self.posterior(self.encoder(observation))
        stoch = categorical.sample(posterior, gumbel)
        u = self._input(before.stoch, previous_action, is_first)
        y, state = self.stack.step(prepared, u, is_first, before.state)
        return self._observed(stoch, posterior, y, state)

    def imagine_step(
        self,
        prepared: Any,
        latent: Latent,
        action: Float[Array, "*batch action"],
        gumbel: Float[Array, "*batch stoch classes"],
    ) -> Latent:
        """Return the latent after an action, with z from the prior."""
        xp = namespace(action)
        never = xp.zeros(action.shape[:-1], dtype=bool)
        u = self._input(latent.stoch, action, never)
        y, state = self.stack.step(prepared, u, never, latent.state)
        m = self.output(y)
        prior = self.prior(m)
        return self._latent(categorical.sample(prior, gumbel), m, state, prior)

    def recentred(self, means: Float[Array, "layers width"] | None) -> "S5WM":
        """Return the model with the centres of its S5 layers moved towards the means of a batch."""
        return eqx.tree_at(lambda model: model.stack, self, self.stack.recentred(means))

    def _input(self, stoch, action, is_first):
        xp = namespace(stoch, action)
        u = xp.concatenate([flat_stoch(stoch), action], axis=-1)
        return self.input(xp.where(is_first[..., None], xp.zeros_like(u), u))

    def _observed(self, stoch, posterior, y, state):
        m = self.output(y)
        prior = self.prior(m)
        return Observed(self._latent(stoch, m, state, prior), posterior, prior)

    def _latent(self, stoch, m, state, prior):
        entropy = stop_gradient(categorical.entropy(prior).sum(-1))
        return Latent(stoch, self._deter(m, state), state, entropy)

    def _deter(self, m, state):
        source = self._real(state) if self.config.state_as_deter else m
        deter = source if self.deter is None else self.deter(source)
        return transforms.symlog(deter if self.deter_norm is None else self.deter_norm(deter))

    def _real(self, state):
        pairs = state.reshape(*state.shape[:-1], self.config.s5.num_layers, 2, self.config.s5.state)
        return pairs[..., 0, :].reshape(*state.shape[:-1], self.config.state_size // 2)
