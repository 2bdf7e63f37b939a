"""Pictures of a run under way, for its sinks: the newest episode, and what the worker's model foresees of it.

All comes from replay: no environment is stepped and nothing of the state changes. The model runs on NumPy,
where a few steps take a second at the paper's size and nothing is compiled.
"""

import jax
import numpy as np
from jaxtyping import UInt8

from hieros_eqx.agent import num_seeds, select_seed
from hieros_eqx.agent.state import HierosState
from hieros_eqx.backend import to_numpy
from hieros_eqx.core.alignment import previous_action
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.modules import AbstractWorldModel
from hieros_eqx.replay import RingBuffer
from hieros_eqx.report.recording import Recording

CLIP = 150  # steps: ten seconds of Atari
CONTEXT = 16  # steps that the model sees before it foresees
AHEAD = (1, 2, 3, 5, 8, 11, 15)  # steps after the context that a strip shows
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
    if len(episode.action) >= CONTEXT + AHEAD[-1]:
        model = state.params.worker.world_model
        model = to_numpy(select_seed(model, 0) if several else model)
        shown["pictures/open_loop"] = strip(*foresee(model, episode, np.random.default_rng(env_step)))
    return shown


def newest_episode(ring: RingBuffer, *, seeds: bool = False) -> Recording:
    """Return at most `CLIP` steps of the newest episode of a ring's first environment that has ended.

    With `seeds` the ring leads with them. Only what is returned is fetched, and the flags. Raises
    `ValueError` for an empty ring.
    """
    lead = (0, 0) if seeds else (0,)
    count, first, last = jax.device_get((ring.count[lead], ring.is_first[lead], ring.is_last[lead]))
    count, capacity = int(count), len(last)
    if not count:
        raise ValueError("wanted a ring with at least one entry, got an empty one: nothing was played yet.")
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


def foresee(
    model: AbstractWorldModel, episode: Recording, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "ahead height width 3"], UInt8[np.ndarray, "ahead height width 3"]]:
    """Return truth and one sample of the prior at the steps `AHEAD` of the last context of an episode.

    `model` has NumPy leaves. Raises `ValueError` if the episode is shorter than context and steps together.
    """
    length = CONTEXT + AHEAD[-1]
    if len(episode.action) < length:
        raise ValueError(f"wanted an episode of at least {length} steps, got {len(episode.action)}.")
    observation, action = episode.observation[-length:], episode.action[-length:]
    prepared, before = model.prepare(), model.initial((1,))

    def noise(steps: int) -> np.ndarray:
        return rng.gumbel(size=(steps, *before.stoch.shape)).astype(before.stoch.dtype)

    first = np.arange(CONTEXT) == 0
    led = previous_action(action[:CONTEXT].astype(before.deter.dtype), first)
    seen = model.observe(
        prepared, observation[:CONTEXT, None], led[:, None], first[:, None], before, noise(CONTEXT)
    )
    latent, imagined = jax.tree.map(lambda x: x[-1:], seen.latent), []  # [sample start ...], one of each
    for ahead in range(1, AHEAD[-1] + 1):
        led = action[CONTEXT + ahead - 2][None, None].astype(before.deter.dtype)
        latent = model.imagine_step(prepared, latent, led, noise(1))
        if ahead in AHEAD:
            imagined.append(model.decode(latent)[0, 0])
    return observation[[CONTEXT - 1 + ahead for ahead in AHEAD]], np.stack(imagined)


def strip(
    truth: UInt8[np.ndarray, "ahead height width 3"], imagined: UInt8[np.ndarray, "ahead height width 3"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return truth, prediction and absolute error below each other, one column a step.

    Raises `ValueError` if shapes differ.
    """
    require_same_shape(truth=truth, imagined=imagined)
    error = np.abs(truth.astype(np.int16) - imagined.astype(np.int16)).astype(np.uint8)
    rows = [np.concatenate([*map(_framed, row)], axis=1) for row in (truth, imagined, error)]
    return np.concatenate(rows, axis=0)


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
