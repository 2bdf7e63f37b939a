"""World models: the interface that a level's agent uses, and what they all share."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import kl_balance
from hieros_eqx.modules.encoder import AbstractEncoder
from hieros_eqx.modules.predictions import LatentPredictions
from hieros_eqx.types import Array, Latent


class Observed(NamedTuple):
    """Latents of observed steps, with the distributions behind their z (log-probabilities, after unimix)."""

    latent: Latent
    posterior: Any  # float [... stoch classes]: q(z | o)
    prior: Any  # float [... stoch classes]: p(z | m)
    means: Any = None  # what `recentred` wants of a sequence, without gradient


class WorldModelLosses(NamedTuple):
    """Terms of the loss per time step, in nats, unscaled."""

    reconstruction: Any  # float [time batch]
    reward: Any  # float [time batch]
    continuation: Any  # float [time batch]
    dyn: Any  # float [time batch]: max(free, KL[sg q || p])
    rep: Any  # float [time batch]: max(free, KL[q || sg p])
    goal: Any  # float [time batch]: of the head p(z | h), which sends no gradient into the model


def flat_stoch(stoch: Float[Array, "*batch stoch classes"]) -> Float[Array, "*batch feature"]:
    """Return z as one vector."""
    return stoch.reshape(*stoch.shape[:-2], stoch.shape[-2] * stoch.shape[-1])


def feature(latent: Latent) -> Float[Array, "*batch feature"]:
    """Return what the heads, actor and critics read of a latent: h, then z."""
    xp = namespace(latent.deter, latent.stoch)
    return xp.concatenate([latent.deter, flat_stoch(latent.stoch)], axis=-1)


class AbstractWorldModel(eqx.Module):
    """How a level's world model is used. The noise of every sample is an argument.

    `prepare` does the work that all evaluations of one parameter value share: call it once per update or
    acting step and hand the result on. `before` is the latent of the step before index 0; where
    `is_first` holds, nothing older than that step is seen.
    """

    encoder: eqx.AbstractVar[AbstractEncoder]
    predictions: eqx.AbstractVar[LatentPredictions]
    config: eqx.AbstractVar[WorldModelConfig]

    @abstractmethod
    def prepare(self) -> Any:
        """Return the work shared by all evaluations of these parameters."""

    @abstractmethod
    def observe(
        self,
        prepared: Any,
        observation: Any,
        previous_action: Float[Array, "time *batch action"],
        is_first: Bool[Array, " time *batch"],
        before: Latent,
        gumbel: Float[Array, "time *batch stoch classes"],
    ) -> Observed:
        """Return latents of a whole sequence, from the observations and the actions that led to them."""

    @abstractmethod
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

    @abstractmethod
    def imagine_step(
        self,
        prepared: Any,
        latent: Latent,
        action: Float[Array, "*batch action"],
        gumbel: Float[Array, "*batch stoch classes"],
    ) -> Latent:
        """Return the latent after an action, with z from the prior."""

    @abstractmethod
    def recentred(self, means: Any) -> "AbstractWorldModel":
        """Return the model with its running means, where it has any, moved towards those of `Observed`."""

    def seen(self, observation: Any) -> "AbstractWorldModel":
        """Return the model with the running mean of its pictures, where it has one, moved by a batch."""
        parts = self.encoder.seen(observation), self.predictions.decoder.seen(observation)
        return eqx.tree_at(lambda model: (model.encoder, model.predictions.decoder), self, parts)

    def initial(self, batch_shape: tuple[int, ...]) -> Latent:
        """Return the latent that carries nothing: all zeros."""
        like = self.predictions.goal.mlp.hidden.layers[0].norm.scale  # weights may be bfloat16
        xp, config = namespace(like), self.config
        sizes = ((config.stoch, config.classes), (config.deter,), (config.state_size,), ())
        return Latent(*(xp.zeros((*batch_shape, *size), dtype=like.dtype) for size in sizes))

    def feature(self, latent: Latent) -> Float[Array, "*batch feature"]:
        """Return h and z as one vector."""
        return feature(latent)

    def predict_reward(self, latent: Latent) -> Float[Array, "*batch"]:
        """Return the expected reward that came with the latent's observation."""
        return self.predictions.predict_reward(feature(latent))

    def predict_continuation(self, latent: Latent) -> Float[Array, "*batch"]:
        """Return the probability that the episode goes on from here."""
        return self.predictions.predict_continuation(feature(latent))

    def losses(
        self,
        observed: Observed,
        observation: Any,
        reward: Float[Array, " time *batch"],
        is_terminal: Bool[Array, " time *batch"],
    ) -> WorldModelLosses:
        """Return every term of the loss, per time step."""
        continues = 1 - is_terminal.astype(reward.dtype)
        predicted = self.predictions.losses(feature(observed.latent), observation, reward, continues)
        dyn, rep = kl_balance.kl_losses(observed.posterior, observed.prior, self.config.free_nats)
        goal = self.predictions.goal_loss(observed.latent.deter, observed.latent.stoch)
        return WorldModelLosses(*predicted, dyn, rep, goal)

    def decode(self, latent: Latent) -> Any:
        """Return the predicted observation, in the form in which observations come."""
        return self.predictions.decoder.to_observation(self.predictions.decoder(feature(latent)))

    def goal_latent(self, deter: Float[Array, "*batch feature"]) -> Latent:
        """Return a latent to look at a goal h: with the likeliest z, without recurrent state."""
        zero = self.initial(deter.shape[:-1])
        return zero._replace(stoch=self.predictions.goal_stoch(deter), deter=deter)
