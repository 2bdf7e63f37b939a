"""A world model that knows its world exactly, so that every misalignment shows as an error.

The world: red is the sum of `STRIDE * (index of the action)` since the episode began, green is the time, blue
is constant. `dizzy` lets the prior add noise to green. The reward is half of red; episodes end by themselves.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hieros_eqx.modules import AbstractWorldModel, Observed
from hieros_eqx.report.recording import Recording
from hieros_eqx.types import Latent

ACTIONS, STRIDE, SIDE, BLUE = 3, 4, 2, 40
LENGTHS, HORIZON = [19, 9, 26], 6  # of episodes, and what follows every start
STARTS = np.array([[0, 0], [2, 19], [1, 2], [0, 12], [2, 5]])  # episode, time


def play(lengths: list[int], seed: int = 0) -> list[Recording]:
    """Episodes of random actions; the last action of each is zero."""
    rng, episodes = np.random.default_rng(seed), []
    for length in lengths:
        index = rng.integers(ACTIONS, size=length)
        action = np.eye(ACTIONS, dtype=np.float32)[index]
        action[-1] = 0
        red = np.concatenate([[0], STRIDE * np.cumsum(index)[:-1]])
        color = np.stack([red, np.arange(length), np.full(length, BLUE)], axis=1)
        frames = np.broadcast_to(color[:, None, None], (length, SIDE, SIDE, 3)).astype(np.uint8)
        reward = (red / 2).astype(np.float32)
        episodes.append(Recording(frames, action, reward, complete=True, terminal=True))
    return episodes


class ToyWorldModel(AbstractWorldModel):
    """h is (red, green): red is seen, green is counted by the recurrent state."""

    encoder: Any = None
    predictions: Any = None
    config: Any = None
    dizzy: float = 0.0

    def initial(self, batch_shape):
        sizes = ((1, 2), (2,), (1,), ())
        return Latent(*(jnp.zeros((*batch_shape, *size), jnp.float32) for size in sizes))

    def prepare(self):
        return None

    def observe(self, prepared, observation, previous_action, is_first, before, gumbel):
        def step(latent, at):
            latent = self.observe_step(prepared, *at[:3], latent, at[3]).latent
            return latent, latent

        inputs = (observation, previous_action, is_first, gumbel)
        return Observed(jax.lax.scan(step, before, inputs)[1], None, None)

    def recentred(self, means):
        del means
        return self

    def observe_step(self, prepared, observation, previous_action, is_first, before, gumbel):  # noqa: ARG002
        time = jnp.where(is_first[:, None], 0.0 * before.state, before.state + 1)
        red = observation[:, 0, 0, :1].astype(jnp.float32)
        return Observed(
            Latent(before.stoch, jnp.concatenate([red, time], -1), time, before.entropy), None, None
        )

    def imagine_step(self, prepared, latent, action, gumbel):  # noqa: ARG002
        moved = STRIDE * (action * jnp.arange(ACTIONS, dtype=action.dtype).reshape(1, 1, -1)).sum(-1)
        red = latent.deter[..., 0] + moved
        noise = self.dizzy * jnp.sign(gumbel[..., 0, 0] - gumbel[..., 0, 1])
        deter = jnp.stack([red, latent.state[..., 0] + 1 + noise], axis=-1)
        return latent._replace(deter=deter, state=latent.state + 1)

    def predict_reward(self, latent):
        return latent.deter[..., 0] / 2

    def predict_continuation(self, latent):
        return jnp.full_like(latent.deter[..., 0], 0.75)

    def decode(self, latent):
        red, green = latent.deter[..., 0], latent.deter[..., 1]
        color = jnp.stack([red, green, jnp.full_like(red, BLUE)], axis=-1)
        shape = (*red.shape, SIDE, SIDE, 3)
        return jnp.broadcast_to(jnp.expand_dims(color, (-3, -2)), shape).round().astype(jnp.uint8)
