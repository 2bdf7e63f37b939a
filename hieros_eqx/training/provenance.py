"""Where a run comes from: `run.json` with versions, device, commit, command and times."""

import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from hieros_eqx.training.log import write_json

PACKAGES = (
    "hieros-eqx",
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "envpool",
    "ale-py",
)


def record_start(
    path: Path, command: str | None, env_step: int, told: Mapping[str, Any] | None = None
) -> None:
    """Write `run.json`, or add a resumption at `env_step` to the one that is there, with what is told."""
    now = _here(command)
    if not path.exists():
        write_json(path, now | {**(told or {}), "resumed": []})
        return
    run = json.loads(path.read_text(encoding="utf-8"))
    resumption = {"env_step": env_step, **(told or {})} | {
        key: value for key, value in now.items() if run.get(key) != value
    }
    write_json(path, run | {"resumed": [*run.get("resumed", []), resumption]})


def _here(command: str | None) -> dict[str, Any]:
    devices = jax.devices()
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command if command is not None else shlex.join(sys.argv),
        "commit": commit(),
        "versions": {"python": platform.python_version()} | versions(),
        "platform": platform.platform(),
        "device": {"platform": devices[0].platform, "kind": devices[0].device_kind, "count": len(devices)},
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed and matter."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the git commit of this code, with `-dirty` where it was changed; None outside a checkout."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return answer.stdout.strip()
