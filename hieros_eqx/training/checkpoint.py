"""Checkpoints: everything that a run is, so that one stopped at any step goes on as if it had not been.

=============  ==============================================================================
agent/         the parameters: all that playing needs (Orbax)
rest/          learners, acting carry, key, counters and the running means of metrics (Orbax)
replay/        rows of every level's ring (`segments.py`)
environments/  every action sent to the environments, with a checksum of every answer
manifest.json  all files with size and SHA-256 (`manifest.py`), what the host keeps (`content.py`)
=============  ==============================================================================

A save takes two steps: `snapshot` copies to the host what is new, between two steps of training, and `write`
puts it on disk, in another thread. Files that are already on disk become part of the next checkpoint by a
hard link. Seeds side by side are one checkpoint, whose arrays lead with `seed`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from hieros_eqx.agent import init, init_carry, init_seeds, num_seeds
from hieros_eqx.agent.seeds import state_shardings
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import History
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import arrays, content, manifest, segments
from hieros_eqx.training.content import Content, Host
from hieros_eqx.training.history_rows import read_history, to_rows
from hieros_eqx.training.manifest import Manifest
from hieros_eqx.training.metrics import flatten
from hieros_eqx.training.segments import Segment, Written
from hieros_eqx.types import Spaces

AGENT, REST, REPLAY, ENVIRONMENTS = "agent", "rest", "replay", "environments"
PARAMS, MEANS = "params/", "means/"  # prefixes of the names of arrays


@dataclass(frozen=True)
class Ledger:
    """What is on disk already: a save adds to it."""

    path: Path | None
    """The newest checkpoint; None before the first."""
    files: Mapping[str, manifest.Seal]
    rings: tuple[Written, ...]
    history: tuple[Segment, ...]
    steps: int
    """Actions of the environments' history."""


class Snapshot(NamedTuple):
    """All that a save has to write, copied to the host."""

    host: Host
    agent: dict[str, np.ndarray]
    rest: dict[str, np.ndarray]
    rings: tuple[segments.News, ...]
    history: History
    """From the first action on that is not on disk."""
    params: AgentParams
    """The arrays of `agent` as a tree."""


class Restored(NamedTuple):
    """A checkpoint that has been read."""

    state: HierosState
    host: Host
    history: History
    ledger: Ledger


def empty_ledger(state: HierosState) -> Ledger:
    """Return the ledger of a run that has saved nothing."""
    return Ledger(None, {}, tuple(segments.nothing_written(ring) for ring in state.replay), (), 0)


def snapshot(state: HierosState, host: Host, history: History, ledger: Ledger) -> Snapshot:
    """Copy to the host all that a save will write. `history` begins at action `ledger.steps`.

    Waits for the device; the state may be donated afterwards.
    """
    flat = flatten(state)
    agent = arrays.to_host({name: leaf for name, leaf in flat.items() if name.startswith(PARAMS)})
    rest = {name: flat[name] for name in _names_of_rest(flat)}
    rest |= {MEANS + name: group.total for name, group in host.means.items()}
    return Snapshot(
        host=host,
        agent=agent,
        rest=arrays.to_host(rest),
        rings=tuple(segments.news(*pair) for pair in zip(state.replay, ledger.rings, strict=True)),
        history=history,
        params=jax.tree.unflatten(jax.tree.structure(state.params), list(agent.values())),
    )


def write(folder: Path, shot: Snapshot, ledger: Ledger) -> Ledger:
    """Write a checkpoint into the folder of all, and return what is on disk then.

    Its own folder appears when all of it is on disk. Raises `OSError` if it cannot be; nothing is left then.
    """
    env_step = shot.host.counters.env_step
    with manifest.draft(folder, env_step) as path:
        arrays.write(path / AGENT, shot.agent)
        arrays.write(path / REST, shot.rest)
        rings = tuple(
            segments.write(path, f"{REPLAY}/level{level}-{env_step}", fresh, written)
            for level, (fresh, written) in enumerate(zip(shot.rings, ledger.rings, strict=True))
        )
        rows, pending = to_rows(shot.history)
        history, steps = ledger.history, ledger.steps + len(rows)
        if len(rows):
            segment = Segment(f"{ENVIRONMENTS}/actions-{env_step}.bin", len(rows), (steps,))
            segments.write_rows(path / segment.file, rows)
            history = (*history, segment)
        parts = content.all_parts(rings, history)
        known = {part.file: ledger.files[part.file] for part in parts if part.file in ledger.files}
        for name in known:
            assert ledger.path is not None
            manifest.link(ledger.path / name, path / name)
        told = content.to_json(Content(shot.host, rings, history, steps, pending))
        files = manifest.commit(path, known, told).files
    return Ledger(folder / str(env_step), files, rings, history, steps)


def write_params(folder: Path, params: AgentParams, env_step: int) -> None:
    """Write a checkpoint of parameters alone, in place of any that is there."""
    manifest.sweep(folder)
    with manifest.draft(folder, env_step) as path:
        arrays.write(path / AGENT, _names(params))
        if (folder / str(env_step)).exists():
            shutil.rmtree(folder / str(env_step))
        manifest.commit(path, {}, {})
    for other in manifest.steps(folder):
        if other != env_step:
            shutil.rmtree(folder / str(other))


