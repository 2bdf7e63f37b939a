import io

from hieros_eqx.training import progress
from hieros_eqx.training.records import Highlights
from hieros_eqx.training.table import Table

TOLD = Highlights(seeds=1, updates=3, episodes=5, last=2.0, mean=1.23456, best=4.0, levels=({},))


class Stream(io.StringIO):
    """A text stream in memory, which may claim to be a terminal."""

    def __init__(self, terminal: bool):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def test_lines_elsewhere_than_on_a_terminal(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = Stream(terminal=False)
    display = progress.make_progress(4_000, 1_000, shown=True, stream=stream)
    now[0] += 10
    display.step(1_500)
    display.note(TOLD)
    assert stream.getvalue() == "", "too soon"
    now[0] += 40
    display.step(2_000)
    display.note(TOLD)
    display.close()
    wanted = "step 2,000 of 4,000, 20.0 steps/s, 0:01:40 left, updates 3, episodes 5, return 1.235\n"
    assert stream.getvalue() == wanted


def test_a_line_without_an_episode_has_no_return():
    stream = Stream(terminal=False)
    display = progress.Lines(10, 0, stream, every=0.0)
    display.note(TOLD._replace(episodes=0, last=None, mean=None, best=None))
    assert stream.getvalue().endswith("updates 3, episodes 0\n")


def test_a_table_on_a_terminal_and_lines_on_one_that_cannot_move_its_cursor(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress.make_progress(10, 4, shown=True, stream=Stream(terminal=True)), Table)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress.make_progress(10, 4, shown=True, stream=Stream(True)), progress.Lines)


def test_nothing_when_not_wanted(capsys):
    display = progress.make_progress(10, 0, shown=False)
    display.step(1)
    display.note(TOLD)
    display.say("x")
    display.close()
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
