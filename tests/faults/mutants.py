"""Run directories as a stranger might hand them over: spoilt in one place, half of them with true checksums.

`spoil` changes a copy of a run by its number alone, so that what was found can be made once more.
"""

import json
import math
import os
import pickle
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hieros_eqx.training import manifest

NUMBERS = (-1, 0, 1, 3, 2**31, 2**63, 10**30, -(10**9), 0.5, 1e308, 1e-320)
STRANGE = (None, True, "", "x", "../../outside/secret.bin", "/etc/passwd", "replay/../../x", [], {}, math.nan)
NAMES = ("manifest.json", "../../outside/secret.bin", "/etc/hostname", "agent/../manifest.json", "rest", "\0")


class Bomb:
    """Unpickled, it would leave a file; what is in a run directory is never unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def copy(run: Path, target: Path, step: int) -> Path:
    """Return a copy of a run with one of its checkpoints, whose files are links until they are changed."""

    def copy_or_link(source: str, to: str) -> None:
        (shutil.copy2 if Path(source).parent == run else os.link)(source, to)  # logs are added to

    shutil.copytree(run, target, copy_function=copy_or_link, ignore=_only(step))
    return target


def spoil(run: Path, number: int) -> str:
    """Change a run in one place and return what was done; if the number is odd, with true checksums."""
    rng, sealed = np.random.default_rng(number), number % 2 == 1
    checkpoint = next(path for path in (run / "checkpoints").iterdir())
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    inside = [path for path in files if path.is_relative_to(checkpoint)]
    file = _pick(rng, inside if sealed or rng.random() < 0.7 else files)
    if rng.random() < 0.35:
        file = checkpoint / manifest.MANIFEST
    way = _pick(rng, WAYS_WITH_JSON if _is_json(file) else WAYS)
    way(file, rng)
    if sealed:
        reseal(checkpoint)
    return f"{way.__name__} {file.relative_to(run).as_posix()}"


def reseal(checkpoint: Path) -> None:
    """Make sizes and checksums of a checkpoint's manifest true, as far as it can be read."""
    file = checkpoint / manifest.MANIFEST
    try:
        body = json.loads(file.read_bytes())
        body.pop("checksum", None)
        for name in body["files"]:
            own = checkpoint / name
            if own.is_relative_to(checkpoint) and own.is_file():
                body["files"][name] = manifest.seal(own)._asdict()
        _replace(file, json.dumps(body | {"checksum": manifest._checksum(body)}).encode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # spoilt beyond that


def flip(file: Path, rng: np.random.Generator) -> None:
    """Flip one bit."""
    data = bytearray(file.read_bytes() or b"\0")
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    _replace(file, bytes(data))


def truncate(file: Path, rng: np.random.Generator) -> None:
    """Cut some of the end off."""
    data = file.read_bytes()
    kept = [0, len(data) // 2, max(0, len(data) - 1), int(rng.integers(len(data) + 1))]
    _replace(file, data[: _pick(rng, kept)])


def insert(file: Path, rng: np.random.Generator) -> None:
    """Insert some noise."""
    data, at = file.read_bytes(), int(rng.integers(file.stat().st_size + 1))
    _replace(file, data[:at] + rng.bytes(int(rng.integers(1, 40))) + data[at:])


def overwrite(file: Path, rng: np.random.Generator) -> None:
    """Put noise in place of a part."""
    data = bytearray(file.read_bytes())
    at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 64))
    data[at : at + length] = rng.bytes(len(data[at : at + length]))
    _replace(file, bytes(data))


def blank(file: Path, rng: np.random.Generator) -> None:
    """Put one value in place of all bytes: zeros, ones, or brackets."""
    _replace(file, bytes([_pick(rng, [0, 1, 0x7F, 0xFF, ord("["), ord("9")])]) * file.stat().st_size)


def swap(file: Path, rng: np.random.Generator) -> None:
    """Exchange two files of one folder."""
    others = sorted(path for path in file.parent.iterdir() if path.is_file())
    other = _pick(rng, others)
    mine, its = file.read_bytes(), other.read_bytes()
    _replace(file, its)
    _replace(other, mine)


