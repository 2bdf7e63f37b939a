"""Open-loop prediction: what the worker's world model foresees, and what followed.

From the posterior latent at a start the prior runs on with the recorded actions and sees nothing more.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Shaped

from hieros_eqx.core.alignment import previous_action
from hieros_eqx.modules import AbstractWorldModel
from hieros_eqx.report.recording import Recording
from hieros_eqx.types import Latent


class Prediction(NamedTuple):
    """What follows some starts, real and predicted. Index 0 of `horizon` is the first step after the start.

    Observations end as the environment shows them: `height width channels` of uint8, or `feature`.
    """

    last: np.ndarray  # [start ...]: the last observation seen
    truth: np.ndarray  # [horizon start ...]
    posterior: np.ndarray  # [horizon start ...]: reconstructed from what is seen there
    imagined: np.ndarray  # [horizon sample start ...]: decoded from samples of the prior
    reward: np.ndarray  # float32 [horizon start]
    imagined_reward: np.ndarray  # float [horizon sample start]
    ends: np.ndarray  # bool [horizon start]: the episode is over there, by itself
    imagined_continuation: np.ndarray  # float [horizon sample start]: probability that it is not


def predict(
    world_model: AbstractWorldModel,
    episodes: Sequence[Recording],
    starts: Int[np.ndarray, "start 2"],
    horizon: int,
    key: Any,
    *,
    samples: int = 8,
    batch: int = 16,
) -> Iterator[Prediction]:
    """Yield predictions from `batch` starts at a time, in the order of `starts`. The key is consumed.

    Raises `ValueError` if a start is too close to its episode's end.
    """
    if samples < 1 or batch < 1 or not len(starts):
        raise ValueError(
            f"wanted at least 1 start, sample and batch, got {len(starts)}, {samples} and {batch}."
        )
    _check(episodes, starts, horizon)
    observe_key, dream_key = jax.random.split(key)
    latents, posterior = _observe_starts(world_model, episodes, starts, horizon, observe_key)
    window = np.arange(1, horizon + 1)
    truth = [episodes[e].observation[t + window] for e, t in starts]
    action = [episodes[e].action[t + window - 1] for e, t in starts]
    for first in range(0, len(starts), batch):
        own = np.arange(first, min(first + batch, len(starts)))
        full = np.resize(own, batch)  # the last batch is filled up, so that there is one program
        imagined, reward, continuation = _dream(
            world_model,
            jax.tree.map(lambda x, full=full: jnp.asarray(x[full]), latents),
            jnp.asarray(np.stack([action[i] for i in full], axis=1), latents.deter.dtype),
            jax.vmap(partial(jax.random.fold_in, dream_key))(jnp.asarray(full)),
            samples,
        )
        yield Prediction(
            last=np.stack([episodes[e].observation[t] for e, t in starts[own]]),
            truth=np.stack([truth[i] for i in own], axis=1),
            posterior=np.stack([posterior[i] for i in own], axis=1),
            imagined=np.asarray(imagined)[:, :, : len(own)],
            reward=np.stack([episodes[e].reward[t + window] for e, t in starts[own]], axis=1),
            imagined_reward=np.asarray(reward)[:, :, : len(own)],
            ends=np.stack([_ends(episodes[e], t + window) for e, t in starts[own]], axis=1),
            imagined_continuation=np.asarray(continuation)[:, :, : len(own)],
        )


def _ends(episode: Recording, times: np.ndarray) -> np.ndarray:
    return (times == len(episode.action) - 1) & episode.terminal


def _check(episodes: Sequence[Recording], starts: np.ndarray, horizon: int) -> None:
    for e, t in starts:
        if not 0 <= e < len(episodes):
            raise ValueError(f"wanted starts in one of {len(episodes)} episodes, got episode {e}.")
        if horizon < 1 or not 0 <= t < len(episodes[e].action) - horizon:
            raise ValueError(
                f"wanted {horizon} steps after the start at time {t} of episode {e}, got "
                f"{len(episodes[e].action) - 1 - t}: see `pick_starts`."
            )


def _observe_starts(
    world_model: AbstractWorldModel,
    episodes: Sequence[Recording],
    starts: np.ndarray,
    horizon: int,
    key: Any,
) -> tuple[Latent, list[np.ndarray]]:
    """Return the posterior latents at all starts, and the reconstructions of the steps that follow each."""
    latents: list[Any] = [None] * len(starts)
    pictures: list[Any] = [None] * len(starts)
    for e in np.unique(starts[:, 0]):
        latent, picture = observe_episode(world_model, episodes[e], jax.random.fold_in(key, int(e)))
        for i in np.flatnonzero(starts[:, 0] == e):
            t = starts[i, 1]
            latents[i] = jax.tree.map(lambda x, t=t: x[t], latent)
            pictures[i] = picture[t + 1 : t + 1 + horizon]
    return jax.tree.map(lambda *x: np.stack(x), *latents), pictures


def select(predictions: Sequence[Prediction], starts: Sequence[int] | np.ndarray) -> Prediction:
    """Return the predictions of some starts, counted over all `predictions`, as one.

    Raises `ValueError` for a start that is not among them.
    """
    place = [(part, i) for part in predictions for i in range(len(part.last))]
    beyond = [int(start) for start in starts if not 0 <= start < len(place)]
    if beyond or not len(starts):
        raise ValueError(f"wanted some of {len(place)} starts, got {beyond or 'none'}.")
    axes = (0, 1, 1, 2, 1, 2, 1, 2)  # of the starts, in every field
    chosen = [place[start] for start in starts]
    return Prediction(
        *(
            np.stack([np.take(part[field], i, axis) for part, i in chosen], axis)
            for field, axis in enumerate(axes)
        )
    )


def observe_episode(
    world_model: AbstractWorldModel, episode: Recording, key: Any, *, chunk: int = 128
) -> tuple[Latent, Shaped[np.ndarray, "time ..."]]:
    """Return the posterior latents of one whole episode and the observations decoded from them.

    `chunk` steps are taken at a time, each from the latent that the one before ended with; the result does
    not depend on it but for rounding. The key is consumed. Raises `ValueError` for a chunk of no step.
    """
    if chunk < 1:
        raise ValueError(f"wanted at least 1 step at a time, got {chunk}.")
    before = world_model.initial((1,))
    length = len(episode.action)
    is_first = np.arange(length) == 0
    led = previous_action(episode.action, is_first)
    parts = []
    for first in range(0, length, chunk):
        times = np.minimum(np.arange(first, first + chunk), length - 1)  # the last chunk repeats its end
        latent, picture = _observe(
            world_model,
            jnp.asarray(episode.observation[times][:, None]),
            jnp.asarray(led[times][:, None], before.deter.dtype),
            jnp.asarray(is_first[times][:, None]),
            before,
            key,
            jnp.asarray(times),
        )
        before = jax.tree.map(lambda x: x[-1], latent)
        held = min(chunk, length - first)
        parts.append(jax.tree.map(lambda x, held=held: np.asarray(x)[:held, 0], (latent, picture)))
    return jax.tree.map(lambda *x: np.concatenate(x), *parts)


@jax.jit
def _observe(world_model, observation, led, is_first, before, key, times):
    def noise(time):
        return jax.random.gumbel(jax.random.fold_in(key, time), before.stoch.shape, before.stoch.dtype)

    observed = world_model.observe(
        world_model.prepare(), observation, led, is_first, before, jax.vmap(noise)(times)
    )
    return observed.latent, world_model.decode(observed.latent)


@partial(jax.jit, static_argnames="samples")
def _dream(world_model, start, action, keys, samples):
    """What is decoded after `action` [horizon start action], one key a start: `[horizon sample start ...]`.

    Observation, reward and probability that the episode goes on.
    """
    prepared = world_model.prepare()
    latent = jax.tree.map(lambda x: jnp.broadcast_to(x, (samples, *x.shape)), start)

    def step(latent, at):
        action, number = at

        def noise(key):
            shape = (samples, *start.stoch.shape[1:])
            return jax.random.gumbel(jax.random.fold_in(key, number), shape, start.stoch.dtype)

        gumbel = jnp.moveaxis(jax.vmap(noise)(keys), 0, 1)
        led = jnp.broadcast_to(action, (samples, *action.shape))
        latent = world_model.imagine_step(prepared, latent, led, gumbel)
        seen = world_model.decode(latent)
        return latent, (seen, world_model.predict_reward(latent), world_model.predict_continuation(latent))

    return jax.lax.scan(step, latent, (action, jnp.arange(action.shape[0])))[1]
