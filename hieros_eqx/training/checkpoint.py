"""Checkpoints: the whole state, replay included, under its environment step, written atomically.

One checkpoint has three items: `agent` (the parameters: all that playing needs), `rest` (learners, carry,
replay, keys, counters) and `host` (counters that the loop keeps itself). Orbax writes into a temporary folder
and renames it at the end, so that a checkpoint is there as a whole or not at all. Seeds side by side are one
checkpoint, whose arrays lead with `seed`.

Environments cannot be saved: a run that goes on begins new episodes. `restore` returns the state as it was;
`fresh_episodes` makes its acting carry anew.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding

from hieros_eqx.agent import init, init_carry, init_seeds, num_seeds
from hieros_eqx.agent.seeds import state_shardings
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training.metrics import flatten
from hieros_eqx.types import Spaces

AGENT, REST, HOST = "agent", "rest", "host"
PREFIX = "params/"  # of the leaves that belong to the item `agent`


def save(folder: Path, state: HierosState, host: Mapping[str, Any], *, keep: int) -> None:
    """Write a checkpoint under `host["env_step"]` and delete all but the newest `keep`.

    A step that is there already is left as it is.
    """
    flat = {name: _unwrap_key(leaf) for name, leaf in flatten(state).items()}
    items = {
        AGENT: ocp.args.StandardSave({k: v for k, v in flat.items() if k.startswith(PREFIX)}),
        REST: ocp.args.StandardSave({k: v for k, v in flat.items() if not k.startswith(PREFIX)}),
        HOST: ocp.args.JsonSave(dict(host)),
    }
    _write(folder, int(host["env_step"]), items, keep)


def save_params(folder: Path, params: AgentParams, env_step: int) -> None:
    """Write the item `agent` alone, in place of any that is there."""
    for step in complete_steps(folder, (AGENT,)):
        if step >= env_step:  # of a run that was taken back and has another past now
            shutil.rmtree(folder / str(step))
    flat = {PREFIX + name: leaf for name, leaf in flatten(params).items()}
    _write(folder, env_step, {AGENT: ocp.args.StandardSave(flat)}, 1)


def restore(
    folder: Path, config: HierosConfig, spaces: Spaces, mesh: Mesh | None = None
) -> tuple[HierosState, dict[str, Any]] | None:
    """Return the newest complete checkpoint as (state, host counters), or None if there is none.

    With a mesh the seeds are spread over it. Raises `CheckpointError` if the checkpoint does not fit the
    configuration.
    """
    steps = complete_steps(folder)
    if not steps:
        return None
    abstract = _abstract_state(config, spaces)
    shardings = {} if mesh is None else flatten(state_shardings(abstract, mesh))
    flat = {}
    for item in (AGENT, REST):
        data = _restore_item(folder, steps[-1], item, abstract)
        flat |= {name: _place(data.pop(name), shardings.get(name)) for name in list(data)}
    state = jax.tree.unflatten(jax.tree.structure(abstract), [flat[name] for name in flatten(abstract)])
    return state, _restore_host(folder, steps[-1])


def restore_params(folder: Path, env_step: int, config: HierosConfig, spaces: Spaces) -> AgentParams:
    """Return the parameters of one checkpoint, on the host."""
    abstract = _abstract_state(config, spaces)
    flat = _restore_item(folder, env_step, AGENT, abstract)
    names = [PREFIX + name for name in flatten(abstract.params)]
    return jax.tree.unflatten(jax.tree.structure(abstract.params), [flat[name] for name in names])


def fresh_episodes(state: HierosState) -> HierosState:
    """Return `state` with the acting carry of environments that have just been made."""
    begin = partial(init_carry, num_envs=state.config.env.num_envs)
    carry = (begin if num_seeds(state) is None else jax.vmap(begin))(state.params)
    carry = jax.tree.map(_like, carry, state.carry)
    return eqx.tree_at(lambda s: s.carry, state, carry)


def complete_steps(folder: Path, items: Sequence[str] = (AGENT, REST, HOST)) -> list[int]:
    """Return the environment steps of all checkpoints that have the items, oldest first."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.name.isdigit())
    return sorted(int(path.name) for path in found if _is_complete(path, items))


def _is_complete(path: Path, items: Sequence[str]) -> bool:
    # Orbax renames a folder only when all is written; the rest guards against copies cut short.
    return (path / "_CHECKPOINT_METADATA").is_file() and all((path / item).is_dir() for item in items)


def _abstract_state(config: HierosConfig, spaces: Spaces) -> HierosState:
    if config.training.seeds:
        return jax.eval_shape(lambda: init_seeds(config, spaces, config.training.seeds))
    return jax.eval_shape(partial(init, config, spaces), jax.random.key(0))


def _write(folder: Path, env_step: int, items: Mapping[str, Any], keep: int) -> None:
    if env_step in complete_steps(folder, tuple(items)):
        return
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    with ocp.CheckpointManager(folder.resolve(), options=options) as manager:
        manager.save(env_step, args=ocp.args.Composite(**items))


def _restore_item(folder: Path, env_step: int, item: str, abstract: Any) -> dict[str, Any]:
    """Return the leaves of one item by name, on the host (keys excepted)."""
    wanted = {
        name: leaf for name, leaf in flatten(abstract).items() if name.startswith(PREFIX) == (item == AGENT)
    }
    data = {name: jax.eval_shape(_unwrap_key, leaf) for name, leaf in wanted.items()}
    # By way of NumPy: arrays that Orbax places are bound to their device, and all would compile anew.
    targets = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in data.items()}
    try:
        with ocp.CheckpointManager(folder.resolve()) as manager:
            arguments = ocp.args.Composite(**{item: ocp.args.StandardRestore(targets)})
            flat = manager.restore(env_step, args=arguments)[item]
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _misfit(folder, env_step, reason) from error
    for name, leaf in data.items():
        if (flat[name].shape, flat[name].dtype) != (leaf.shape, leaf.dtype):
            got = f"{flat[name].dtype}{list(flat[name].shape)}"
            raise _misfit(folder, env_step, f"{name}: wanted {leaf.dtype}{list(leaf.shape)}, got {got}")
    return {name: _wrap_key(flat[name], leaf) for name, leaf in wanted.items()}


def _misfit(folder: Path, env_step: int, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{folder / str(env_step)}: does not fit its configuration, or is damaged ({reason})."
    )


def _restore_host(folder: Path, env_step: int) -> dict[str, Any]:
    try:
        with ocp.CheckpointManager(folder.resolve()) as manager:
            return manager.restore(env_step, args=ocp.args.Composite(**{HOST: ocp.args.JsonRestore()}))[HOST]
    except (ValueError, KeyError, OSError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{folder / str(env_step)}: its counters cannot be read ({error}).") from error


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _unwrap_key(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _wrap_key(data: np.ndarray, like: Any) -> Any:
    return jax.random.wrap_key_data(jax.device_put(data)) if _is_key(like) else data


def _place(leaf: Any, sharding: NamedSharding | None) -> jax.Array:
    return jax.device_put(leaf) if sharding is None else jax.device_put(leaf, sharding)


def _like(new: jax.Array, old: jax.Array) -> jax.Array:
    new = new.astype(old.dtype).copy()
    return jax.device_put(new, old.sharding) if isinstance(old.sharding, NamedSharding) else new
