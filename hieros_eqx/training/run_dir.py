"""The directory of a run: who may write there, which configuration and spaces it belongs to.

=================  ==============================================================================
config.json        the whole configuration
spaces.json        observation and action space, so that an agent loads without its environment
run.json           versions, device, commit, command, time of the start and of every resumption
metrics.jsonl      one line of means per `training.log_every` environment steps
episodes.jsonl     one line per finished episode
checkpoints/       the whole state, by environment step; of all seeds that are trained side by side
diagnosis.json     only where updates would not be finite any more: what was found
tensorboard/       event files of the sink `TensorBoard`, if there is one; of several seeds in seed_N/
wandb/             the like of Weights & Biases, by its own package
agents/seed_N/     the newest agent of a seed on its own: configuration, spaces, parameters
=================  ==============================================================================
"""

import dataclasses
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hieros_eqx.config import HierosConfig, differences, from_dict
from hieros_eqx.config.schema import migrate, stamped
from hieros_eqx.config.strict_json import NotJSONError, parse_json
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.training.log import write_json
from hieros_eqx.training.manifest import LARGEST, read_small, sweep
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

try:
    import fcntl
except ImportError:  # Windows: two processes in one directory are not noticed
    fcntl = None  # type: ignore[assignment]

LOCK, CONFIG, SPACES, RUN = ".lock", "config.json", "spaces.json", "run.json"
METRICS, EPISODES, CHECKPOINTS, AGENTS = "metrics.jsonl", "episodes.jsonl", "checkpoints", "agents"
TENSORBOARD, WANDB = "tensorboard", "wandb"
_UNFINISHED = re.compile(r"\.(config|spaces)\.json\.[0-9]+\.tmp")  # left by a process that was killed


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The paths of a run directory."""

    path: Path

    @property
    def metrics(self) -> Path:
        """Lines of metrics."""
        return self.path / METRICS

    @property
    def episodes(self) -> Path:
        """Lines of episodes."""
        return self.path / EPISODES

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def agents(self) -> Path:
        """Folder of the newest agents, by seed."""
        return self.path / AGENTS

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / TENSORBOARD

    @property
    def run(self) -> Path:
        """How the run was started."""
        return self.path / RUN


def check(path: Path, config: HierosConfig) -> None:
    """Raise unless a run with `config` may be started or continued at `path`. Writes nothing.

    `ConfigError` lists the fields in which the run that is there differs; `CheckpointError` says that the
    path is no run directory.
    """
    with _told(path):
        _check(path, config)


def _check(path: Path, config: HierosConfig) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise CheckpointError(f"{path}: wanted a directory for the run, got a file.")
    _check_kinds(path)
    if not (path / CONFIG).exists():
        names = (p.name for p in path.iterdir() if p.name not in (LOCK, SPACES))
        foreign = sorted(name for name in names if not _UNFINISHED.fullmatch(name))
        if foreign:
            raise CheckpointError(
                f"{path}: wanted an empty directory or one with {CONFIG}, got {', '.join(foreign[:5])}"
                f"{', ...' if len(foreign) > 5 else ''}. Choose another directory; nothing was changed."
            )
        return
    changed = differences(read_config(path), config)
    if changed:
        raise ConfigError(
            f"{path} holds a run with another configuration ({'; '.join(changed)}). "
            "Choose another directory, or take its configuration; nothing was changed."
        )
    read_spaces(path)  # damaged ones are refused before anything is written


@contextmanager
def open_run(path: Path, config: HierosConfig, spaces: Spaces) -> Iterator[RunDir]:
    """Create or continue a run, keeping other processes out until the end.

    Raises what `check` does, and `CheckpointError` if the directory cannot be written to, another process
    has it, or what is logged in it cannot be read.
    """
    check(path, config)
    with ExitStack() as stack:
        with _told(path):
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(path / LOCK))
            if (path / CONFIG).exists():
                held = read_spaces(path)
                if held != spaces:
                    raise CheckpointError(
                        f"{path}: wanted an environment with {held}, as the run was started, got {spaces}."
                    )
                _check_logs(path)
                sweep(path / CHECKPOINTS)  # of a process that died before its first save was whole, too
            else:
                write_description(path, config, spaces)
        yield RunDir(path)


def write_description(path: Path, config: HierosConfig, spaces: Spaces) -> None:
    """Write what makes a directory one of a run, or of an agent, making the directory if there is none."""
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / SPACES, dataclasses.asdict(spaces))
    write_json(path / CONFIG, stamped(config))  # last: what has it is a run


def read_config(path: Path) -> HierosConfig:
    """Return the configuration of a run, in today's layout.

    Raises `CheckpointError` if there is none or it cannot be read, `ConfigError` if its fields are unknown.
    """
    return from_dict(migrate(_read_json(path / CONFIG), unmarked=0))


def read_spaces(path: Path) -> Spaces:
    """Return the spaces of a run. Raises `CheckpointError` if there are none or they cannot be read."""
    values = _read_json(path / SPACES)
    try:
        observation, action = values["observation"], values["action"]
        kind, shape, size = observation["kind"], tuple(observation["shape"]), action["size"]
        if kind not in ("image", "vector") or action["kind"] not in ("discrete", "continuous"):
            raise ValueError("an unknown kind")
        if not all(type(n) is int and n >= 1 for n in (*shape, size)):
            raise ValueError("sizes that are no whole numbers >= 1")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path / SPACES}: is damaged ({error}).") from error
    return Spaces(
        observation=ObservationSpace(kind=kind, shape=shape),
        action=ActionSpace(kind=action["kind"], size=size),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(read_small(path))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.parent}: wanted a run directory with {path.name}; training with one writes it."
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}).") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: wanted a JSON object, got {type(value).__name__}.")
    return value


def _check_kinds(path: Path) -> None:
    """Nothing is written or deleted outside: a run directory may come from a stranger."""
    agents = list((path / AGENTS).glob("seed_*"))
    folders = [path / name for name in (CHECKPOINTS, AGENTS, TENSORBOARD, WANDB)]
    folders += [*agents, *(own / CHECKPOINTS for own in agents), *(path / TENSORBOARD).glob("seed_*")]
    files = [path / name for name in (LOCK, CONFIG, SPACES, RUN, METRICS, EPISODES)]
    for found in (*folders, *files):
        right = found.is_dir() if found in folders else found.is_file()
        if found.is_symlink() or (found.exists() and not right):
            raise CheckpointError(
                f"{found}: wanted a {'folder' if found in folders else 'file'}, got something else. "
                "Links are not followed inside a run directory; nothing was changed."
            )


def _check_logs(path: Path) -> None:
    """Raise `CheckpointError` unless `run.json` and the logs can be read when the run goes on."""
    run = _read_json(path / RUN) if (path / RUN).exists() else {}
    if not isinstance(run.get("resumed", []), list):
        raise CheckpointError(f"{path / RUN}: is damaged. Move it away; the run goes on without it.")
    for file in (path / METRICS, path / EPISODES):
        if not file.exists():
            continue
        with file.open("rb") as stream:
            for number, line in enumerate(iter(lambda own=stream: own.readline(LARGEST), b""), 1):
                if not _is_record(line):
                    raise CheckpointError(
                        f"{file}: line {number} is damaged. Mend or remove it, and start again."
                    )


def _is_record(line: bytes) -> bool:
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return b"\r" not in text and type(parse_json(text)["env_step"]) is int
    except NotJSONError:
        return text == line and line.isascii()  # the last line, which a crash has cut short
    except (ValueError, TypeError, KeyError):
        return False


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be used as a run directory ({error.strerror}: {error.filename}). "
            "Choose another, or make it one that can be written to."
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a+", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CheckpointError(
                    f"{path.parent}: another process is training there. Stop it or choose another directory."
                ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
