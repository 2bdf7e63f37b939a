"""A sink that writes TensorBoard's event files, in `tensorboard/` of a run, one folder a seed if it has more.

Records are written by `tensorboardX`'s `RecordWriter`, in the thread of the loop: its `SummaryWriter` hands
them to a thread that dies of a full disk and then lets the loop wait for ever. A line of metrics is one
event.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import ConfigError
from hieros_eqx.training.pictures import encode
from hieros_eqx.training.run_dir import RunDir

FLUSH_SECONDS = 15.0  # what a killed process may take with it; the files of lines lose nothing
RGB = 3  # TensorBoard's number for a picture of three colours


class TensorBoard:
    """Scalars, pictures and GIFs for `tensorboard --logdir RUN`.

    A run that goes on gets a new file, which begins by saying that later events of the files before it are
    void; TensorBoard leaves them out.
    """

    def __init__(self):
        self._writers: dict[int, Any] = {}
        self._open = ExitStack()
        self._flushed = time.monotonic()

    def open(self, run_dir: Path | None, config: HierosConfig, env_step: int) -> None:
        """Begin an event file for each seed. Raises `ConfigError` where the run has no directory."""
        if run_dir is None:
            raise ConfigError("sinks: TensorBoard writes into the run's directory; give `run_dir`, too.")
        from tensorboardX.record_writer import RecordWriter

        top = RunDir(run_dir).tensorboard.resolve()
        with self._leaving_nothing_open():
            for seed in config.all_seeds:
                folder = top / f"seed_{seed}" if len(config.all_seeds) > 1 else top
                folder.mkdir(parents=True, exist_ok=True)
                path, is_first = _new_file(folder)
                writer = self._writers[seed] = RecordWriter(str(path))
                self._open.callback(writer.close)
                writer.write(_event(file_version="brain.Event:2"))
                if not is_first:  # whatever is there of later steps is void
                    writer.write(_event(step=env_step + 1, session_log={"status": 1}))  # START

    def write(self, env_step: int, seed: int, scalars: Mapping[str, float]) -> None:
        """Write one event that holds all of them."""
        self._add(env_step, seed, [{"tag": name, "simple_value": value} for name, value in scalars.items()])

    def pictures(self, env_step: int, seed: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Write pictures as PNG and GIF, both of which TensorBoard shows under *Images*."""
        for name, picture in pictures.items():
            file = encode(picture)
            size = {"height": file.height, "width": file.width, "colorspace": RGB}
            image = size | {"encoded_image_string": file.data}
            self._add(env_step, seed, [{"tag": name, "image": image}])

    def close(self) -> None:
        """End the files."""
        self._open.close()

    def _add(self, env_step: int, seed: int, values: list[dict[str, Any]]) -> None:
        with self._leaving_nothing_open():
            self._writers[seed].write(_event(step=env_step, summary={"value": values}))
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                for writer in self._writers.values():
                    writer.flush()
                self._flushed = time.monotonic()

    @contextmanager
    def _leaving_nothing_open(self) -> Iterator[None]:
        """Close all files if the disk takes no more: this sink will not be asked again."""
        try:
            yield
        except OSError:
            with suppress(OSError):  # the same: what was not yet written cannot be
                self._open.close()
            raise


def _new_file(folder: Path) -> tuple[Path, bool]:
    """Return a name that is free, and whether the folder had no such file.

    TensorBoard reads files in the order of their names, so that they are numbered: clocks may go back.
    """
    earlier = [path.name for path in folder.iterdir() if "tfevents" in path.name]
    number = len(earlier)
    while os.path.lexists(path := folder / f"events.out.tfevents.{number:010d}.hieros"):
        number += 1
    return path, not earlier


def _event(**fields: Any) -> bytes:
    from tensorboardX.proto import event_pb2

    made: Any = event_pb2  # its classes are made when it is imported
    return made.Event(wall_time=time.time(), **fields).SerializeToString()
