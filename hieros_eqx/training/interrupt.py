"""Ctrl-C and SIGTERM as a wish to stop, granted between two steps; a second one is obeyed at once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ONE_WISH = 0.2
"""Seconds within which several signals are one: `timeout` sends it to the process, then to its group."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], int | None]]:
    """Yield a function that returns the signal by which the process has been asked to stop, or None.

    The state is donated to the device at every step, so that an exception in the middle of one would lose
    it: the first Ctrl-C or SIGTERM is only noted. The second, unless it comes with the first (`ONE_WISH`),
    does what it would have done without us: an earlier handler of Python's is called (Ctrl-C:
    `KeyboardInterrupt`); where there is none, the process ends with 128 + the signal's number, even while XLA
    compiles and no handler of Python's could run. Earlier handlers come back at the end. Signals belong to
    the main thread; in any other nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    noted: list[int] = []
    times: list[float] = []

    def note(signum: int, frame: FrameType | None) -> None:
        noted.append(signum)
        earlier = previous[signum]
        if _is_second(times) and callable(earlier):
            earlier(signum, frame)

    previous: dict[int, Any] = {signum: signal.signal(signum, note) for signum in SIGNALS}
    try:
        with _end_at_second(previous):
            yield lambda: noted[0] if noted else None
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _end_at_second(previous: Mapping[int, Any]) -> Iterator[None]:
    """End the process at the second signal whose earlier handler was the system's.

    The interpreter writes every signal's number into a pipe when it comes; a thread reads them there. If
    somebody else has such a pipe (an event loop), it is left alone, and only `note` above is at work.
    """
    if os.name != "posix":
        yield
        return
    end, start = os.pipe()
    os.set_blocking(start, False)
    earlier = signal.set_wakeup_fd(start, warn_on_full_buffer=False)
    if earlier != -1:
        signal.set_wakeup_fd(earlier)
    thread = threading.Thread(target=_watch, args=(end, previous), name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if earlier == -1:
            signal.set_wakeup_fd(-1)
        os.close(start)
        thread.join()
        os.close(end)


def _watch(end: int, previous: Mapping[int, Any]) -> None:
    times: list[float] = []
    while number := os.read(end, 1):
        second = number[0] in previous and _is_second(times)
        if second and previous.get(number[0]) == signal.SIG_DFL:
            os._exit(128 + number[0])


def _is_second(times: list[float]) -> bool:
    """Note the time of a signal, and return whether it is another wish than the first."""
    times.append(time.monotonic())
    return times[-1] - times[0] > ONE_WISH
