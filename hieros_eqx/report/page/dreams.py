"""What the page shows of the worker's world model: predictions from held-out starts, and their errors."""

from typing import NamedTuple

import jax
import numpy as np

from hieros_eqx.report.open_loop import predict
from hieros_eqx.report.recording import collect_episodes, pick_starts
from hieros_eqx.training import Agent
from hieros_eqx.training.environment import open_env

SEED = 1  # of environments that are not those of training
ENVS, RECORDED = 4, 300  # environments side by side, and steps in each
HORIZON, STARTS, SAMPLES = 30, 32, 4
SHOWN = 4  # starts


class Dream(NamedTuple):
    """Predictions from starts in episodes that were not trained on; index 0 of `time` is the start itself."""

    truth: np.ndarray  # [time start ...]
    predicted: np.ndarray  # [time start ...]: one sample of the prior
    model: np.ndarray  # float64 [horizon]: mean squared error of a sample
    repeat: np.ndarray  # float64 [horizon]: of the last observation
    posterior: np.ndarray  # float64 [horizon]: of the reconstruction, which sees the observation
    starts: int


def dream(agent: Agent) -> Dream:
    """Let the agent play, and predict from some of the steps with the recorded actions alone.

    Errors are of pixels in [0, 1], or of the numbers of a vector. Raises `EnvError` if its environment
    cannot be made, `ValueError` if its episodes are too short to predict anything.
    """
    play_key, dream_key = jax.random.split(jax.random.key(SEED))
    env = open_env(agent.config, None, num_envs=ENVS, seed=SEED, training=False)
    try:
        episodes = collect_episodes(agent.params, env, RECORDED, play_key)
    finally:
        env.close()
    longest = max(len(episode.action) for episode in episodes)
    horizon = max(1, min(HORIZON, longest - 2))
    starts = pick_starts(episodes, _count(episodes, horizon), horizon, np.random.default_rng(SEED))
    model = agent.params.worker.world_model
    parts = list(predict(model, episodes, starts, horizon, dream_key, samples=SAMPLES))
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=axis)
        for name, axis in (("last", 0), ("truth", 1), ("posterior", 1), ("imagined", 2))
    }
    chosen = np.linspace(0, len(starts) - 1, min(SHOWN, len(starts))).astype(np.int64)
    last = joined["last"][chosen]
    return Dream(
        truth=np.concatenate([last[None], joined["truth"][:, chosen]]),
        predicted=np.concatenate([last[None], joined["imagined"][:, 0, chosen]]),
        model=_error(joined["imagined"], joined["truth"][:, None]),
        repeat=_error(joined["last"][None], joined["truth"]),
        posterior=_error(joined["posterior"], joined["truth"]),
        starts=len(starts),
    )


def _count(episodes, horizon: int) -> int:
    """Return how many starts there can be, at most `STARTS`."""
    return max(1, min(STARTS, sum(max(0, len(episode.action) - horizon) for episode in episodes)))


def _error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    scale = 255.0 if truth.dtype == np.uint8 else 1.0
    errors = [
        np.square((own.astype(np.float32) - real.astype(np.float32)) / scale).mean(dtype=np.float64)
        for own, real in zip(np.broadcast_to(prediction, _shape(prediction, truth)), truth, strict=True)
    ]
    return np.array(errors, np.float64)


def _shape(prediction: np.ndarray, truth: np.ndarray) -> tuple[int, ...]:
    return np.broadcast_shapes(prediction.shape, truth.shape)
