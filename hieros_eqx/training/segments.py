"""Replay on disk: files of rows, each written once, in the order in which they were made.

A row is one entry of one ring: its lane (which environment of which seed), its absolute number, and some of
its fields. What an entry was given when it was appended never changes and is written once (`ENTRY`). Its
latent and its visits do change, but only together: every update counts a visit of each entry whose latent it
may refresh. So a save writes the latents (`LATENT`) of the entries that are new or whose visits have changed,
and the newest row wins. When such files hold more than twice what the ring does, one of the whole ring
replaces them.

Files are the rows' bytes and nothing else: their meaning follows from the configuration alone, so there is no
format in them that could be damaged, and whatever they hold is checked before it is used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from hieros_eqx.errors import CheckpointError
from hieros_eqx.replay import RingBuffer
from hieros_eqx.training.manifest import regular_size

ENTRY = ("observation", "action", "code", "reward", "is_first", "is_last", "is_terminal")
LATENT = ("stoch", "deter", "state", "visits")
INDICES = {"action": "action_classes", "code": "code_classes", "stoch": "stoch_classes"}
CHUNK = 1024  # rows that are gathered on an accelerator at once


class Segment(NamedTuple):
    """One file of rows."""

    file: str
    rows: int
    counts: tuple[int, ...]
    """Entries ever written of every lane when it was made."""


class Written(NamedTuple):
    """What of one ring is on disk."""

    counts: np.ndarray  # int64 [lane]: entries ever written
    oldest: np.ndarray  # int64 [lane]
    visits: np.ndarray  # int32 [lane capacity]
    entries: tuple[Segment, ...]
    latents: tuple[Segment, ...]


class News(NamedTuple):
    """What a save has to write of one ring, copied to the host."""

    counts: np.ndarray  # int64 [lane]
    oldest: np.ndarray  # int64 [lane]
    visits: np.ndarray  # int32 [lane capacity]
    entries: np.ndarray  # rows
    latents: np.ndarray  # rows
    whole: bool
    """The latents are those of the whole ring, and replace earlier files."""


def nothing_written(ring: RingBuffer) -> Written:
    """Return the bookkeeping of a ring of which nothing is on disk."""
    lanes = _lanes(ring)
    visits = np.zeros((lanes, ring.capacity), np.int32)
    return Written(np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), visits, (), ())


def news(ring: RingBuffer, written: Written) -> News:
    """Return copies of all rows of a ring that are not on disk as they are."""
    lanes, capacity = _lanes(ring), ring.capacity
    counts, oldest = (np.array(x, np.int64).reshape(lanes) for x in jax.device_get((ring.count, ring.oldest)))
    visits = np.array(jax.device_get(ring.visits)).reshape(lanes, capacity)
    held, number = held_numbers(counts, capacity)
    new = held & (number >= written.counts[:, None])
    changed = held & (new | (visits != written.visits))
    whole = sum(own.rows for own in written.latents) + changed.sum() > 2 * held.sum()
    return News(
        counts,
        oldest,
        visits,
        _take(ring, ENTRY, new, number),
        _take(ring, LATENT, held if whole else changed, number),
        bool(whole),
    )


def write(folder: Path, name: str, fresh: News, written: Written) -> Written:
    """Write the news of a ring into files of a folder called after `name`; return what is on disk then."""
    counts, capacity = tuple(fresh.counts.tolist()), fresh.visits.shape[1]
    entries = tuple(  # those that have been overwritten altogether are no longer wanted
        own
        for own in written.entries
        if any(n > m - capacity for n, m in zip(own.counts, counts, strict=True))
    )
    latents = () if fresh.whole else written.latents
    for kind, rows in (("entries", fresh.entries), ("latents", fresh.latents)):
        if not len(rows):
            continue
        segment = Segment(f"{name}-{kind}.bin", len(rows), counts)
        write_rows(folder / segment.file, rows)
        if kind == "entries":
            entries += (segment,)
        else:
            latents += (segment,)
    return Written(fresh.counts, fresh.oldest, fresh.visits, entries, latents)


def read(folder: Path, written: Written, ring: Any, below: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the fields of a ring, as `ring` (its abstract value) has them, from files in a folder.

    `below` are the counts of the ring that the observations point into, if they do; `written.visits` is not
    read. Raises `CheckpointError` naming the file that holds what cannot be.
    """
    lanes, capacity = _lanes(ring), ring.capacity
    held, _ = held_numbers(written.counts, capacity)
    arrays = {}
    for fields, segments in ((ENTRY, written.entries), (LATENT, written.latents)):
        own = {name: _empty(ring, name) for name in fields}
        seen = np.zeros((lanes, capacity), np.bool_)
        for segment in segments:
            file = folder / segment.file
            rows = read_rows(file, row_dtype(ring, fields), segment.rows)
            _check_rows(file, rows, ring, written.counts, below)
            kept = rows["number"] >= written.counts[rows["lane"]] - capacity
            at = rows["lane"][kept], rows["number"][kept] % capacity
            for name in fields:
                own[name][at] = rows[name][kept]
            seen[at] = True
        if not np.array_equal(seen, held):
            raise CheckpointError(f"{folder}: lacks rows of replay ({int((held & ~seen).sum())} entries).")
        arrays |= own
    return {name: array.reshape(getattr(ring, name).shape) for name, array in arrays.items()}


