"""How often each entry of replay was trained on, beside what uniform draws would have given.

The counts are those of a checkpoint; only they are read of it, and nothing is compiled.
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from hieros_eqx.config import HierosConfig
from hieros_eqx.core import etbs
from hieros_eqx.errors import CheckpointError
from hieros_eqx.replay import init_replay
from hieros_eqx.report.page.run_data import RunData
from hieros_eqx.training import content, manifest, run_dir, segments
from hieros_eqx.training.schedule import train_steps

UPDATES = 400  # at most that are followed one by one; the others count as the nearest
TABLE = 4096


class LevelVisits(NamedTuple):
    """Mean visits of the entries of a level, over all environments and seeds, oldest first."""

    visits: Float[np.ndarray, " entry"]
    uniform: Float[np.ndarray, " entry"]
    """What is expected of uniform draws at the same updates."""
    expected: Float[np.ndarray, " entry"]
    """What is expected of the draws as configured."""


def read_visits(run: RunData) -> tuple[int, list[LevelVisits]]:
    """Return the environment step of the newest checkpoint that can be read, and the visits of every level.

    A level without an update has no entry in its arrays. Raises `CheckpointError` if there is no checkpoint.
    """
    problem = f"{run.path}: wanted a checkpoint, got none yet."
    for env_step in reversed(run.checkpoints):
        try:
            return env_step, _read(run, env_step)
        except CheckpointError as error:
            problem = str(error)
    raise CheckpointError(problem)


def _read(run: RunData, env_step: int) -> list[LevelVisits]:
    path = run.path / run_dir.CHECKPOINTS / str(env_step)
    if run.spaces is None:
        raise CheckpointError(f"{run.path}: wanted {run_dir.SPACES} beside the checkpoint, got none.")
    rings = jax.eval_shape(partial(init_replay, run.config, run.spaces))
    found = manifest.read(path)
    host = content.from_json(path, found, run.config, rings)
    updates = train_steps(run.config, env_step)
    return [
        _level(run.config, level, _newest_visits(path, ring, written), written.counts, ring.capacity, count)
        for level, (ring, written, count) in enumerate(zip(rings, host.rings, updates, strict=True))
    ]


def _newest_visits(path, ring, written) -> np.ndarray:
    """Return the visits of every slot, `[lane capacity]`; of empty ones -1."""
    visits = np.full((len(written.counts), ring.capacity), -1, np.int64)
    for segment in written.latents:
        rows = segments.read_rows(
            path / segment.file, segments.row_dtype(ring, segments.LATENT), segment.rows
        )
        if (rows["lane"] >= len(written.counts)).any() or (rows["number"] < 0).any():
            raise CheckpointError(f"{path / segment.file}: holds impossible values of lane or number.")
        kept = rows["number"] >= written.counts[rows["lane"]] - ring.capacity
        visits[rows["lane"][kept], rows["number"][kept] % ring.capacity] = rows["visits"][kept]
    return visits


def _level(
    config: HierosConfig, level: int, by_slot: np.ndarray, counts: np.ndarray, capacity: int, updates: int
) -> LevelVisits:
    held = int(min(counts.min(), capacity))
    none = np.zeros(0, np.float64)
    if not held or not updates:
        return LevelVisits(none, none, none)
    numbers = counts[:, None] - held + np.arange(held)
    visits = np.take_along_axis(by_slot, numbers % capacity, axis=1).mean(axis=0)
    newest = int(counts.mean())
    first = max(newest - held, 0)
    replayed = [
        expected_visits(config, level, newest, capacity, updates, temperature)[first:newest]
        for temperature in (0.0, config.replay.temperature if config.replay.sampling == "etbs" else 0.0)
    ]
    return LevelVisits(visits.astype(np.float64), *replayed)


def expected_visits(
    config: HierosConfig, level: int, entries: int, capacity: int, updates: int, temperature: float
) -> Float[np.ndarray, " entry"]:
    """Return the visits that each entry ever written to an environment is expected to have at the end.

    As if the ring of the level had grown evenly while it was trained; with `temperature` 0 draws are
    uniform. Raises `ValueError` without an entry or update.
    """
    if entries < 1 or updates < 1:
        raise ValueError(f"wanted at least 1 entry and update, got {entries} and {updates}.")
    sequence, every = config.training.sequence, config.train_period(level)
    begin = config.train_start(level) / (config.train_start(level) + every * max(updates - 1, 0))
    position = np.linspace(0, 1, TABLE)
    share = _share_below(position, temperature)
    starts = np.zeros(entries + 1, np.float64)
    followed = min(updates, UPDATES)
    for held_share in np.linspace(begin, 1, followed):
        newest = max(1, round(held_share * entries))
        oldest = max(0, newest - capacity)
        size = max(1, newest - oldest - sequence + 1)
        edges = np.interp(np.arange(size + 1) / size, position, share)
        starts[oldest : oldest + size] += np.diff(edges)
    starts *= config.training.batch * updates / followed / config.env.num_envs
    total = np.concatenate([np.zeros(1), np.cumsum(starts)])
    last = np.arange(1, entries + 1)
    return total[last] - total[np.maximum(last - sequence, 0)]


def _share_below(position: np.ndarray, temperature: float) -> np.ndarray:
    """Return the share of draws that land below each position: the inverse of what `etbs.index` does."""
    drawn = temperature * etbs.cdf(position) + (1 - temperature) * position
    return np.interp(position, drawn, position)
