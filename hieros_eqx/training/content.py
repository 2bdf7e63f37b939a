"""What a checkpoint's manifest says about its files, and what the loop itself keeps: as JSON and back.

Everything read is checked, for a manifest may come from a stranger: what is wrong is refused in one line.
"""

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.replay import RingBuffer
from hieros_eqx.training.episodes import OpenEpisodes
from hieros_eqx.training.manifest import Manifest
from hieros_eqx.training.metrics import Group, Means
from hieros_eqx.training.records import SHOWN_EPISODES, Counters
from hieros_eqx.training.segments import Segment, Written

MOST = 2**31 - 1  # of any number of steps or entries: they are int32 on the device


class Host(NamedTuple):
    """What the loop keeps on the host."""

    counters: Counters
    open_episodes: OpenEpisodes
    recent: Mapping[int, tuple[float, ...]]
    """Returns of the latest episodes of every seed."""
    means: Means
    """Of the metrics since the last log line. Their sums are arrays of the checkpoint."""
    begun: int
    """The environment step at which the environments were made that are stepped now."""


class Content(NamedTuple):
    """What the manifest of a checkpoint says."""

    host: Host
    rings: tuple[Written, ...]
    """Without `visits`, which are in the files."""
    history: tuple[Segment, ...]
    """Files of the environments' history, in order."""
    steps: int
    """Actions in these files."""
    pending: tuple[np.ndarray, np.ndarray] | None
    """Check and `is_first` of the timestep that comes next; None if it had not arrived."""


def score(host: Host) -> float | None:
    """Return what the best checkpoint has most of: the mean over seeds of the mean of the latest returns.

    None before every seed has finished `SHOWN_EPISODES` episodes.
    """
    if any(len(own) < SHOWN_EPISODES for own in host.recent.values()):
        return None
    return statistics.fmean(statistics.fmean(own) for own in host.recent.values())


def begun(values: Mapping[str, Any]) -> int:
    """Return `Host.begun` of the JSON of a content."""
    try:
        return _whole(values["begun"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"a checkpoint's manifest is damaged (begun: {error}).") from error


def to_json(content: Content) -> dict[str, Any]:
    """Return the content as plain JSON. Numbers survive exactly."""
    host = content.host
    return {
        "score": score(host),
        "counters": host.counters._asdict(),
        "open_episodes": {name: values.tolist() for name, values in host.open_episodes._asdict().items()},
        "recent": {str(seed): list(own) for seed, own in host.recent.items()},
        "means": {name: {"names": own.names, "count": own.count} for name, own in host.means.items()},
        "begun": host.begun,
        "rings": [
            {
                "counts": ring.counts.tolist(),
                "oldest": ring.oldest.tolist(),
                "entries": [own._asdict() for own in ring.entries],
                "latents": [own._asdict() for own in ring.latents],
            }
            for ring in content.rings
        ],
        "history": [own._asdict() for own in content.history],
        "steps": content.steps,
        "pending": None if content.pending is None else [values.tolist() for values in content.pending],
    }


def from_json(path: Path, found: Manifest, config: HierosConfig, rings: Sequence[RingBuffer]) -> Content:
    """Return the content of the checkpoint at `path`; `rings` are abstract, as the configuration makes them.

    Raises `CheckpointError` if anything is not what `to_json` writes for this configuration, or a file is
    named that is not in the manifest, and so was not verified.
    """
    try:
        content = _from_json(found.content, config, rings)
        named = [part.file for part in all_parts(content.rings, content.history)]
        strange = sorted(set(named) - set(found.files))
        if strange or len(set(named)) < len(named):
            raise ValueError(f"wanted files of the manifest, each once, got {strange[:3] or 'one twice'}")
        return content
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(
            f"{path}: its manifest does not fit the run, or is damaged ({type(error).__name__}: {error})."
        ) from error


def all_parts(rings: Sequence[Written], history: Sequence[Segment]) -> list[Segment]:
    """Return all files of replay and of the environments' history."""
    return [part for ring in rings for part in (*ring.entries, *ring.latents)] + list(history)


def _from_json(values: Mapping[str, Any], config: HierosConfig, rings: Sequence[RingBuffer]) -> Content:
    seeds = config.all_seeds
    envs = len(seeds) * config.env.num_envs
    counters, episodes = values["counters"], values["open_episodes"]
    host = Host(
        counters=Counters(
            env_step=_whole(counters["env_step"]),
            episodes=tuple(_list(counters["episodes"], len(seeds), _whole)),
            seconds=_number(counters["seconds"], at_least=0.0),
        ),
        open_episodes=OpenEpisodes(
            np.array(_list(episodes["total"], envs, _number), np.float64),
            np.array(_list(episodes["length"], envs, _whole), np.int64),
        ),
        recent={
            seed: tuple(_number(x) for x in values["recent"][str(seed)])[-SHOWN_EPISODES:] for seed in seeds
        },
        means={
            _text(name): Group(tuple(_text(x) for x in own["names"]), None, _whole(own["count"], at_least=1))
            for name, own in values["means"].items()
        },
        begun=_whole(values["begun"]),
    )
    pending = values["pending"]
    if pending is not None:
        checks, first = pending
        pending = (
            np.array(_list(checks, envs, partial(_whole, at_most=2**32 - 1)), np.uint32),
            np.array(_list(first, envs, _flag), np.bool_),
        )
    if len(values["rings"]) != len(rings):
        raise ValueError(f"wanted {len(rings)} levels, got {len(values['rings'])}")
    steps = _whole(values["steps"], at_most=config.training.env_steps)
    return Content(
        host,
        tuple(_ring(own, envs, ring.capacity) for own, ring in zip(values["rings"], rings, strict=True)),
        _segments(values["history"], 1, steps),
        steps,
        pending,
    )


def _ring(values: Mapping[str, Any], lanes: int, capacity: int) -> Written:
    counts = np.array(_list(values["counts"], lanes, _whole), np.int64)
    oldest = np.array(_list(values["oldest"], lanes, _whole), np.int64)
    if (oldest < counts - capacity).any() or (oldest > counts).any():
        raise ValueError("impossible numbers of the oldest entries")
    none = np.zeros((lanes, 0), np.int32)
    entries, latents = (_segments(values[name], lanes, lanes * capacity) for name in ("entries", "latents"))
    return Written(counts, oldest, none, entries, latents)


def _segments(values: Any, lanes: int, most_rows: int) -> tuple[Segment, ...]:
    """The limit keeps a file of zeros, which takes no room on disk, from taking all memory."""
    return tuple(
        Segment(
            _text(own["file"]),
            _whole(own["rows"], at_most=most_rows),
            tuple(_list(own["counts"], lanes, _whole)),
        )
        for own in values
    )


def _list(values: Any, length: int, one: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"wanted a list of {length}")
    return [one(value) for value in values]


def _whole(value: Any, at_least: int = 0, at_most: int = MOST) -> int:
    number = operator.index(value)
    if isinstance(value, bool) or not at_least <= number <= at_most:
        raise ValueError(f"wanted a whole number from {at_least} to {at_most}, got {value!r}")
    return number


def _number(value: Any, at_least: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"wanted a number, got {value!r}")
    if not (math.isfinite(value) and value >= at_least):
        raise ValueError(f"wanted a finite number >= {at_least}, got {value!r}")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"wanted true or false, got {value!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"wanted a text, got {value!r}")
    return value
