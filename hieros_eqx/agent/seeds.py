"""Seeds side by side: many agents as one state with a leading `seed` axis, on one device or several.

Independent agents share a program, the two counters and nothing else. On one device the program is mapped by
`vmap`. On several the seeds are spread over a mesh, and `shard_map` gives every device the same program for
its own seeds: nothing is communicated, whatever XLA makes of the `vmap` inside.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hieros_eqx.agent.init import init_counters, init_keyed
from hieros_eqx.agent.levels import stack
from hieros_eqx.agent.state import HierosState
from hieros_eqx.backend import is_jax, tree_leaves, tree_map
from hieros_eqx.config import HierosConfig
from hieros_eqx.replay import init_replay
from hieros_eqx.types import Spaces

AXIS = "seed"


@dataclass(frozen=True)
class SeedAxis:
    """How a leading `seed` axis is mapped over: `vmap` on one device, or on each device of a mesh."""

    mesh: Mesh | None = None


def init_seeds(
    config: HierosConfig, spaces: Spaces, seeds: Sequence[int], mesh: Mesh | None = None
) -> HierosState:
    """Return fresh agents side by side: that of seed s has the numbers of `init(config, spaces, key(s))`.

    Every leaf leads with `seed` except the counters `env_step` and `train_step`, which count for each seed
    alone and are the same for all. With a mesh (`seed_mesh`) the seeds are spread over its devices, and
    each device makes its own part. Raises `ValueError` if there is no seed or the mesh does not divide them.
    """
    if not len(seeds):
        raise ValueError("wanted at least one seed, got none.")
    if mesh is not None and (AXIS not in mesh.shape or len(seeds) % mesh.size):
        raise ValueError(
            f"wanted a mesh with one axis {AXIS!r} whose size divides {len(seeds)} seeds, got "
            f"{dict(mesh.shape)}. Take `seed_mesh({len(seeds)})`."
        )
    # the very program of one agent, one after another: that of all seeds would round otherwise
    agents = _stack([init_keyed(config, spaces, jax.random.key(seed)) for seed in seeds])
    counters = init_counters(config)
    spread = shared = None
    if mesh is not None:
        spread, shared = _shardings(mesh)
        agents, counters = jax.device_put(agents, spread), jax.device_put(counters, shared)
    empty = jax.vmap(lambda _: init_replay(config, spaces))
    replay = jax.jit(lambda: empty(jnp.arange(len(seeds))), out_shardings=spread)()
    (params, learner, carry, key), (env_step, train_step) = agents, counters
    return HierosState(params, learner, carry, replay, key, env_step, train_step)


_stack = jax.jit(stack)


def num_seeds(state: HierosState) -> int | None:
    """Return how many seeds a state holds side by side; None for one agent without the axis."""
    return state.key.shape[0] if state.key.ndim else None


def select_seed(tree: Any, index: int) -> Any:
    """Return one seed of a `HierosState`, or of any tree whose every leaf leads with `seed`.

    What comes out of a state is a state of one agent, in fresh buffers (on the device that held the seed):
    it can be given to `act` and `update`, which donate it, and the state that it came from goes on.
    Raises `ValueError` if there is no seed of that index, counted from 0.
    """
    if not isinstance(tree, HierosState):
        return _take(tree, index)
    if num_seeds(tree) is None:
        raise ValueError("wanted a state with a seed axis, got one agent's. Use it as it is.")
    params, learner, carry, replay, key = _take(
        (tree.params, tree.learner, tree.carry, tree.replay, tree.key), index
    )
    place = None if _mesh(tree.key) is None else key.sharding
    env_step, train_step = (jnp.copy(jax.device_put(x, place)) for x in (tree.env_step, tree.train_step))
    return HierosState(params, learner, carry, replay, key, env_step, train_step)


def seed_mesh(count: int, devices: Sequence[Any] | None = None) -> Mesh | None:
    """Return a mesh of the most devices (default: all local ones) that share `count` seeds evenly.

    None where that is one device: then nothing needs to be spread. Raises `ValueError` if there is no seed.
    """
    if count < 1:
        raise ValueError(f"wanted at least one seed, got {count}.")
    devices = jax.local_devices() if devices is None else list(devices)
    size = max(n for n in range(1, len(devices) + 1) if count % n == 0)
    return Mesh(np.array(devices[:size]), (AXIS,)) if size > 1 else None


def state_shardings(state: HierosState, mesh: Mesh) -> HierosState:
    """Return the sharding of every leaf of a state whose seeds are spread over `mesh`, as a tree like it.

    `state` may be abstract (`jax.eval_shape`). For `jax.device_put`, or to restore a checkpoint by.
    """
    spread, shared = _shardings(mesh)
    everything = jax.tree.map(lambda _: spread, state)
    return eqx.tree_at(lambda s: (s.env_step, s.train_step), everything, (shared, shared))


def seed_axis(key: Any) -> SeedAxis | None:
    """Return how the agents of this key (a state's) are mapped over; None for one agent without the axis."""
    return SeedAxis(_mesh(key)) if key.ndim else None


def over_seeds(function: Callable[..., Any], axis: SeedAxis | None) -> Callable[..., Any]:
    """Return `function`, which is written for one agent, mapped over the seeds of all its arguments."""
    if axis is None:
        return function
    mapped = jax.vmap(function)
    if axis.mesh is None:
        return mapped
    spread = PartitionSpec(AXIS)
    # Without communication there is no replication to keep track of (`check_vma`), and scans need not care.
    return jax.shard_map(mapped, mesh=axis.mesh, in_specs=spread, out_specs=spread, check_vma=False)


def _shardings(mesh: Mesh) -> tuple[NamedSharding, NamedSharding]:
    """Return the shardings of what leads with `seed` and of what all seeds share."""
    return NamedSharding(mesh, PartitionSpec(AXIS)), NamedSharding(mesh, PartitionSpec())


def _mesh(x: Any) -> Mesh | None:
    """Return the mesh that the seeds of an array are spread over, unless it is being traced."""
    sharding = getattr(x, "sharding", None)
    mesh = sharding.mesh if isinstance(sharding, NamedSharding) else None
    return mesh if isinstance(mesh, Mesh) and AXIS in mesh.shape else None


def _take(tree: Any, index: int) -> Any:
    leaves = tree_leaves(tree)
    index, count = operator.index(index), leaves[0].shape[0]
    if not 0 <= index < count:
        raise ValueError(f"wanted the index of one of {count} seeds, got {index}.")
    if not is_jax(*leaves):
        return tree_map(lambda x: x[index], tree)
    return _index(*_local(tree, index))


@jax.jit
def _index(tree, index):
    return jax.tree.map(lambda x: x[index], tree)


def _local(tree: Any, index: int) -> tuple[Any, Any]:
    """Return the part of a tree on the device that holds the seed `index`, and the seed's index there.

    A slice across devices would gather whole replay buffers.
    """
    first = jax.tree.leaves(tree)[0]
    if _mesh(first) is None:
        return tree, np.int32(index)
    shards = first.addressable_shards
    shard, index = divmod(index, shards[0].data.shape[0])
    return jax.tree.map(lambda x: x.addressable_shards[shard].data, tree), np.int32(index)
