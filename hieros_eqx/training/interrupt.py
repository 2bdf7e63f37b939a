"""Ctrl-C and SIGTERM as a wish to stop, granted between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_requests() -> Iterator[Callable[[], int | None]]:
    """Yield a function that returns the signal by which the process has been asked to stop, or None.

    The state is donated to the device at every step, so that an exception in the middle of one would lose
    it: the first Ctrl-C or SIGTERM is only noted. A second one does what it would have done without us: the
    earlier handlers come back at the first, as they do at the end. Signals belong to the main thread; in any
    other nothing is installed.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def note(signum: int, _frame: FrameType | None) -> None:
        asked.append(signum)
        restore()

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)

    previous = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked[0] if asked else None
    finally:
        restore()
