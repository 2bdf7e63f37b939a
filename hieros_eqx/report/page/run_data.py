"""All that the files of a run say, read once: configuration, how it was started, metrics, episodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import log, manifest
from hieros_eqx.training import run_dir as run_dirs
from hieros_eqx.types import Spaces

DIAGNOSIS = "diagnosis.json"


@dataclass(frozen=True)
class RunData:
    """What a run directory holds, but for its checkpoints."""

    path: Path
    config: HierosConfig
    spaces: Spaces | None
    """None before the environment was made."""
    start: Mapping[str, Any]
    """`run.json`; empty where there is none."""
    lines: Mapping[int, Sequence[Mapping[str, Any]]]
    """Lines of metrics by seed."""
    episodes: Sequence[Mapping[str, Any]]
    checkpoints: Sequence[int]
    """Environment steps, oldest first."""
    stopped: bool
    """Updates were not finite any more (`diagnosis.json`)."""

    @property
    def name(self) -> str:
        """The game or environment."""
        return self.config.env.game or self.config.env.id or "own environment"

    @property
    def env_step(self) -> int:
        """The last environment step of which anything is logged."""
        logs = [own for own in (*self.lines.values(), self.episodes) if own]
        return max((int(own[-1]["env_step"]) for own in logs), default=0)

    @property
    def finished(self) -> bool:
        """Whether all environment steps were taken."""
        return self.env_step >= self.config.training.env_steps

    @property
    def any_lines(self) -> Sequence[Mapping[str, Any]]:
        """The lines of the first seed that has any: of what all seeds share."""
        return next((own for own in self.lines.values() if own), ())


def read_run(path: Path) -> RunData:
    """Return what the files of a run say. Raises `CheckpointError` if it is none, or they are damaged."""
    config = run_dirs.read_config(path)
    directory = run_dirs.RunDir(path)
    lines: dict[int, list[Mapping[str, Any]]] = {seed: [] for seed in config.all_seeds}
    for record in _records(directory.metrics, config):
        lines.setdefault(record["seed"], []).append(record)
    return RunData(
        path=path,
        config=config,
        spaces=run_dirs.read_spaces(path) if (path / run_dirs.SPACES).exists() else None,
        start=_object(directory.run),
        lines=lines,
        episodes=[
            own
            for own in _records(directory.episodes, config)
            if isinstance(own.get("return"), int | float)  # null: not finite
        ],
        checkpoints=manifest.steps(directory.checkpoints),
        stopped=(path / DIAGNOSIS).exists(),
    )


def _records(file: Path, config: HierosConfig) -> list[dict[str, Any]]:
    """Return the records of a log, each with a `seed`, which those of old lack where there is but one."""
    try:
        records = log.read(file)
        return [
            {"seed": config.all_seeds[0], **record, "env_step": int(record["env_step"])} for record in records
        ]
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{file}: is damaged ({type(error).__name__}: {error}).") from error


def _object(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        value = json.loads(manifest.read_small(file))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}).") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{file}: wanted a JSON object, got {type(value).__name__}.")
    return value
