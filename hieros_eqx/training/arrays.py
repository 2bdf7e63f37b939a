"""Named arrays on disk, by Orbax, and on the way to and from the device.

Orbax is given one array of every dtype, in which all of that dtype lie one after the other; `layout.json`
beside it says which. For every array of its own Orbax takes a millisecond, and TensorStore (0.1.86) some
hundred bytes that it never gives back, so that a run of many saves would grow. Nothing is compressed:
parameters shrink by a tenth, and writing them would take several times as long.

Orbax writes chunks whose length divides that of the array. Where that is a prime, or nearly, a chunk would be
one number, and writing millions of them takes minutes and tens of gigabytes of memory. So what is longer than
a chunk is filled up with zeros to whole chunks.
"""

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training.log import write_json

LAYOUT = "layout.json"
MERGED = "manifest.ocdbt"  # of what Orbax writes, last; without it nothing is found again
PATTERN = set("*?[]")
CHUNK_BYTES = 1 << 24  # that Orbax writes at once


def to_host(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return copies on the host in the same order, which last when the originals are donated.

    Of keys, the data.
    """
    found = jax.device_get([_unwrap_key(leaf) for leaf in arrays.values()])  # JAX would sort a dictionary
    return {name: np.array(leaf, copy=True) for name, leaf in zip(arrays, found, strict=True)}


def write(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays, from the host or a device, into a folder that does not exist yet."""
    groups: dict[str, list[np.ndarray]] = {}
    for array in arrays.values():
        groups.setdefault(str(array.dtype), []).append(np.ravel(array))
    packs = {dtype: _whole_chunks(np.concatenate(own)) for dtype, own in groups.items()}
    how = {dtype: ocp.SaveArgs(chunk_byte_size=CHUNK_BYTES) for dtype in packs}
    with _checkpointer() as checkpointer, _plainly_named(folder.resolve()) as path:
        checkpointer.save(path, args=ocp.args.PyTreeSave(packs, save_args=how))
    if not (folder / MERGED).is_file():  # Orbax only warns
        raise OSError(f"{folder}: Orbax has not put together what it wrote; {MERGED} is missing.")
    write_json(folder / LAYOUT, _layout(arrays))


def read(folder: Path, wanted: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays in a folder, which must have the names, shapes and dtypes of `wanted`.

    Of keys, the data. Raises `CheckpointError` with the first that differs.
    """
    wanted = {name: _data_of(leaf) for name, leaf in wanted.items()}
    try:
        names = _names(folder, _layout(wanted))
        with _checkpointer() as checkpointer:
            targets = _targets(wanted.values())
            packs = checkpointer.restore(folder.resolve(), args=ocp.args.PyTreeRestore(targets))
        for dtype, target in targets.items():
            fitting = {(len(target),), (len(target) + _filling(target),)}  # the former as it was written once
            if packs[dtype].dtype != target.dtype or packs[dtype].shape not in fitting:
                got = f"{packs[dtype].dtype}{list(packs[dtype].shape)}"
                raise ValueError(f"wanted {dtype}{list(target.shape)}, got {got}")
    except Exception as error:  # Orbax and TensorStore raise all kinds on what they did not write
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{folder}: does not fit its configuration, or is damaged ({reason})."
        ) from error
    starts, found = dict.fromkeys(packs, 0), {}
    for name in names:
        shape, dtype = wanted[name].shape, str(wanted[name].dtype)
        start = starts[dtype]
        starts[dtype] = start + math.prod(shape)
        found[name] = packs[dtype][start : starts[dtype]].reshape(shape).copy()
    return {name: found[name] for name in wanted}


def _whole_chunks(pack: np.ndarray) -> np.ndarray:
    """Return a vector with zeros behind it, unless it is no longer than a chunk or ends with one."""
    rest = _filling(pack)
    return np.concatenate([pack, np.zeros(rest, pack.dtype)]) if rest else pack


def _filling(pack: np.ndarray) -> int:
    """Return how many numbers are missing to whole chunks; none where there is not more than one."""
    chunk = max(1, CHUNK_BYTES // pack.itemsize)
    return -len(pack) % chunk if len(pack) > chunk else 0


@contextmanager
def _plainly_named(folder: Path) -> Iterator[Path]:
    """Give a path to `folder` that no pattern is read into.

    Orbax (0.12.8) looks for what it has written with `glob`, to which a folder such as `seeds[0,1]` is a
    pattern that matches others: it would leave a checkpoint that nobody can read.
    """
    if not set(str(folder)) & PATTERN:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="hieros-eqx-") as temporary:
        alias = Path(temporary) / "alias"
        alias.symlink_to(folder.parent, target_is_directory=True)
        yield alias / folder.name


def _checkpointer() -> ocp.Checkpointer:
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_compression=False))


def _layout(arrays: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in arrays.items()}


def _names(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of the arrays in a folder in order; `ValueError` unless they are as `wanted`."""
    held = json.loads((folder / LAYOUT).read_bytes())
    for name in (*wanted, *held):
        own, other = wanted.get(name, "none"), held.get(name, "none")
        if own != other:
            raise ValueError(f"{name}: wanted {own}, got {other}")
    return list(held)


def _targets(wanted: Iterable[Any]) -> dict[str, np.ndarray]:
    """Return what to read into: what Orbax places is bound to a device, and all would compile anew."""
    sizes: dict[Any, int] = {}
    for leaf in wanted:
        sizes[leaf.dtype] = sizes.get(leaf.dtype, 0) + math.prod(leaf.shape)
    return {str(dtype): np.empty(size, dtype) for dtype, size in sizes.items()}


def place(array: np.ndarray, like: Any, sharding: Any = None) -> jax.Array:
    """Return a host array on the device; as a key where `like` is one."""
    placed = jax.device_put(array) if sharding is None else jax.device_put(array, sharding)
    if not _is_key(like):
        return placed
    key = jax.random.wrap_key_data(placed)
    return key if sharding is None else jax.device_put(key, sharding)


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _unwrap_key(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _data_of(leaf: Any) -> Any:
    """Of an abstract value. To trace each of hundreds would take longer than to read them."""
    return jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
