"""Checkpoints: the whole state, replay included, under its environment step, written atomically.

One checkpoint has three items: `agent` (the parameters: all that playing needs), `rest` (learners, carry,
replay, keys, counters) and `host` (counters that the loop keeps itself). Orbax writes into a temporary folder
and renames it at the end, so that a checkpoint is there as a whole or not at all.

Environments cannot be saved: a run that goes on begins new episodes. `restore` returns the state as it was;
`fresh_episodes` makes its acting carry anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import orbax.checkpoint as ocp

from hieros_eqx.agent import init, init_carry
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import run_dir as run_dirs
from hieros_eqx.training.metrics import flatten
from hieros_eqx.types import Spaces

AGENT, REST, HOST = "agent", "rest", "host"
PREFIX = "params/"  # of the leaves that belong to the item `agent`


@dataclass(frozen=True)
class Agent:
    """A trained agent, ready to play: parameters and what they were built for."""

    params: AgentParams
    config: HierosConfig
    spaces: Spaces


def save(folder: Path, state: HierosState, host: Mapping[str, Any], *, keep: int) -> None:
    """Write a checkpoint under `host["env_step"]` and delete all but the newest `keep`.

    A step that is there already is left as it is.
    """
    env_step = int(host["env_step"])
    if env_step in complete_steps(folder):
        return
    flat = {name: _unwrap_key(leaf) for name, leaf in flatten(state).items()}
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    items = {
        AGENT: ocp.args.StandardSave({k: v for k, v in flat.items() if k.startswith(PREFIX)}),
        REST: ocp.args.StandardSave({k: v for k, v in flat.items() if not k.startswith(PREFIX)}),
        HOST: ocp.args.JsonSave(dict(host)),
    }
    with ocp.CheckpointManager(folder.resolve(), options=options) as manager:
        manager.save(env_step, args=ocp.args.Composite(**items))


def restore(folder: Path, config: HierosConfig, spaces: Spaces) -> tuple[HierosState, dict[str, Any]] | None:
    """Return the newest complete checkpoint as (state, host counters), or None if there is none.

    Raises `CheckpointError` if it does not fit the configuration.
    """
    steps = complete_steps(folder)
    if not steps:
        return None
    abstract = _abstract_state(config, spaces)
    names = list(flatten(abstract))
    flat = _restore_item(folder, steps[-1], AGENT, abstract) | _restore_item(
        folder, steps[-1], REST, abstract
    )
    leaves = [flat[name] for name in names]
    state = jax.tree.unflatten(jax.tree.structure(abstract), leaves)
    return state, _restore_host(folder, steps[-1])


def load(run_dir: str | Path, env_step: int | None = None) -> Agent:
    """Return the agent of a run directory, from its newest checkpoint or the one at `env_step`.

    Reads the parameters alone, not the replay. Raises `CheckpointError` if there is no such checkpoint.
    """
    path = Path(run_dir)
    config, spaces = run_dirs.read_config(path), run_dirs.read_spaces(path)
    folder = run_dirs.RunDir(path).checkpoints
    steps = complete_steps(folder)
    if not steps or (env_step is not None and env_step not in steps):
        held = f"those at {steps}" if steps else "none"
        wanted = "a checkpoint" if env_step is None else f"a checkpoint at step {env_step}"
        raise CheckpointError(f"{path}: wanted {wanted}, got {held}; train on to make one.")
    abstract = _abstract_state(config, spaces)
    flat = _restore_item(folder, steps[-1] if env_step is None else env_step, AGENT, abstract)
    names = [PREFIX + name for name in flatten(abstract.params)]
    params = jax.tree.unflatten(jax.tree.structure(abstract.params), [flat[name] for name in names])
    return Agent(params=params, config=config, spaces=spaces)


def fresh_episodes(state: HierosState) -> HierosState:
    """Return `state` with the acting carry of environments that have just been made."""
    carry = init_carry(state.params, state.config.env.num_envs)
    carry = jax.tree.map(lambda new, old: new.astype(old.dtype).copy(), carry, state.carry)
    return eqx.tree_at(lambda s: s.carry, state, carry)


def complete_steps(folder: Path) -> list[int]:
    """Return the environment steps of all complete checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit() and _is_complete(path))


def _is_complete(path: Path) -> bool:
    # Orbax renames a folder only when all is written; the rest guards against copies cut short.
    return (path / "_CHECKPOINT_METADATA").is_file() and all(
        (path / item).is_dir() for item in (AGENT, REST, HOST)
    )


def _abstract_state(config: HierosConfig, spaces: Spaces) -> HierosState:
    return jax.eval_shape(partial(init, config, spaces), jax.random.key(0))


def _restore_item(folder: Path, env_step: int, item: str, abstract: Any) -> dict[str, jax.Array]:
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
    return {name: _wrap_key(jax.device_put(flat.pop(name)), leaf) for name, leaf in wanted.items()}


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


def _wrap_key(data: jax.Array, like: Any) -> jax.Array:
    return jax.random.wrap_key_data(data) if _is_key(like) else data
