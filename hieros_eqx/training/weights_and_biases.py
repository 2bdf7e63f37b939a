"""A sink for Weights & Biases. The package (extra `wandb`) is imported when the sink is made."""

import importlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hieros_eqx.config import HierosConfig, to_dict
from hieros_eqx.config.validation import reject
from hieros_eqx.training.pictures import encode

LONGEST = 128
FORBIDDEN = "/\\#?%:"


class WeightsAndBiases:
    """Logs to a project there, against `env_step`; of several seeds under names that begin with `seedN/`.

    Every start of a run is one run there, in a group named after the run's directory: what was logged there
    of steps that are taken again stays, and the later run holds what counts.
    """

    def __init__(self, project: str):
        """Raise `ConfigError` if it can be no project's name, `ModuleNotFoundError` without the package."""
        wrong = not project.strip() or len(project) > LONGEST or any(c in FORBIDDEN for c in project)
        if wrong or not project.isprintable():
            wanted = f"the name of a project, up to {LONGEST} characters, none of {FORBIDDEN}"
            raise reject("wandb project", project, wanted)
        self._project = project
        self._wandb = importlib.import_module("wandb")
        self._run: Any = None
        self._prefixes: dict[int, str] = {}

    def open(self, run_dir: Path | None, config: HierosConfig, env_step: int) -> None:
        """Begin a run there, with the configuration; its own files lie in `RUN/wandb/`."""
        seeds = config.all_seeds
        self._prefixes = {seed: f"seed{seed}/" if len(seeds) > 1 else "" for seed in seeds}
        name = None if run_dir is None else run_dir.resolve().name
        self._run = self._wandb.init(
            project=self._project,
            dir=None if run_dir is None else str(run_dir),
            group=name,
            name=name if name is None or not env_step else f"{name}-from-{env_step}",
            config=to_dict(config),
            settings=self._wandb.Settings(console="off"),  # the terminal is the display's
        )
        self._run.define_metric("env_step")
        self._run.define_metric("*", step_metric="env_step")

    def write(self, env_step: int, seed: int, scalars: Mapping[str, float]) -> None:
        """Log numbers."""
        self._log(env_step, seed, scalars)

    def pictures(self, env_step: int, seed: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Log pictures as images and videos."""
        shown = {}
        for name, picture in pictures.items():
            if picture.ndim == 3:
                shown[name] = self._wandb.Image(picture)
            else:
                shown[name] = self._wandb.Video(io.BytesIO(encode(picture).data), format="gif")
        self._log(env_step, seed, shown)

    def close(self) -> None:
        """End the run there, which waits until all is sent."""
        self._run.finish()

    def _log(self, env_step: int, seed: int, values: Mapping[str, Any]) -> None:
        prefix = self._prefixes[seed]
        self._run.log({"env_step": env_step, **{prefix + name: value for name, value in values.items()}})
