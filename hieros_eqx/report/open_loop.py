"""Open-loop prediction: how far the worker's world model sees, against repeating the last picture.

From the posterior latent at a start the prior runs on with the recorded actions and sees nothing more. Errors
are squared, on pixels scaled to [0, 1], averaged over pixels and channels; predictions are rounded to the 256
values of a picture.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from hieros_eqx.core.alignment import previous_action
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.modules import AbstractWorldModel
from hieros_eqx.report.intervals import bootstrap
from hieros_eqx.report.recording import Recording
from hieros_eqx.types import Latent

MOTION_STEPS = 5


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


class OpenLoop(NamedTuple):
    """Mean squared errors per pixel of every start."""

    model: np.ndarray  # float64 [horizon start]: of one sample of the prior, averaged over samples
    model_mean: np.ndarray  # float64 [horizon start]: of the mean picture of the samples
    repeat: np.ndarray  # float64 [horizon start]: of the last picture seen
    posterior: np.ndarray  # float64 [horizon start]: of the reconstruction, which sees the picture
    motion: np.ndarray  # float64 [start]: mean |o_{t+5} - o_t|, pixels in [0, 1]

    @property
    def moving(self) -> np.ndarray:
        """Indices of the half of the starts with most motion."""
        return np.sort(np.argsort(-self.motion, kind="stable")[: max(1, len(self.motion) // 2)])


def open_loop(
    world_model: AbstractWorldModel,
    episodes: Sequence[Recording],
    starts: Int[np.ndarray, "start 2"],
    horizon: int,
    key: Any,
    *,
    samples: int = 8,
) -> OpenLoop:
    """Return the errors of open-loop prediction over `horizon` steps from every start (episode, time).

    Where fewer than `MOTION_STEPS` steps follow, motion is measured at the last of them. The key is consumed.
    Raises `ValueError` if observations are no pictures, and as `predict` does.
    """
    _check_pictures(episodes)
    return errors(predict(world_model, episodes, starts, horizon, key, samples=samples))


def errors(predictions: Iterable[Prediction]) -> OpenLoop:
    """Return the errors of predicted pictures, as `open_loop` does for them all; `ValueError` without any."""
    parts = []
    for p in predictions:
        model = np.stack([squared_error(p.imagined[:, i], p.truth) for i in range(p.imagined.shape[1])])
        model_mean = np.stack(  # one step at a time: floats take four times the room
            [
                squared_error(x.mean(axis=0, dtype=np.float32), y)
                for x, y in zip(p.imagined, p.truth, strict=True)
            ]
        )
        repeat = squared_error(np.broadcast_to(p.last, p.truth.shape), p.truth)
        after = p.truth[min(MOTION_STEPS, len(p.truth)) - 1].astype(np.float64)
        motion = np.abs(after - p.last).mean(axis=(-3, -2, -1)) / 255
        posterior = squared_error(p.posterior, p.truth)
        parts.append(OpenLoop(model.mean(axis=0), model_mean, repeat, posterior, motion))
    if not parts:
        raise ValueError("wanted at least one prediction, got none.")
    return OpenLoop(*(np.concatenate(x, axis=-1) for x in zip(*parts, strict=True)))


def squared_error(prediction: np.ndarray, truth: np.ndarray) -> Float[np.ndarray, "*batch"]:
    """Return the mean over the last three axes of the squared difference of pixels, scaled to [0, 1].

    Raises `ValueError` if shapes differ.
    """
    require_same_shape(prediction=prediction, truth=truth)
    errors = [
        np.square((x.astype(np.float32) - y.astype(np.float32)) / 255).mean(
            axis=(-3, -2, -1), dtype=np.float64
        )
        for x, y in zip(prediction, truth, strict=True)
    ]
    return np.stack(errors)


def summarise(
    result: OpenLoop, steps: Sequence[int] = (1, 5, 10, 15), *, resamples: int = 10_000
) -> dict[str, dict[str, Any]]:
    """Return mean errors and the paired bootstrap interval of (model - repeat), for all and moving starts.

    Per set of starts: `starts`, and per step `model`, `model_mean`, `repeat`, `posterior`,
    `model_minus_repeat` and `model_mean_minus_repeat`, the last two as [mean, low, high] at 95 %.
    Raises `ValueError` for a step that was not predicted.
    """
    beyond = [step for step in steps if not 1 <= step <= len(result.model)]
    if beyond:
        raise ValueError(f"wanted steps from 1 to {len(result.model)}, got {beyond}.")
    sets = {"all": np.arange(len(result.motion)), "moving_half": result.moving}
    return {
        name: {"starts": len(chosen)}
        | {f"step_{step}": _at_step(result, step, chosen, resamples) for step in steps}
        for name, chosen in sets.items()
    }


def _at_step(result: OpenLoop, step: int, chosen: np.ndarray, resamples: int) -> dict[str, Any]:
    errors = {name: getattr(result, name)[step - 1, chosen] for name in OpenLoop._fields[:4]}
    means: dict[str, Any] = {name: float(error.mean()) for name, error in errors.items()}
    for name in ("model", "model_mean"):
        means[f"{name}_minus_repeat"] = list(bootstrap(errors[name] - errors["repeat"], resamples=resamples))
    return means


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


def _check_pictures(episodes: Sequence[Recording]) -> None:
    for episode in episodes:
        if episode.observation.dtype != np.uint8 or episode.observation.ndim != 4:
            raise ValueError(
                "open-loop errors are of pictures: wanted uint8 [time height width channels], got "
                f"{episode.observation.dtype} {episode.observation.shape}."
            )


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
