import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from hieros_eqx.training.interrupt import ONE_WISH, stop_requests


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_earlier_handlers_come_back(signum):
    earlier = signal.getsignal(signum)
    with stop_requests() as stop:
        assert stop() is None
        os.kill(os.getpid(), signum)
        assert stop() == signum
    assert signal.getsignal(signum) == earlier


def test_a_second_ctrl_c_breaks():
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start jobs with it ignored
    try:
        with pytest.raises(KeyboardInterrupt), stop_requests():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(2 * ONE_WISH)
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)


def test_nothing_is_installed_outside_the_main_thread():
    seen, earlier = [], signal.getsignal(signal.SIGINT)

    def work():
        with stop_requests() as stop:
            seen.append((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, earlier)]


BUSY = """
import hashlib, os, signal, sys
from hieros_eqx.training.interrupt import stop_requests
signal.signal(signal.SIGINT, signal.SIG_DFL)
with stop_requests() as stop:
    print("ready", flush=True)
    if sys.argv[1] == "compiling":  # no handler of Python's can run in here
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
    while not (sys.argv[1] == "once" and stop()):
        pass
sys.exit(7)
"""


@contextmanager
def busy(where):
    """A process that takes signals as wishes to stop, while it is `where`."""
    process = subprocess.Popen([sys.executable, "-c", BUSY, where], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["compiling", "stepping", "once"])
def test_a_second_signal_ends_the_process_at_once(signum, where):
    with busy(where) as process:
        process.send_signal(signum)
        if where != "once":
            time.sleep(1)
            assert process.poll() is None
            process.send_signal(signum)
        assert process.wait(timeout=10) == (7 if where == "once" else 128 + signum)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_come_together_are_one_wish(signum):
    """`timeout` sends its signal to the process and then to the process's group."""
    with busy("stepping") as process:
        for _ in range(3):
            process.send_signal(signum)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signum)
        assert process.wait(timeout=10) == 128 + signum


def test_an_event_loop_keeps_its_pipe():
    end, start = os.pipe()
    os.set_blocking(start, False)
    earlier = signal.set_wakeup_fd(start)
    try:
        with stop_requests() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop() == signal.SIGTERM
        assert os.read(end, 1)[0] == signal.SIGTERM
    finally:
        assert signal.set_wakeup_fd(earlier) == start
        os.close(start)
        os.close(end)
