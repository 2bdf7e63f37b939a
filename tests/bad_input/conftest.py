"""Bad input, table by table: one clear error of the right type, no traceback, no hang, no file written."""

import signal

import pytest

from tests.cli.conftest import empty_directory as empty_directory
from tests.cli.conftest import refused as refused
from tests.cli.conftest import run as run

LONGEST = 60  # seconds; on a machine that does nothing else each case takes well below one


@pytest.fixture(autouse=True)
def nothing_hangs():
    """What neither answers nor ends is an error, too."""

    def late(*_):
        raise TimeoutError(f"no answer in {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def nothing_is_trained(empty_directory, monkeypatch):  # noqa: ARG001, sets the variable that it clears
    """What is not refused fails at once."""
    import hieros_eqx.agent
    import hieros_eqx.training

    def begin(*_):
        raise AssertionError("this was not refused: training began")

    monkeypatch.setenv("HIEROS_EQX_COMPILATION_CACHE", "off")
    monkeypatch.setattr(hieros_eqx.agent, "init", begin)
    monkeypatch.setattr(hieros_eqx.agent, "init_seeds", begin)


def nested(path, value):
    """Return `value` under the path of its field, as groups of a configuration."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value
