"""The table on a made-up terminal: what stands there, how wide, what is above it, what is left of it."""

import io
import re
import sys

import pytest

from hieros_eqx.training import table
from hieros_eqx.training.records import Highlights

LEVEL = {
    "world_model/loss": 231.25,
    "world_model/reconstruction": 189.3,
    "world_model/dyn": 1.0,
    "behaviour/entropy": 2.885,
    "behaviour/returns/extrinsic": -0.00029123,
    "behaviour/returns/subgoal": 2.5,
    "behaviour/returns/novelty": 123456.0,
}
TOLD = Highlights(seeds=1, updates=308, episodes=12, last=4.0, mean=3.25, best=9.0, levels=(LEVEL, {}))
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """What was written, with the codes that move the cursor."""

    def isatty(self):
        return True

    @property
    def text(self):
        """Return all that was ever written, without those codes."""
        return CONTROL.sub("", self.getvalue()).replace("\r", "\n")

    @property
    def last(self):
        """Return the lines of the last drawing."""
        text = self.text
        return text[text.rindex("step ") :].rstrip("\n").splitlines()


@pytest.fixture
def now(monkeypatch):
    seconds = [100.0]
    monkeypatch.setattr(table.time, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def at_width(monkeypatch):
    """Return a terminal of a width and a table on it, of 20,000 steps, at step 1,000."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = []

    def make(width):
        monkeypatch.setenv("COLUMNS", str(width))
        terminal = Terminal()
        made.append(table.Table(20_000, 1_000, terminal))
        return terminal, made[-1]

    yield make
    for display in made:
        display.close()


def test_what_it_shows(at_width, now):
    terminal, display = at_width(80)
    display.step(1_001)
    now[0] += 20
    display.step(1_200)
    display.note(TOLD)
    display.close()
    head, counts, returns, titles, *levels = terminal.last
    assert re.fullmatch(r"step 1,200 of 20,000  \S+  10\.0 steps/s  0:31:20 left\s*", head)
    assert counts.rstrip() == "updates 308  episodes 12"
    assert returns.rstrip() == "return: last 4  mean of 10 3.25  best 9"
    assert titles.split() == ["level", *(title for title, _ in table.COLUMNS)]
    assert max(len(cell) for cell in levels[0].split()) <= table.NUMBER
    assert levels[0].split() == ["0", "231.2", "189.3", "1", "2.885", "-2.91e-04", "2.5", "1.235e+05"]
    assert levels[1].split() == ["1", *"-------"]


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(at_width, width):
    terminal, display = at_width(width)
    display.note(TOLD)
    display.step(19_999)
    display.close()
    assert max(map(len, terminal.text.splitlines())) <= width
    (titles,) = [line.split()[1:] for line in terminal.last if line.startswith("level ")]
    assert "best 9" in terminal.text.replace("\n", " "), "nothing is cut away but columns"
    assert titles == [title for title, _ in table.COLUMNS[: len(titles)]]
    assert len(titles) == min(7, (width - 5) // 10)


def test_several_seeds_are_told_as_their_mean(at_width):
    terminal, display = at_width(80)
    display.note(TOLD._replace(seeds=3))
    display.step(2_000)
    assert "3 seeds, means over them  updates 308" in terminal.text


def test_a_level_without_an_update_since_keeps_its_numbers(at_width):
    terminal, display = at_width(80)
    display.note(TOLD)
    display.note(TOLD._replace(levels=({"world_model/loss": 7.0}, {"world_model/loss": 8.0})))
    display.step(2_000)
    display.close()
    *_, first, second = terminal.last
    assert first.split()[:3] == ["0", "7", "189.3"]
    assert second.split()[:3] == ["1", "8", "-"]


def test_before_a_log_line_there_are_only_steps(at_width):
    terminal, display = at_width(80)
    display.step(1_001)
    display.close()
    assert len(terminal.last) == 1 and terminal.last[0].startswith("step 1,001 of 20,000")


def test_lines_said_stand_above_it_as_they_are(at_width):
    terminal, display = at_width(40)
    display.say("before [bold]the[/bold] first step, longer than the terminal is wide: " + "x" * 40)
    assert terminal.text == "before [bold]the[/bold] first step, longer than the terminal is wide: " + (
        "x" * 40 + "\n"
    )
    display.step(2_000)
    display.say("then")
    display.close()
    assert terminal.text.count("then\n") == 1
    assert terminal.text.rindex("step ") > terminal.text.index("then\n"), "drawn again below"


def test_the_cursor_is_never_left_hidden(at_width):
    """Not even while it runs: a process that is killed cannot bring it back."""
    terminal, display = at_width(80)
    display.step(2_000)
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_the_rate_is_that_of_the_latest_half_minute(at_width, now):
    _, display = at_width(80)
    for _ in range(60):  # a minute of compilation, then 20 steps a second
        now[0] += 1
        assert display._rate(now[0], 1_000) == 0
    for second in range(1, 61):
        now[0] += 1
        rate = display._rate(now[0], 1_000 + 20 * second)
    assert rate == 20.0
    assert len(display._passed) < 40
    for _ in range(60):  # and another one: the average
        now[0] += 1
        rate = display._rate(now[0], 1_000 + 20 * 60)
    assert rate == 1_200 / 180


@pytest.mark.usefixtures("at_width")
def test_what_others_print_stands_above_it_and_their_streams_come_back(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    own = sys.stderr
    monkeypatch.setenv("COLUMNS", "80")
    display = table.Table(10, 0, own)
    display.step(1)
    sys.stderr.write("a warning\n")
    display.close()
    assert sys.stderr is own
    assert own.text.index("a warning\n") < own.text.rindex("step 1 of 10")


def test_an_output_that_goes_to_a_file_stays_there(at_width, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    _, display = at_width(80)
    display.step(2_000)
    sys.stdout.write("result\n")
    display.close()
    assert sys.stdout.getvalue() == "result\n"


def test_it_is_left_in_order_when_training_fails(at_width):
    terminal, display = at_width(80)
    with pytest.raises(ZeroDivisionError):
        try:
            display.step(2_000)
            raise ZeroDivisionError
        finally:
            display.close()
    assert terminal.getvalue().endswith("\n\x1b[?25h")
    assert not display._live.is_started