def held_numbers(counts: np.ndarray, capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `[lane capacity]`: which slots hold an entry, and the number of the newest one there."""
    slot = np.arange(capacity, dtype=np.int64)[None, :]
    last = counts[:, None] - 1
    number = last - (last - slot) % capacity
    return number >= 0, number


def row_dtype(ring: Any, fields: Sequence[str]) -> np.dtype:
    """Return the layout of rows with some fields of a ring, little-endian and without gaps."""
    lead = ring.reward.ndim
    layout: list[Any] = [("lane", "<u4"), ("number", "<i8")]
    for name in fields:
        leaf = getattr(ring, name)
        layout.append((name, np.dtype(leaf.dtype).newbyteorder("<"), leaf.shape[lead:]))
    return np.dtype(layout)


def write_rows(file: Path, rows: np.ndarray) -> None:
    """Write rows into a new file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as stream:
        stream.write(np.ascontiguousarray(rows).view(np.uint8).data)


def read_rows(file: Path, dtype: np.dtype, rows: int) -> np.ndarray:
    """Return the rows of a file, which must be that many. Raises `CheckpointError`."""
    try:
        size = regular_size(file)
        if size != rows * dtype.itemsize:
            raise CheckpointError(f"{file}: wanted {rows} rows of {dtype.itemsize} bytes, got {size} bytes.")
        return np.fromfile(file, dtype)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror}).") from error


def _lanes(ring: Any) -> int:
    return int(np.prod(ring.reward.shape[:-1]))


def _take(ring: RingBuffer, fields: Sequence[str], chosen: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return copies of the chosen `[lane capacity]` rows, in the order of their numbers."""
    lane, slot = np.nonzero(chosen)
    order = np.lexsort((number[lane, slot], lane))
    lane, slot = lane[order], slot[order]
    rows = np.empty(len(lane), row_dtype(ring, fields))
    rows["lane"], rows["number"] = lane, number[lane, slot]
    index = (*np.unravel_index(lane, ring.reward.shape[:-1]), slot)
    for name in fields:
        _take_leaf(getattr(ring, name), index, rows[name])
    return rows


def _take_leaf(leaf: jax.Array, index: tuple[np.ndarray, ...], out: np.ndarray) -> None:
    for shard in leaf.addressable_shards:
        first = shard.index[0].start or 0  # only seeds, which lead, are spread over devices
        mine = np.flatnonzero((index[0] >= first) & (index[0] < first + shard.data.shape[0]))
        own = (index[0][mine] - first, *(axis[mine] for axis in index[1:]))
        if _on_host(shard.data):
            out[mine] = np.asarray(shard.data)[own]  # a view of the buffer, of which rows are copied
            continue
        for start in range(0, len(mine), CHUNK):
            out[mine[start : start + CHUNK]] = gather(
                shard.data, *(axis[start : start + CHUNK] for axis in own)
            )


def gather(array: jax.Array, *index: np.ndarray) -> np.ndarray:
    """Return up to `CHUNK` rows of an array on any device, by one program whatever their number."""
    count = len(index[0])
    padded = (np.pad(axis, (0, CHUNK - count)).astype(np.int32) for axis in index)
    return np.asarray(_gather(array, *padded))[:count]


def _on_host(array: jax.Array) -> bool:
    return next(iter(array.devices())).platform == "cpu"


@jax.jit
def _gather(array, *index):
    return array[index]


def _empty(ring: Any, name: str) -> np.ndarray:
    """Return a field `[lane capacity ...]` of an empty ring, as `init_replay` makes it: no class is -1."""
    leaf = getattr(ring, name)
    shape = (_lanes(ring), ring.capacity, *leaf.shape[ring.reward.ndim :])
    no_class = name in ("action", "code") and np.issubdtype(leaf.dtype, np.integer)
    return np.full(shape, -1, leaf.dtype) if no_class else np.zeros(shape, leaf.dtype)


def _check_rows(
    file: Path, rows: np.ndarray, ring: Any, counts: np.ndarray, below: np.ndarray | None
) -> None:
    """Raise `CheckpointError` for values that no training has put there."""
    wrong = [name for name in rows.dtype.names or () if not _is_sane(name, rows, ring, counts, below)]
    if wrong:
        raise CheckpointError(f"{file}: holds impossible values of {', '.join(wrong)}.")


def _is_sane(name: str, rows: np.ndarray, ring: Any, counts: np.ndarray, below: np.ndarray | None) -> bool:
    values, lane = rows[name], np.minimum(rows["lane"], len(counts) - 1)
    if name == "lane":
        wrong = values >= len(counts)
    elif name == "number":
        wrong = (values < 0) | (values >= counts[lane])
    elif values.dtype == np.bool_:
        wrong = values.view(np.uint8) > 1
    elif values.dtype.kind == "f" or name in ("deter", "state"):
        return True  # what is not finite only makes updates be skipped
    elif name in INDICES:
        wrong = (values < (0 if name == "stoch" else -1)) | (values >= getattr(ring, INDICES[name]))
    elif name == "observation" and below is not None:
        wrong = (values < 0) | (values >= below[lane][:, None])
    else:
        wrong = values < 0
    return not wrong.any()
