"""Checkpoint folders: how one appears all at once, what belongs to it, and whether it is still whole.

A checkpoint is a folder named after its environment step. It is written as `.saving-<env_step>`, with
`manifest.json` last, and renamed when all of it is on disk: a process that dies before leaves a `.saving-*`
that nobody reads, one that dies after leaves a whole checkpoint. The manifest lists every other file with its
size and SHA-256, so that a file cut short, changed or missing is found and named.

What the parts mean is the matter of `training/checkpoint.py`; nothing here is ever unpickled.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hieros_eqx.config.strict_json import parse_json
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training.log import write_json

MANIFEST, SAVING, DAMAGED = "manifest.json", ".saving-", ".damaged"
FORMAT = 1
CHUNK = 1 << 20
LARGEST = 1 << 26  # bytes of a JSON file; training writes thousands of times less
_NAME = re.compile(r"[A-Za-z0-9_]+(/\.?[A-Za-z0-9_][A-Za-z0-9_.-]*)+")  # below a part of the checkpoint


class Seal(NamedTuple):
    """What a file must be."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint holds."""

    env_step: int
    files: Mapping[str, Seal]
    """By path inside the checkpoint's folder."""
    content: Mapping[str, Any]
    """Plain JSON: what `training/checkpoint.py` says about the files."""


@contextmanager
def draft(folder: Path, env_step: int) -> Iterator[Path]:
    """Yield an empty folder to write a checkpoint into; gone at the end unless it was committed."""
    path = folder / f"{SAVING}{env_step}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def commit(path: Path, known: Mapping[str, Seal], content: Mapping[str, Any]) -> Manifest:
    """Make a draft the checkpoint of its step, and return its manifest.

    Files that are not `known` are sealed, and all is flushed to disk before the folder gets its name.
    """
    env_step = int(path.name.removeprefix(SAVING))
    names = (file.relative_to(path).as_posix() for file in sorted(path.rglob("*")) if file.is_file())
    files = {name: known[name] if name in known else seal(path / name) for name in names}
    body = {
        "format": FORMAT,
        "env_step": env_step,
        "files": {name: own._asdict() for name, own in files.items()},
        "content": content,
    }
    write_json(path / MANIFEST, body | {"checksum": _checksum(body)})
    seal(path / MANIFEST)  # for the flush
    for directory in (path, *(found for found in path.rglob("*") if found.is_dir())):
        _flush(directory)
    os.rename(path, path.with_name(str(env_step)))
    _flush(path.parent)
    return Manifest(env_step, files, content)


def sweep(folder: Path) -> None:
    """Remove drafts that a process has left behind when it died."""
    for path in folder.glob(f"{SAVING}*"):
        shutil.rmtree(path, ignore_errors=True)


def set_aside(folder: Path, env_step: int) -> Path:
    """Give a damaged checkpoint another name, so that its step can be taken again; nothing is deleted."""
    path, number = folder / f"{env_step}{DAMAGED}", 1
    while path.exists():
        number += 1
        path = folder / f"{env_step}{DAMAGED}-{number}"
    os.rename(folder / str(env_step), path)
    return path


def steps(folder: Path) -> list[int]:
    """Return the environment steps of all checkpoints, oldest first, whole or not."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if re.fullmatch(r"0|[1-9][0-9]*", path.name))


def read(path: Path) -> Manifest:
    """Return the manifest of a checkpoint. `CheckpointError` if it is missing or not what was written."""
    file = path / MANIFEST
    if path.is_symlink():
        raise CheckpointError(f"{path}: wanted a folder, got a link, which is not followed.")
    try:
        body = parse_json(read_small(file))
        checksum = body.pop("checksum")
        if body["format"] != FORMAT:
            raise CheckpointError(f"{file}: wanted format {FORMAT}, got {body['format']!r}.")
        if checksum != _checksum(body):
            raise CheckpointError(f"{file}: is damaged (its checksum differs).")
        files = {name: Seal(own["size"], own["sha256"]) for name, own in body["files"].items()}
        strange = [name for name in files if not _NAME.fullmatch(name)]
        if strange or type(body["env_step"]) is not int or str(body["env_step"]) != path.name:
            raise CheckpointError(
                f"{file}: is not of this checkpoint ({(strange or [body['env_step']])[0]!r})."
            )
        if not isinstance(body["content"], dict):
            raise CheckpointError(f"{file}: is damaged (its content is no object).")
        return Manifest(body["env_step"], files, body["content"])
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: has no {MANIFEST}{_of_old(path)}.") from error
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file}: is damaged ({type(error).__name__}).") from error


def verify(path: Path, manifest: Manifest, part: str = "") -> None:
    """Raise `CheckpointError` naming the first file (whose path starts with `part`) that is not as sealed."""
    for name, wanted in manifest.files.items():
        if not name.startswith(part):
            continue
        file = path / name
        try:
            size = regular_size(file)
            if size != wanted.size:
                raise CheckpointError(f"{file}: is damaged (wanted {wanted.size} bytes, got {size}).")
            if seal(file, flush=False) != wanted:
                raise CheckpointError(f"{file}: is damaged (its SHA-256 differs).")
        except FileNotFoundError as error:
            raise CheckpointError(f"{file}: is missing.") from error
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read ({error.strerror}).") from error


def seal(file: Path, *, flush: bool = True) -> Seal:
    """Return size and SHA-256 of a file, which is on disk afterwards (`flush`)."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
        if flush:
            os.fsync(stream.fileno())
    return Seal(size, digest.hexdigest())


def regular_size(file: Path) -> int:
    """Return the size of a file. `CheckpointError` for what is none: opening a pipe would wait for ever."""
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{file}: is damaged (wanted a file, got something else).")
    return found.st_size


def read_small(file: Path) -> bytes:
    """Return what is in a file of JSON. `CheckpointError` if it is larger than any that training writes."""
    size = regular_size(file)
    if size > LARGEST:
        raise CheckpointError(f"{file}: is damaged (wanted at most {LARGEST} bytes, got {size}).")
    return file.read_bytes()


def link(source: Path, target: Path) -> None:
    """Let `target` be the same file as `source`, which will never change; a copy where links are unknown."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _checksum(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _flush(directory: Path) -> None:
    if os.name != "posix":  # elsewhere directories cannot be opened
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _of_old(path: Path) -> str:
    old = (path / "_CHECKPOINT_METADATA").exists() and (path / "host").is_dir()
    return " (its format is older than 1, which cannot be read any more)" if old else ""
