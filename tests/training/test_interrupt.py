import os
import signal
import threading

import pytest

from hieros_eqx.training.interrupt import stop_requests


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_earlier_handlers_come_back(signum):
    earlier = signal.getsignal(signum)
    with stop_requests() as stop:
        assert stop() is None
        os.kill(os.getpid(), signum)
        assert stop() == signum
    assert signal.getsignal(signum) == earlier


def test_a_second_ctrl_c_breaks():
    earlier = signal.getsignal(signal.SIGINT)  # a shell's background job starts with SIGINT ignored
    with pytest.raises(KeyboardInterrupt), stop_requests():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == earlier


def test_nothing_is_installed_outside_the_main_thread():
    seen, earlier = [], signal.getsignal(signal.SIGINT)

    def work():
        with stop_requests() as stop:
            seen.append((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, earlier)]
