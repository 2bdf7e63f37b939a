"""What a latent predicts: observation, reward, continuation, and which z goes with an h."""

from typing import Any

import equinox as eqx
from jaxtyping import Float

from hieros_eqx.backend import random, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import WorldModelConfig
from hieros_eqx.core import categorical
from hieros_eqx.modules.decoder import AbstractDecoder, make_decoder
from hieros_eqx.modules.encoder import WindowSpec
from hieros_eqx.modules.heads import CategoricalHead, ContinueHead, TwoHotBins, TwoHotHead
from hieros_eqx.types import Array, ObservationSpace


class LatentPredictions(eqx.Module):
    """The heads that every world model has on its latents (h, z).

    `goal` predicts z from h alone, for a goal is an h without the m that the prior needs. It only watches: no
    gradient leaves it.
    """

    decoder: AbstractDecoder
    reward: TwoHotHead
    continuation: ContinueHead
    goal: CategoricalHead

    def __init__(
        self,
        config: WorldModelConfig,
        observation: ObservationSpace | WindowSpec,
        *,
        key: Key,
    ):
        decoder_key, reward_key, continue_key, goal_key = random.split(key, 4)
        inputs, hidden, layers = (
            config.deter + config.stoch * config.classes,
            config.hidden,
            config.head_layers,
        )
        bins = TwoHotBins(num=config.bins, space=config.bin_space)
        self.decoder = make_decoder(inputs, observation, config, key=decoder_key)
        self.reward = TwoHotHead(inputs, hidden, layers, bins, key=reward_key)
        self.continuation = ContinueHead(inputs, hidden, layers, key=continue_key)
        self.goal = CategoricalHead(
            config.deter, hidden, 1, config.stoch, config.classes, config.unimix, key=goal_key
        )

    def predict_reward(self, feature: Float[Array, "*batch feature"]) -> Float[Array, "*batch"]:
        """Return the expected reward."""
        return self.reward.mean(self.reward.logits(feature))

    def predict_continuation(self, feature: Float[Array, "*batch feature"]) -> Float[Array, "*batch"]:
        """Return the probability that the episode goes on."""
        return self.continuation.probability(self.continuation.logit(feature))

    def losses(
        self,
        feature: Float[Array, "*batch feature"],
        observation: Any,
        reward: Float[Array, "*batch"],
        continues: Float[Array, "*batch"],
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"], Float[Array, "*batch"]]:
        """Return `-ln p` of observation, reward and continuation."""
        return (
            self.decoder.loss(self.decoder(feature), observation),
            self.reward.loss(self.reward.logits(feature), reward),
            self.continuation.loss(self.continuation.logit(feature), continues),
        )

    def goal_loss(
        self, deter: Float[Array, "*batch feature"], stoch: Float[Array, "*batch stoch classes"]
    ) -> Float[Array, "*batch"]:
        """Return the cross-entropy of z given h, summed over `stoch`; gradient for the goal head alone."""
        log_probs = self.goal(stop_gradient(deter))
        return -categorical.log_prob(log_probs, stop_gradient(stoch)).sum(-1)

    def goal_stoch(self, deter: Float[Array, "*batch feature"]) -> Float[Array, "*batch stoch classes"]:
        """Return the most likely z, one-hot, that goes with h."""
        return categorical.mode(self.goal(deter))