def remove(file: Path, _rng: np.random.Generator) -> None:
    """Remove the file."""
    file.unlink()


def bomb(file: Path, _rng: np.random.Generator) -> None:
    """Put a pickle there that would do something."""
    _replace(file, pickle.dumps(Bomb()))


def enlarge(file: Path, _rng: np.random.Generator) -> None:
    """Make the file much larger, with zeros that take no room on disk."""
    _replace(file, file.read_bytes())
    os.truncate(file, 2**28)


def edit(file: Path, rng: np.random.Generator) -> None:
    """Change, add or remove one value somewhere in JSON."""
    try:
        text = file.read_text()
        lines = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else []
        body = _pick(rng, lines) if lines else json.loads(text)
    except ValueError:
        return flip(file, rng)
    holder, key = _pick(rng, _places(body))
    value = holder[key]
    _CHANGES[int(rng.integers(len(_CHANGES)))](holder, key, value, rng)
    text = "".join(json.dumps(line) + "\n" for line in lines) if lines else json.dumps(body)
    return _replace(file, text.encode())


def nest(file: Path, rng: np.random.Generator) -> None:
    """Put lists within lists, deeper than Python follows, in place of a value."""
    depth = int(rng.choice([50, 2_000, 200_000]))
    deep = "[" * depth + "]" * depth
    text = file.read_text()
    at = text.find(":", int(rng.integers(len(text))))
    end = min((i for i in (text.find(",", at), text.find("}", at)) if i > 0), default=len(text))
    _replace(file, (text[: at + 1] + deep + text[end:]).encode())


def _change(holder, key, _value, rng):
    holder[key] = _pick(rng, [*NUMBERS, *STRANGE])


def _scale(holder, key, value, rng):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _change(holder, key, value, rng)
    holder[key] = value * _pick(rng, [-1, 2, 10**6, 10**400 if isinstance(value, int) else 1e300])
    return None


def _shift(holder, key, value, rng):
    if isinstance(value, bool) or not isinstance(value, int):
        return _change(holder, key, value, rng)
    holder[key] = value + _pick(rng, [-1, 1])
    return None


def _shorten(holder, key, value, rng):
    if not isinstance(value, list | str | dict) or not value:
        return _change(holder, key, value, rng)
    if isinstance(value, dict):
        del value[_pick(rng, sorted(value))]
    else:
        holder[key] = value[:-1] if rng.random() < 0.7 else value * 2
    return None


def _rename(holder, key, value, rng):
    if isinstance(value, str):
        holder[key] = _pick(rng, list(NAMES))
    elif isinstance(value, dict) and value:
        old = _pick(rng, sorted(value))
        value[_pick(rng, [*NAMES, old + "0"])] = value.pop(old)
    else:
        _change(holder, key, value, rng)


_CHANGES = (_change, _scale, _shift, _shorten, _rename)
WAYS = (flip, flip, truncate, insert, overwrite, blank, swap, remove, bomb, enlarge)
WAYS_WITH_JSON = (*WAYS, *[edit] * 15, nest, nest)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in JSON that holds a value, as (list or object, key)."""
    here: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        here = list(value.items())
    elif isinstance(value, list):
        here = list(enumerate(value))
    found = [(value, key) for key, _ in here]
    for _, below in here:
        found += _places(below)
    return found


def _pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def _is_json(file: Path) -> bool:
    return file.suffix in (".json", ".jsonl") or file.name.startswith("_")


def _replace(file: Path, data: bytes) -> None:
    """Write a file anew: what it was linked to stays as it is."""
    file.unlink(missing_ok=True)
    file.write_bytes(data)


def _only(step: int) -> Callable[[str, list[str]], list[str]]:
    def ignored(folder: str, names: list[str]) -> list[str]:
        if Path(folder).name != "checkpoints" or Path(folder).parent.parent.name == "agents":
            return []
        return [name for name in names if name != str(step)]

    return ignored
