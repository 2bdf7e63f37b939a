import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from hieros_eqx.report.watch import terminal
from hieros_eqx.report.watch.terminal import HALF_BLOCK, HalfBlocks, fit, show_steps
from tests.report.watch.watched_episodes import make_episode, steps_of


def make_console(width=80, height=40):
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=width,
        height=height,
        _environ={},
    )


def nothing(level, code):
    raise AssertionError(f"a worker alone has no codes, got {code} of level {level}")


def drawn(renderable, console):
    """Return characters and colours (above, below) of every place, as a terminal gets them."""
    lines = []
    for line in console.render_lines(renderable, pad=False):
        colors = [(s.style.color, s.style.bgcolor) if s.style else (None, None) for s in line for _ in s.text]
        lines.append(("".join(s.text for s in line), colors))
    return lines


@pytest.mark.parametrize("height", [4, 5])
def test_two_pixels_a_character(rng, height):
    picture = rng.integers(256, size=(height, 7, 3)).astype(np.uint8)
    picture[:2, 2:5] = (9, 8, 7)  # equal neighbours are sent as one
    console = make_console()
    lines = drawn(HalfBlocks(picture), console)
    assert [text for text, _ in lines] == [HALF_BLOCK * 7] * (-(-height // 2))
    for row, (_, colors) in enumerate(lines):
        for column, (above, below) in enumerate(colors):
            assert tuple(above.get_truecolor()) == tuple(picture[2 * row, column])
            under = picture[2 * row + 1, column] if 2 * row + 1 < height else (0, 0, 0)
            assert tuple(below.get_truecolor()) == tuple(under)
    console.print(HalfBlocks(picture))
    assert console.file.getvalue().count("38;2;9;8;7;48;2;9;8;7") == 1


def test_pictures_are_enlarged_by_whole_factors_and_averaged_down(rng):
    picture = rng.integers(256, size=(6, 4, 3)).astype(np.uint8)
    large = fit(picture, 11, 13)
    assert large.shape == (12, 8, 3)
    np.testing.assert_array_equal(large[::2, ::2], picture)
    small = fit(picture, 2, 100)
    assert small.shape == (3, 2, 3)
    np.testing.assert_array_equal(small[1, 1], np.rint(picture[2:4, 2:].astype(np.float64).mean((0, 1))))
    uneven = fit(picture, 3, 5)
    assert uneven.shape == (4, 3, 3)


@pytest.fixture
def shown():
    """Show the steps of an episode of two levels; return the console, the steps and how long was slept."""
    episode, console = make_episode(2, 5), make_console()
    asked, slept = [], []

    def decode(level, code):
        asked.append((level, tuple(code[0])))
        return episode.subgoals[0][:1] + np.uint8(code[0, 0])

    steps = list(
        show_steps(steps_of(episode), console, decode=decode, title="Pong", fps=0.1, sleep=slept.append)
    )
    return SimpleNamespace(console=console, steps=steps, asked=asked, slept=slept, episode=episode)


def test_every_step_is_shown_and_given_back(shown):
    text = shown.console.file.getvalue()
    assert len(shown.steps) == 5
    for number in range(5):
        total = shown.episode.reward[: number + 1].sum()
        assert f"Pong   step {number}   return {total:g}" in text
    assert "level 1 wants" in text
    assert f"38;2;{10 * 3};0;0" in text, "the picture of the step at time 3"
    assert "0.30" in text, "novelty"


def test_a_code_is_decoded_once(shown):
    assert shown.asked == [(1, (0, 0)), (1, (1, 1)), (1, (2, 2))]


def test_steps_come_at_their_rate(shown):
    """Nobody sleeps here, so that every step waits for its own time from the start on: ten seconds each."""
    assert len(shown.slept) == 5
    for number, seconds in enumerate(shown.slept, start=1):
        assert 10 * number - 5 < seconds <= 10 * number


def test_the_cursor_is_back_after_an_error():
    """Ctrl-C comes as an exception out of the steps."""
    console = make_console()

    def steps():
        yield steps_of(make_episode(1, 2))[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(show_steps(steps(), console, decode=nothing, title="Pong", fps=1000))
    text = console.file.getvalue()
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.parametrize(("width", "height"), [(20, 12), (80, 24), (200, 60)])
def test_pictures_fit_the_terminal(width, height):
    """Nothing is as wide or as high as the terminal would have to break."""
    episode = make_episode(3, 1)
    screen = terminal._Screen(lambda level, code: episode.subgoals[level - 1][: len(code)], "Pong")
    page = screen.show(steps_of(episode)[0], width, height)
    lines = drawn(page, make_console(width, height))
    blocks = [text for text, _ in lines if HALF_BLOCK in text]
    assert max(len(text) for text in blocks) <= max(width, 3 * 8 + 4)
    assert len(lines) <= max(height, 4 + 8)


def test_numbers_are_drawn_on_the_range_seen_so_far():
    """The largest number yet has the longest bar, whatever it is."""
    episode = make_episode(1, 4, images=False)
    screen = terminal._Screen(nothing, "Pendulum")
    for step in steps_of(episode):
        screen.show(step, 80, 40)
    np.testing.assert_array_equal(screen.range, [[0, -3], [3, 0]])