def retire(folder: Path, keep: int) -> None:
    """Delete all checkpoints but the newest `keep` and the best."""
    best = best_step(folder)
    for env_step in manifest.steps(folder)[:-keep]:
        if env_step != best:
            shutil.rmtree(folder / str(env_step))


def best_step(folder: Path) -> int | None:
    """Return the step of the checkpoint with the highest `content.score`, the newest of equals.

    None if none has a score.
    """
    scores = {}
    for env_step in manifest.steps(folder):
        try:
            value = manifest.read(folder / str(env_step)).content.get("score")
        except CheckpointError:
            continue
        if isinstance(value, float):
            scores[env_step] = value
    return max(scores, key=lambda env_step: (scores[env_step], env_step), default=None)


def newest_whole(folder: Path, part: str = "") -> tuple[Manifest | None, list[str]]:
    """Return the manifest of the newest checkpoint that is whole, and what is wrong with those after it.

    Every file (whose path starts with `part`) is read. Raises `CheckpointError` if there are checkpoints and
    none is whole.
    """
    problems: list[str] = []
    for env_step in reversed(manifest.steps(folder)):
        try:
            found = manifest.read(folder / str(env_step))
            manifest.verify(folder / str(env_step), found, part)
            return found, problems
        except CheckpointError as error:
            problems.append(str(error))
    if problems:
        raise CheckpointError(
            f"{folder}: wanted a checkpoint that is whole, got none. {' '.join(problems)} "
            "Nothing was changed."
        )
    return None, problems


def restore(
    folder: Path, found: Manifest, config: HierosConfig, spaces: Spaces, mesh: Mesh | None = None
) -> Restored:
    """Return a checkpoint that has been verified. With a mesh the seeds are spread over it.

    Raises `CheckpointError` if it does not fit the configuration, or holds what no training writes.
    """
    path = folder / str(found.env_step)
    abstract = _abstract_state(config, spaces)
    flat = flatten(abstract)
    host, rings, parts, steps, pending = content.from_json(path, found, config, abstract.replay)
    if host.counters.env_step != found.env_step:
        raise CheckpointError(f"{path}: its manifest is of step {host.counters.env_step}.")
    sums = {
        MEANS + name: jax.ShapeDtypeStruct((len(group.names), *flat["key"].shape), np.float32)
        for name, group in host.means.items()
    }
    data = arrays.read(path / AGENT, {name: leaf for name, leaf in flat.items() if name.startswith(PARAMS)})
    data |= arrays.read(path / REST, {name: flat[name] for name in _names_of_rest(flat)} | sums)
    means = {name: group._replace(total=data.pop(MEANS + name)) for name, group in host.means.items()}
    seen, below = [], None
    for level, (ring, written) in enumerate(zip(abstract.replay, rings, strict=True)):
        own = segments.read(path, written, ring, below)
        seen.append(written._replace(visits=own["visits"].reshape(len(written.counts), -1).copy()))
        own |= {"count": written.counts, "oldest": written.oldest}
        for name, array in own.items():
            leaf = getattr(ring, name)
            data[f"replay/{level}/{name}"] = array.astype(leaf.dtype, copy=False).reshape(leaf.shape)
        below = written.counts
    history = read_history(path, parts, pending, spaces, len(rings[0].counts))
    if len(history.actions) != steps:
        raise CheckpointError(
            f"{path}: wanted {steps} actions of the environments, got {len(history.actions)}."
        )
    shardings = {} if mesh is None else flatten(state_shardings(abstract, mesh))
    leaves = [arrays.place(data.pop(name), leaf, shardings.get(name)) for name, leaf in flat.items()]
    state = jax.tree.unflatten(jax.tree.structure(abstract), leaves)
    ledger = Ledger(path, found.files, tuple(seen), parts, steps)
    return Restored(state, host._replace(means=means), history, ledger)


def restore_params(folder: Path, env_step: int, config: HierosConfig, spaces: Spaces) -> AgentParams:
    """Return the parameters of a checkpoint that has been verified, on the host."""
    abstract = _abstract_state(config, spaces).params
    read = arrays.read(folder / str(env_step) / AGENT, _names(abstract))
    return jax.tree.unflatten(jax.tree.structure(abstract), list(read.values()))


def fresh_episodes(state: HierosState) -> HierosState:
    """Return `state` with the acting carry of environments that have just been made."""
    begin = partial(init_carry, num_envs=state.config.env.num_envs)
    carry = (begin if num_seeds(state) is None else jax.vmap(begin))(state.params)
    carry = jax.tree.map(_like, carry, state.carry)
    return eqx.tree_at(lambda s: s.carry, state, carry)


def _names(params: AgentParams) -> dict[str, Any]:
    return {PARAMS + name: leaf for name, leaf in flatten(params).items()}


def _names_of_rest(flat: Mapping[str, Any]) -> list[str]:
    return [name for name in flat if not name.startswith((PARAMS, f"{REPLAY}/"))]


def _abstract_state(config: HierosConfig, spaces: Spaces) -> HierosState:
    if config.training.seeds:
        return jax.eval_shape(lambda: init_seeds(config, spaces, config.training.seeds))
    return jax.eval_shape(partial(init, config, spaces), jax.random.key(0))


def _like(new: jax.Array, old: jax.Array) -> jax.Array:
    new = new.astype(old.dtype).copy()
    return jax.device_put(new, old.sharding) if isinstance(old.sharding, NamedSharding) else new
