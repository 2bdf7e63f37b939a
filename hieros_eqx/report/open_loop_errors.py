"""How far the worker's world model sees: errors of open-loop prediction, against repeating the last picture.

Errors are squared, on pixels scaled to [0, 1], averaged over pixels and channels; predictions are rounded to
the 256 values of a picture.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.modules import AbstractWorldModel
from hieros_eqx.report.intervals import bootstrap
from hieros_eqx.report.open_loop import Prediction, predict
from hieros_eqx.report.recording import Recording

MOTION_STEPS = 5


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

    def at_motion(self, shares: Sequence[float]) -> np.ndarray:
        """Indices of the starts with more motion than these shares of all: 0.5 gives the median's."""
        order = np.argsort(self.motion, kind="stable")
        return order[[int(share * (len(order) - 1)) for share in shares]]


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


def _check_pictures(episodes: Sequence[Recording]) -> None:
    for episode in episodes:
        if episode.observation.dtype != np.uint8 or episode.observation.ndim != 4:
            raise ValueError(
                "open-loop errors are of pictures: wanted uint8 [time height width channels], got "
                f"{episode.observation.dtype} {episode.observation.shape}."
            )
