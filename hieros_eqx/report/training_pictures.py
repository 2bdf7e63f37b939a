"""Pictures of a run under way, for its sinks: the newest episode, and what the worker's model foresees of it.

All comes from replay: no environment is stepped and nothing of the state changes.
"""

import jax
import numpy as np

from hieros_eqx.agent import num_seeds, select_seed
from hieros_eqx.agent.state import HierosState
from hieros_eqx.replay import RingBuffer
from hieros_eqx.report.open_loop import Prediction, predict
from hieros_eqx.report.recording import Recording

CLIP = 150  # steps: ten seconds of Atari
CONTEXT = 16  # steps that the model sees before it foresees
HORIZON = 15
COLUMNS = (1, 2, 3, 5, 8, 11, 15)  # steps after the start that a strip shows
GAP = 2  # pixels between pictures
COLOURS = 3


def training_pictures(state: HierosState, env_step: int) -> dict[str, np.ndarray]:
    """Return a moving `pictures/episode` and a strip `pictures/open_loop`; none where nothing is to be seen.

    The episode is the newest of the first environment (and seed) that has ended, its last `CLIP` steps; as
    long as none has, the steps so far. The strip has three rows: truth, one sample of the prior after
    `CONTEXT` steps, and the absolute error. It is left out where the episode is too short for it. Noise is
    drawn from `env_step`.
    """
    if state.spaces.observation.kind != "image" or state.spaces.observation.shape[-1] != COLOURS:
        return {}
    several = num_seeds(state) is not None
    episode = newest_episode(state.replay[0], seeds=several)
    shown = {"pictures/episode": episode.observation}
    start = len(episode.action) - 1 - HORIZON
    if start >= 1:
        model = state.params.worker.world_model
        model = select_seed(model, 0) if several else model
        first = max(0, start - CONTEXT + 1)
        seen = Recording(*(x[first:] for x in episode[:3]), complete=False)
        starts = np.array([[0, start - first]], np.int64)
        key = jax.random.key(env_step)
        (prediction,) = predict(model, [seen], starts, HORIZON, key, samples=1, batch=1)
        shown["pictures/open_loop"] = strip(prediction)
    return shown


def newest_episode(ring: RingBuffer, *, seeds: bool = False) -> Recording:
    """Return at most `CLIP` steps of the newest episode of a ring's first environment that has ended.

    With `seeds` the ring leads with them. Only what is returned is fetched, and the flags.
    """
    lead = (0, 0) if seeds else (0,)
    count, first, last = jax.device_get((ring.count[lead], ring.is_first[lead], ring.is_last[lead]))
    count, capacity = int(count), len(last)
    held = np.arange(max(0, count - capacity), count)  # numbers of the entries, oldest first
    ended = held[last[held % capacity]]
    end = int(ended[-1]) if len(ended) else count - 1
    begun = held[(held <= end) & first[held % capacity]]
    begin = max(int(begun[-1]) if len(begun) else int(held[0]), end - CLIP + 1)
    # One program, however many steps there are: the rest is cut away here.
    slots = np.minimum(np.arange(begin, begin + CLIP), end) % capacity
    fetched = jax.device_get([x[(*lead, slots)] for x in (ring.observation, ring.action, ring.reward)])
    observation, action, reward = (np.asarray(x)[: end - begin + 1] for x in fetched)
    if ring.action_classes:
        action = (action == np.arange(ring.action_classes)).astype(np.float32)  # -1: zeros
    return Recording(observation, action, reward, complete=bool(len(ended)))


def strip(prediction: Prediction) -> np.ndarray:
    """Return truth, prediction and absolute error of the first start below each other, uint8 picture."""
    steps = [step - 1 for step in COLUMNS if step <= len(prediction.truth)]
    truth, imagined = prediction.truth[steps, 0], prediction.imagined[steps, 0, 0]
    error = np.abs(truth.astype(np.int16) - imagined.astype(np.int16)).astype(np.uint8)
    rows = [np.concatenate([*map(_framed, row)], axis=1) for row in (truth, imagined, error)]
    return np.concatenate(rows, axis=0)


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
