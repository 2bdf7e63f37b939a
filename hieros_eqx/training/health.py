"""Whether training is healthy: updates skipped in a row, and a diagnosis where they are too many.

Once per log line the loop fetches `skipped_in_row` beside the metrics and asks `too_many`. If that names a
level, it writes `diagnose` as `diagnosis.json` and raises `failure`. A skipped update leaves parameters and
learners as they were, so the state that is then saved is the last good one.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import UInt16

from hieros_eqx.agent.levels import level_params, slice_level
from hieros_eqx.agent.seeds import over_seeds, seed_axis
from hieros_eqx.agent.state import AgentParams, HierosState, Learner, LevelLearner, LevelParams
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import TrainingError
from hieros_eqx.replay import RingBuffer
from hieros_eqx.replay.buffer import from_bits
from hieros_eqx.training import metrics
from hieros_eqx.types import Array

FILE = "diagnosis.json"
INFINITY = 0x7F80  # bits of an infinite bfloat16 without its sign; NaNs have larger ones


class Row(NamedTuple):
    """Updates of one level of one seed that were skipped one after another."""

    seed: int
    level: int
    skipped: int


def skipped_in_row(state: HierosState) -> tuple[Any, ...]:
    """Return the counts of all levels and seeds, on the device: those of level 0, and of the levels above."""
    learners = state.learner.worker, state.learner.upper
    return tuple(learner.skipped_in_row for learner in learners if learner is not None)


def too_many(counts: Sequence[np.ndarray], config: HierosConfig) -> list[Row]:
    """Return the rows that have reached `config.training.max_skipped_updates`, longest first.

    `counts` is what `skipped_in_row` returns, fetched.
    """
    seeds = config.all_seeds
    table = np.concatenate([np.reshape(part, (len(seeds), -1)) for part in counts], axis=1)
    rows = [
        Row(seed, level, int(n))
        for seed, own in zip(seeds, table, strict=True)
        for level, n in enumerate(own)
    ]
    reached = [row for row in rows if row.skipped >= config.training.max_skipped_updates]
    return sorted(reached, key=lambda row: -row.skipped)


def failure(
    rows: Sequence[Row], config: HierosConfig, env_step: int, run_dir: Path | None = None
) -> TrainingError:
    """Return the error that ends a run because of `rows`, to be raised once its directory is in order."""
    worst, limit = rows[0], config.training.max_skipped_updates
    others = f" ({len(rows) - 1} more of its levels or seeds are no better)" if len(rows) > 1 else ""
    left = "The run has no directory, so nothing is saved."
    if run_dir is not None:
        left = f"{run_dir / FILE} says what was found; the last good state is saved in {run_dir}."
    return TrainingError(
        f"level {worst.level} of seed {worst.seed}: wanted fewer than training.max_skipped_updates = {limit} "
        f"updates in a row that are not finite, got {worst.skipped} by environment step {env_step:,}{others}"
        f". {left} Look first whether rewards and observations are finite and of moderate size. If they are, "
        "start anew with lower learning rates (optimizer.world_model_rate, optimizer.actor_critic_rate, "
        "optimizer.autoencoder_rate)."
    )


# ------------------------------------------------------------------------------------------ diagnosis


class Size(NamedTuple):
    """How large some numbers are, and how many are no numbers."""

    largest: Any
    """Largest magnitude of those that are finite."""
    not_finite: Any


def diagnose(state: HierosState, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what there is to say of a sick state, as plain JSON; `lines` are its newest metrics, by seed.

    For every seed: which metrics were not finite, and of each level how many updates were skipped and how
    large parameters, second moments of the optimisers and entries of replay are. Only these numbers are
    fetched. Of replay's latents, `not_finite` counts entries that hold such a number.
    """
    one = over_seeds(partial(_measure, levels=state.config.levels), seed_axis(state.key))
    found, train_step = metrics.fetch(
        (jax.jit(one)(state.params, state.learner, state.replay), state.train_step)
    )
    alone = seed_axis(state.key) is None
    seeds = []
    for index, (seed, line) in enumerate(zip(state.config.all_seeds, lines, strict=True)):
        own = found if alone else jax.tree.map(lambda x, i=index: x[i], found)
        seeds.append({"seed": seed, "metrics_not_finite": _not_finite(line), "levels": _plain(own)})
    return {
        "env_step": int(lines[0]["env_step"]),
        "train_step": train_step.tolist(),
        "max_skipped_updates": state.config.training.max_skipped_updates,
        "seeds": seeds,
    }


