"""JSON files of a run: lines appended one by one, whole files replaced atomically.

Every line is valid JSON. A value that is not finite is written as null, and the keys of such values are
listed under `nonfinite`.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that a reader sees the old or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Append one record as one line."""
    line = json.dumps(_plain(record), allow_nan=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of lines; a last line that a crash has cut short is left out."""
    return [json.loads(line) for line in _whole_lines(path)]


def rewind(path: Path, env_step: int) -> None:
    """Drop the records after `env_step`, and a line cut short, so that a run continues its own past.

    A run that died after its last checkpoint has logged steps that it will take again.
    """
    if not path.exists():
        return
    lines = _whole_lines(path)
    kept = [line for line in lines if json.loads(line)["env_step"] <= env_step]
    text = "".join(line + "\n" for line in kept)
    if text == path.read_text(encoding="utf-8"):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    *lines, rest = path.read_text(encoding="utf-8").split("\n")
    return [*lines, rest] if _is_json(rest) else lines


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    nonfinite = []
    for key, value in record.items():
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, float) and not math.isfinite(number):
            nonfinite.append(key)
            number = None
        plain[key] = number
    return plain | {"nonfinite": nonfinite} if nonfinite else plain
