"""Named arrays on disk, by Orbax, and on the way to and from the device."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from hieros_eqx.errors import CheckpointError


def to_host(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return copies on the host in the same order, which last when the originals are donated.

    Of keys, the data.
    """
    found = jax.device_get([_unwrap_key(leaf) for leaf in arrays.values()])  # JAX would sort a dictionary
    return {name: np.array(leaf, copy=True) for name, leaf in zip(arrays, found, strict=True)}


def write(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays into a folder that does not exist yet."""
    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
        checkpointer.save(folder.resolve(), args=ocp.args.StandardSave(dict(arrays)))


def read(folder: Path, wanted: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays in a folder, which must have the names, shapes and dtypes of `wanted`.

    Of keys, the data. Raises `CheckpointError` with the first that differs.
    """
    wanted = {name: jax.eval_shape(_unwrap_key, leaf) for name, leaf in wanted.items()}
    # By way of NumPy: arrays that Orbax places are bound to their device, and all would compile anew.
    targets = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in wanted.items()}
    try:
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
            found = checkpointer.restore(folder.resolve(), args=ocp.args.StandardRestore(targets))
        for name, leaf in wanted.items():
            if (found[name].shape, found[name].dtype) != (leaf.shape, leaf.dtype):
                got = f"{found[name].dtype}{list(found[name].shape)}"
                raise ValueError(f"{name}: wanted {leaf.dtype}{list(leaf.shape)}, got {got}")
    except Exception as error:  # Orbax and TensorStore raise all kinds on what they did not write
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{folder}: does not fit its configuration, or is damaged ({reason})."
        ) from error
    return {name: found[name] for name in wanted}


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
