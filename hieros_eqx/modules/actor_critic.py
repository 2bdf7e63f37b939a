"""Actors, critics, and what they read."""

import math
from abc import abstractmethod
from typing import Any, Literal

import equinox as eqx
import numpy as np
from jaxtyping import Float

from hieros_eqx.backend import namespace, random, stop_gradient
from hieros_eqx.backend.random import Key
from hieros_eqx.config import BehaviourConfig, SubgoalConfig, WorldModelConfig
from hieros_eqx.core import categorical, nn, transforms
from hieros_eqx.modules.dense import MLP
from hieros_eqx.modules.heads import CategoricalHead, TwoHotHead
from hieros_eqx.modules.world_model import feature
from hieros_eqx.types import ActionSpace, Array, Latent

ACTOR_SCALE = 0.01
"""Output scale of actors: they start close to uniform."""

Critic = TwoHotHead
"""The value of one reward kind; starts at zero everywhere."""


def policy_input(
    latent: Latent,
    subgoal: Float[Array, "*batch subgoal"],
    reward: Float[Array, "*batch"],
    continuation: Float[Array, "*batch"],
) -> Float[Array, "*batch feature"]:
    """Return what actor and critics read: h, z, the subgoal, symlog of (reward, continuation, entropy).

    `subgoal` is the flat code, or the decoded goal. No gradient goes through.
    """
    xp = namespace(latent.deter)
    scalars = transforms.symlog(xp.stack([reward, continuation, latent.entropy], axis=-1))
    return stop_gradient(xp.concatenate([feature(latent), subgoal, scalars], axis=-1))


def policy_input_size(world: WorldModelConfig, subgoal: SubgoalConfig, config: BehaviourConfig) -> int:
    """Return the length of `policy_input`."""
    goal = subgoal.factors * subgoal.classes if config.goal_input == "code" else world.deter
    return world.deter + world.stoch * world.classes + goal + 3


class AbstractActor(eqx.Module):
    """A policy. Actions are flat vectors; a distribution is one array of parameters."""

    action_size: eqx.AbstractVar[int]

    @abstractmethod
    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "..."]:
        """Return the parameters of the action distribution."""

    @abstractmethod
    def draw_noise(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "..."]:
        """Return the noise that `sample` takes. The key is consumed."""

    @abstractmethod
    def sample(self, dist: Float[Array, "..."], noise: Float[Array, "..."]) -> Float[Array, "*batch action"]:
        """Return an action, without gradient."""

    @abstractmethod
    def draw_uniform(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "*batch action"]:
        """Return an action that any other is as likely as. The key is consumed."""

    @abstractmethod
    def mode(self, dist: Float[Array, "..."]) -> Float[Array, "*batch action"]:
        """Return the most likely action (of a squashed normal: the squashed mean)."""

    @abstractmethod
    def log_prob(
        self, dist: Float[Array, "..."], action: Float[Array, "*batch action"]
    ) -> Float[Array, "*batch"]:
        """Return the log-probability (density) of an action, in nats."""

    @abstractmethod
    def entropy(self, dist: Float[Array, "..."]) -> Float[Array, "*batch"]:
        """Return the entropy, in nats."""


class CategoricalActor(AbstractActor):
    """Independent categorical choices; one of them for discrete actions, several for a subgoal's code.

    `reduce` joins log-probabilities and entropies over the factors.
    """

    head: CategoricalHead
    reduce: Literal["sum", "mean"] = eqx.field(static=True)
    action_size: int = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        factors: int,
        classes: int,
        hidden: int,
        layers: int,
        unimix: float,
        reduce: Literal["sum", "mean"] = "sum",
        *,
        key: Key,
    ):
        self.head = CategoricalHead(
            inputs, hidden, layers, factors, classes, unimix, out_scale=ACTOR_SCALE, key=key
        )
        self.reduce = reduce
        self.action_size = factors * classes

    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch factors classes"]:
        """Return log-probabilities of every factor's classes, after unimix."""
        return self.head(x)

    def draw_noise(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "*batch factors classes"]:
        """Return Gumbel noise. The key is consumed."""
        return random.gumbel(key, (*batch_shape, self.head.variables, self.head.classes), dtype)

    def sample(
        self, dist: Float[Array, "*batch factors classes"], noise: Float[Array, "*batch factors classes"]
    ) -> Float[Array, "*batch action"]:
        """Return one-hot choices, flat, without gradient."""
        return self._flat(categorical.mode(dist + noise))

    def draw_uniform(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "*batch action"]:
        """Return uniform choices, one-hot, flat. The key is consumed."""
        return self._flat(categorical.mode(self.draw_noise(key, batch_shape, dtype)))

    def mode(self, dist: Float[Array, "*batch factors classes"]) -> Float[Array, "*batch action"]:
        """Return the most likely choices, one-hot, flat."""
        return self._flat(categorical.mode(dist))

    def log_prob(
        self, dist: Float[Array, "*batch factors classes"], action: Float[Array, "*batch action"]
    ) -> Float[Array, "*batch"]:
        """Return the log-probability, joined over factors."""
        return self._join(categorical.log_prob(dist, action.reshape(dist.shape)))

    def entropy(self, dist: Float[Array, "*batch factors classes"]) -> Float[Array, "*batch"]:
        """Return the entropy, joined over factors."""
        return self._join(categorical.entropy(dist))

    def _flat(self, choice):
        return choice.reshape(*choice.shape[:-2], self.action_size)

    def _join(self, per_factor):
        return per_factor.sum(-1) if self.reduce == "sum" else per_factor.mean(-1)


