"""Stacking of levels: one tree with a leading `level` axis, its slices and prefixes."""

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
    return params.worker if level == 0 else slice_level(params.upper, level - 1)


def stack(trees: list[Any]) -> Any:
    """Stack equal trees along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
