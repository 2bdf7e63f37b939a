import io

from hieros_eqx.training import progress


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
    display.note({"return": 1.0})
    assert stream.getvalue() == "", "too soon"
    now[0] += 40
    display.step(2_000)
    display.note({"return": 1.23456})
    display.close()
    assert stream.getvalue() == "step 2,000 of 4,000, 20.0 steps/s, 0:01:40 left, return 1.235\n"


def test_a_bar_on_a_terminal():
    stream = Stream(terminal=True)
    display = progress.make_progress(10, 4, shown=True, stream=stream)
    display.step(10)
    display.note({"return": 2.0, "updates": 3})
    display.say("hello")
    display.close()
    assert "10/10" in stream.getvalue()
    assert "hello" in stream.getvalue()


def test_nothing_when_not_wanted(capsys):
    display = progress.make_progress(10, 0, shown=False)
    display.step(1)
    display.note({})
    display.say("x")
    display.close()
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
