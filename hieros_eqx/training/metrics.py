"""Metrics: string keys from field paths, means kept on the device, and the one door from device to host."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


def fetch(tree: Any) -> Any:
    """Return `tree` with NumPy leaves. The only place where the training loop waits for the device.

    It is called once per agent step for the action and once per log line for the metrics.
    """
    return jax.device_get(tree)


def flatten(tree: Any) -> dict[str, Any]:
    """Return the leaves of nested dictionaries, named tuples and modules under keys of their field paths.

    `{"level0": Losses(world_model=WorldModelLoss(reconstruction=x))}` gives
    `{"level0/world_model/reconstruction": x}`.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


class Group(NamedTuple):
    """Sums of the metrics of one group (a level) and how many updates they hold."""

    names: tuple[str, ...]
    total: Any  # float32 [metric] or [metric seed], on the device
    count: int


Means = Mapping[str, Group]
"""Running means since the last log line, by group. Starts as `{}`."""


def add(means: Means, metrics: Mapping[str, Any]) -> Means:
    """Return `means` with the metrics of one update added; dispatches, never waits.

    They are scalars, or `[seed]` where seeds are trained side by side. The sums in `means` are consumed
    (their buffers are donated).
    """
    new = dict(means)
    for name, tree in metrics.items():
        flat = flatten({name: tree})
        group = new.get(name) or _empty(flat)
        if group.names != tuple(flat):
            raise ValueError(f"metrics of {name!r}: wanted {group.names}, got {tuple(flat)}.")
        new[name] = Group(group.names, _accumulate(group.total, tuple(flat.values())), group.count + 1)
    return new


def mean(means: Means, seeds: int = 1) -> list[dict[str, float]]:
    """Return the mean of every metric for each of the seeds, with one `fetch`."""
    return averages(fetch(means) if means else means, seeds)


def averages(means: Means, seeds: int = 1) -> list[dict[str, float]]:
    """Return the mean of every metric for each of the seeds, of `means` that have been fetched.

    For those who fetch something else with them.
    """
    return [
        {
            key: float(value) / group.count
            for group in means.values()
            for key, value in zip(group.names, group.total.reshape(-1, seeds)[:, seed], strict=True)
        }
        for seed in range(seeds)
    ]


def _empty(flat: Mapping[str, Any]) -> Group:
    seeds = np.shape(next(iter(flat.values())))
    return Group(tuple(flat), np.zeros((len(flat), *seeds), np.float32), 0)


@partial(jax.jit, donate_argnums=0)
def _accumulate(total: jax.Array, values: tuple[jax.Array, ...]) -> jax.Array:
    return total + jnp.stack([jnp.asarray(value, jnp.float32) for value in values])
