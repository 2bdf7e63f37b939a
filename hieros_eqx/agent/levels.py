"""Levels above the worker, one by one or stacked: one tree with a leading `level` axis, slices, prefixes."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hieros_eqx.agent.state import AgentParams, LevelParams


def slice_level(stacked: Any, index: int) -> Any:
    """Return one level of a stacked tree."""
    return jax.tree.map(lambda x: x[index], stacked)


def prefix(stacked: Any, count: int) -> Any:
    """Return the first `count` levels of a stacked tree, still stacked."""
    return jax.tree.map(lambda x: x[:count], stacked)


def replace_prefix(stacked: Any, new: Any) -> Any:
    """Return the stacked tree with its first levels replaced by those of `new`."""

    def put(old, fresh):
        return fresh if old.shape == fresh.shape else old.at[: fresh.shape[0]].set(fresh)

    return jax.tree.map(put, stacked, new)


def level_params(params: AgentParams, level: int) -> LevelParams:
    """Return the parameters of one level, 0 being the worker."""
    return params.worker if level == 0 else params.upper[level - 1]


def stack(trees: Sequence[Any]) -> Any:
    """Stack equal trees along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstack(stacked: Any, count: int) -> tuple[Any, ...]:
    """Return the first `count` levels of a stacked tree one by one."""
    return tuple(slice_level(stacked, index) for index in range(count))
