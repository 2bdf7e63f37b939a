"""When a run is saved: copied between two steps, written by another thread while training goes on."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType

from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import TrainingConfig
from hieros_eqx.envs import RecordedEnv
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint
from hieros_eqx.training.agents import keep_agents
from hieros_eqx.training.checkpoint import Ledger, Snapshot
from hieros_eqx.training.content import Host
from hieros_eqx.training.run_dir import RunDir
from hieros_eqx.training.schedule import crosses

MOST_HISTORY_FILES = 32  # each save adds one; then one replaces them, so that no manifest grows for ever


class Saver:
    """Writes the checkpoints of a run, one at a time; leaving the context waits for the one under way.

    A save that fails (a full disk) is told and tried again at the next one: the checkpoint before it stays.
    """

    def __init__(self, run: RunDir, config: TrainingConfig, ledger: Ledger, tell: Callable[[str], None]):
        self._run, self._config, self._ledger, self._tell = run, config, ledger, tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="saver")
        self._under_way: Future[None] | None = None
        self.step = None if ledger.path is None else int(ledger.path.name)
        """Of the newest checkpoint on disk."""
        self._begun = time.monotonic()
        self._failure: CheckpointError | None = None

    def is_due(self, before: int, env_step: int) -> bool:
        """Whether to save after the steps `before < s <= env_step`: by their number, or by the clock."""
        minutes = self._config.checkpoint_minutes
        late = minutes is not None and time.monotonic() - self._begun > 60 * minutes
        return late or crosses(before, env_step, self._config.checkpoint_every)

    def save(self, state: HierosState, host: Host, envs: RecordedEnv) -> None:
        """Copy what is new to the host and begin to write it; waits for the save before, if need be."""
        self.wait()
        self._begun = time.monotonic()
        env_step = host.counters.env_step
        if env_step == self.step:
            return
        if len(self._ledger.history) >= MOST_HISTORY_FILES:
            self._ledger = replace(self._ledger, history=(), steps=0)
        shot = checkpoint.snapshot(state, host, envs.history(self._ledger.steps), self._ledger)
        self._under_way = self._thread.submit(self._write, shot)

    def wait(self) -> None:
        """Wait until the save under way is on disk, or has failed."""
        if self._under_way is None:
            return
        under_way, self._under_way = self._under_way, None
        try:
            under_way.result()
        except (OSError, ValueError) as error:  # Orbax and TensorStore say ValueError of a full disk
            reason = " ".join(str(error).split())[:300]
            held = "There is none" if self.step is None else f"The checkpoint of step {self.step} is whole"
            self._failure = CheckpointError(
                f"{self._run.checkpoints}: the last save failed ({reason}). {held}."
            )
            self._tell(f"a save failed, training goes on: {reason}")
        else:
            self._failure = None

    def finish(self) -> None:
        """Wait for the last save. Raises `CheckpointError` if it failed."""
        self.wait()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()
        self._thread.shutdown()

    def _write(self, shot: Snapshot) -> None:
        # Noted at once: whatever fails afterwards, the next save adds to the checkpoint that is there now.
        self._ledger = checkpoint.write(self._run.checkpoints, shot, self._ledger)
        self.step = shot.host.counters.env_step
        checkpoint.retire(self._run.checkpoints, self._config.keep_checkpoints)
        keep_agents(self._run, shot.params, self.step)
