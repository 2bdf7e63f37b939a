"""Jobs as real processes: exit codes, and signals that are handed on once."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from hieros_eqx.training.executor import SubprocessExecutor
from hieros_eqx.training.suite import Job

COUNTS_SIGNALS = """
import pathlib, signal, sys, time
came = []
signal.signal(signal.SIGINT, lambda *_: came.append("int"))
signal.signal(signal.SIGTERM, lambda *_: came.append("term"))
pathlib.Path(sys.argv[1]).write_text("ready")
while not came:
    time.sleep(0.01)
time.sleep(0.2)
pathlib.Path(sys.argv[1]).write_text(" ".join(came))
sys.exit(130)
"""


def execute(code, *args):
    job = Job("Pong", "train", Path("out"), ("hieros-eqx", code, *map(str, args)))
    return SubprocessExecutor((sys.executable, "-c")).run(job)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_exit_codes(code):
    assert execute(f"raise SystemExit({code})") == code


def test_a_process_that_was_killed():
    assert execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)") == 137


def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        SubprocessExecutor(("no-such-program",)).run(Job("Pong", "eval", Path("out"), ("hieros-eqx",)))


@pytest.mark.parametrize(
    ("signum", "word"), [(signal.SIGINT, "int"), (signal.SIGTERM, "term"), (signal.SIGHUP, "term")]
)
def test_a_signal_is_handed_on_once(tmp_path, signum, word):
    """To this process alone, as `kill` does; and to its group, as Ctrl-C in a terminal does."""
    file = tmp_path / "came"

    def send():
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signum)

    before = signal.getsignal(signum)
    sender = threading.Thread(target=send)
    sender.start()
    assert execute(COUNTS_SIGNALS, file) == 130
    sender.join()
    assert file.read_text() == word
    assert signal.getsignal(signum) is before


def test_the_child_is_out_of_the_terminal_s_reach(tmp_path):
    """Ctrl-C goes to a group of processes, which the child is not in: it gets what is handed on, once."""
    file = tmp_path / "group"
    execute("import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(str(os.getpgid(0)))", file)
    assert int(file.read_text()) != os.getpgid(0)