class NormalActor(AbstractActor):
    """Tanh-squashed normal in [-1, 1], independent per dimension.

    The mean before squashing lies within +-3 and the standard deviation in [0.1, 1]: beyond that the tanh is
    flat to the precision of float32, and an action would no longer tell where it came from.
    """

    mlp: MLP
    action_size: int = eqx.field(static=True)

    MAX_MEAN = 3.0
    MIN_STD, MAX_STD = 0.1, 1.0
    NODES = 32

    def __init__(self, inputs: int, size: int, hidden: int, layers: int, *, key: Key):
        self.mlp = MLP(inputs, hidden, layers, 2 * size, out_scale=ACTOR_SCALE, key=key)
        self.action_size = size

    def __call__(self, x: Float[Array, "*batch feature"]) -> Float[Array, "*batch two_action"]:
        """Return mean and standard deviation before squashing."""
        raw = self.mlp(x)
        xp = namespace(raw)
        mean, spread = raw[..., : self.action_size], raw[..., self.action_size :]
        mean = self.MAX_MEAN * xp.tanh(mean / self.MAX_MEAN)
        std = self.MIN_STD + (self.MAX_STD - self.MIN_STD) * nn.sigmoid(spread)
        return xp.concatenate([mean, std], axis=-1)

    def draw_noise(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "*batch action"]:
        """Return standard normal noise. The key is consumed."""
        return random.normal(key, (*batch_shape, self.action_size), dtype)

    def sample(
        self, dist: Float[Array, "*batch two_action"], noise: Float[Array, "*batch action"]
    ) -> Float[Array, "*batch action"]:
        """Return an action in [-1, 1], without gradient."""
        mean, std = self._split(dist)
        return stop_gradient(namespace(dist).tanh(mean + std * noise))

    def draw_uniform(
        self, key: Any, batch_shape: tuple[int, ...], dtype: Any = np.float32
    ) -> Float[Array, "*batch action"]:
        """Return an action uniform in [-1, 1] in every dimension. The key is consumed."""
        return 2 * random.uniform(key, (*batch_shape, self.action_size), dtype) - 1

    def mode(self, dist: Float[Array, "*batch two_action"]) -> Float[Array, "*batch action"]:
        """Return the squashed mean."""
        return namespace(dist).tanh(self._split(dist)[0])

    def log_prob(
        self, dist: Float[Array, "*batch two_action"], action: Float[Array, "*batch action"]
    ) -> Float[Array, "*batch"]:
        """Return the log-density of an action, summed over dimensions."""
        xp = namespace(dist, action)
        mean, std = self._split(dist)
        x = xp.arctanh(xp.clip(action, -1 + 1e-6, 1 - 1e-6))
        normal = -0.5 * ((x - mean) / std) ** 2 - xp.log(std) - 0.5 * math.log(2 * math.pi)
        return (normal - self._log_slope(x)).sum(-1)

    def entropy(self, dist: Float[Array, "*batch two_action"]) -> Float[Array, "*batch"]:
        """Return the differential entropy, summed over dimensions.

        That of the normal plus the mean log-slope of tanh, by Gauss-Hermite quadrature.
        """
        xp = namespace(dist)
        mean, std = self._split(dist)
        nodes, weights = np.polynomial.hermite.hermgauss(self.NODES)
        nodes = xp.asarray(math.sqrt(2) * nodes, dtype=dist.dtype)
        weights = xp.asarray(weights / math.sqrt(math.pi), dtype=dist.dtype)
        x = mean[..., None] + std[..., None] * nn.trailing(nodes, mean[..., None])
        slope = (nn.trailing(weights, x) * self._log_slope(x)).sum(-1)
        return (xp.log(std) + 0.5 * math.log(2 * math.pi * math.e) + slope).sum(-1)

    def _split(self, dist):
        return dist[..., : self.action_size], dist[..., self.action_size :]

    def _log_slope(self, x):
        """ln(1 - tanh(x)^2), without cancellation."""
        return 2 * (math.log(2) - x - nn.softplus(-2 * x))


def make_actor(
    inputs: int, action: ActionSpace | SubgoalConfig, config: BehaviourConfig, *, key: Key
) -> AbstractActor:
    """Return the actor for an environment's actions, or for the codes of the level below."""
    hidden, layers = config.hidden, config.layers
    if isinstance(action, SubgoalConfig):
        factors, classes, reduce = action.factors, action.classes, config.code_log_prob
    elif action.kind == "discrete":
        factors, classes, reduce = 1, action.size, "sum"
    else:
        return NormalActor(inputs, action.size, hidden, layers, key=key)
    return CategoricalActor(inputs, factors, classes, hidden, layers, config.unimix, reduce, key=key)
