"""Jobs as processes of this machine, which end with it: signals are handed on."""

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from hieros_eqx.training.suite import Job

_HANDED_ON = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM}
if hasattr(signal, "SIGHUP"):  # the terminal is closed: the job is asked to save and end
    _HANDED_ON[signal.SIGHUP] = signal.SIGTERM


class SubprocessExecutor:
    """Runs a job as a child process and waits for it.

    The child has a session of its own, so that Ctrl-C reaches it once: from here. Signals that come before
    it has begun are handed on as soon as it has.
    """

    def __init__(self, program: Sequence[str]) -> None:
        """`program` takes the place of the first word of a job's command."""
        self._program = tuple(program)

    def run(self, job: Job) -> int:
        """Run the job and return its exit code, 128 + the signal's number if a signal has ended it.

        Raises `OSError` if the program cannot be started.
        """
        with _noted() as noted:
            process = subprocess.Popen((*self._program, *job.command[1:]), start_new_session=True)
            try:
                noted.hand_on_to(process)
                code = process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
        return code if code >= 0 else 128 - code


class _Signals:
    """Signals that have come, and the process that gets them."""

    def __init__(self) -> None:
        self._early: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    def note(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002, as Python calls handlers
        """Hand a signal on, or keep it until there is a process."""
        if self._process is None:
            self._early.append(signum)
        else:
            self._process.send_signal(_HANDED_ON[signal.Signals(signum)])

    def hand_on_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Send all that has come to a process, and what will come."""
        self._process = process
        for signum in self._early:
            process.send_signal(_HANDED_ON[signal.Signals(signum)])


@contextmanager
def _noted() -> Iterator[_Signals]:
    """Note signals instead of obeying them; in a thread other than the main one nothing can be noted."""
    signals = _Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    earlier = {signum: signal.signal(signum, signals.note) for signum in _HANDED_ON}
    try:
        yield signals
    finally:
        for signum, handler in earlier.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