def _measure(
    params: AgentParams, learner: Learner, replay: tuple[RingBuffer, ...], *, levels: int
) -> list[dict[str, Any]]:
    """Return the numbers of all levels of one agent."""
    return [
        _measure_level(
            level_params(params, level),
            learner.worker if level == 0 else slice_level(learner.upper, level - 1),
            replay[level],
        )
        for level in range(levels)
    ]


def _measure_level(level: LevelParams, learner: LevelLearner, ring: RingBuffer) -> dict[str, Any]:
    continuous = {
        name: _size(getattr(ring, name))
        for name in ("observation", "action", "reward")
        if jnp.issubdtype(getattr(ring, name).dtype, jnp.floating)
    }
    return {
        "skipped_in_row": learner.skipped_in_row,
        "skipped": learner.skipped,
        "updates": learner.updates,
        "return_range": _size(learner.return_range),
        "autoencoder_beta": _size(learner.autoencoder_beta),
        "parameters": {
            "world_model": _size(level.world_model),
            "actor": _size(level.actor),
            "critics": _size(level.critics),
            "autoencoder": _size(level.autoencoder),
        },
        "second_moments": {
            "world_model": _size(optax.tree.get(learner.world_model_optimizer, "nu")),
            "actor": _size(optax.tree.get(learner.actor_optimizer, "nu")),
            "critics": _size(optax.tree.get(learner.critic_optimizer, "nu")),
            "autoencoder": _size(optax.tree.get(learner.autoencoder_optimizer, "nu")),
        },
        "replay": {
            "entries": jnp.minimum(ring.count, ring.capacity).sum(dtype=jnp.int32),
            **continuous,
            "deter": _size_of_bits(ring.deter),
            "state": _size_of_bits(ring.state),
        },
    }


def _size(tree: Any) -> Size:
    leaves = [x for x in jax.tree.leaves(tree) if x.size]
    largest = [jnp.max(jnp.where(jnp.isfinite(x), jnp.abs(x), jnp.zeros_like(x))) for x in leaves]
    not_finite = [(~jnp.isfinite(x)).sum(dtype=jnp.int32) for x in leaves]
    return Size(jnp.stack(largest).max(), jnp.stack(not_finite).sum(dtype=jnp.int32))


def _size_of_bits(bits: UInt16[Array, "env capacity number"]) -> Size:
    """Return the size of bfloat16 kept as bits, entry by entry: one with a NaN counts once, and only so.

    Bits without a sign are ordered like the numbers; as floats they would need twice the memory of the ring.
    """
    entry = (bits & jnp.uint16(0x7FFF)).max(axis=-1)
    finite = entry < INFINITY
    largest = jnp.where(finite, entry, jnp.zeros_like(entry)).max()
    return Size(from_bits(largest), (~finite).sum(dtype=jnp.int32))


def _not_finite(line: Mapping[str, Any]) -> list[str]:
    return [name for name, value in line.items() if isinstance(value, float) and not math.isfinite(value)]


def _plain(tree: Any) -> Any:
    """Return nested dictionaries, lists and sizes of NumPy scalars as plain JSON."""
    if isinstance(tree, Size):
        return _plain(tree._asdict())
    if isinstance(tree, dict):
        return {name: _plain(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [{"level": level, **_plain(value)} for level, value in enumerate(tree)]
    return tree.item()
