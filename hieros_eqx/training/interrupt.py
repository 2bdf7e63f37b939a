"""Ctrl-C and SIGTERM as a wish to stop, granted between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether the process has been asked to stop.

    The state is donated to the device at every step, so that an exception in the middle of one would lose
    it: the first Ctrl-C or SIGTERM is only noted. A second Ctrl-C raises `KeyboardInterrupt` at once.
    Signals belong to the main thread; in any other nothing is installed. Earlier handlers come back at the
    end.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(signum: int, _frame: FrameType | None) -> None:
        if asked.is_set() and signum == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    previous = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
