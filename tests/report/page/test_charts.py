import re

import numpy as np
import pytest

from hieros_eqx.report.page.charts import Chart, Line, draw, is_empty, short_number, thin

STEPS = np.arange(6, dtype=np.float64)


def chart(*lines, **changes):
    return Chart("Loss <a & b>", "steps", "nats", lines, **changes)


def test_a_long_line_is_thinned_to_means_with_a_band():
    y = np.array([1.0, 3.0, 5.0, 9.0, 0.0, 2.0])
    line = thin(Line(STEPS, y, 2), points=3)
    np.testing.assert_array_equal(line.x, [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(line.y, [2.0, 7.0, 1.0])
    np.testing.assert_array_equal(line.low, [1.0, 5.0, 0.0])
    np.testing.assert_array_equal(line.high, [3.0, 9.0, 2.0])
    assert line.color == 2


def test_a_band_that_is_there_is_kept_and_widened():
    line = thin(Line(STEPS, STEPS, low=STEPS - 1, high=STEPS + 2), points=2)
    np.testing.assert_array_equal(line.low, [-1.0, 2.0])
    np.testing.assert_array_equal(line.high, [4.0, 7.0])


def test_what_is_not_finite_is_left_out():
    line = thin(Line(STEPS[:4], np.array([1.0, np.nan, np.inf, 4.0])))
    np.testing.assert_array_equal(line.x, [0.0, 3.0])
    np.testing.assert_array_equal(line.y, [1.0, 4.0])
    assert line.low is None


def test_an_empty_chart_shows_nothing_but_zeros():
    assert is_empty(chart())
    assert is_empty(chart(Line(STEPS, np.zeros(6)), Line(STEPS, np.full(6, np.nan))))
    assert not is_empty(chart(Line(STEPS, np.zeros(6)), Line(STEPS, STEPS)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1e-3, "0.001"), (-0.25, "\u22120.25"), (999, "999"), (2500, "2.5k"), (12e6, "12M")],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


def test_a_drawing_takes_colours_and_fonts_from_the_page():
    svg = draw(chart(Line(STEPS, STEPS, 3), Line(STEPS, 1 - STEPS, None, style="dashed")))
    assert svg.startswith("<svg viewBox=") and svg.endswith("</svg>")
    assert "var(--series-3)" in svg and "currentColor" in svg
    assert not re.search(
        r"#(f0f00|010203|000000|ffffff)|font-family|<style|<metadata|<!--|width=\"\d+pt", svg
    )
    assert 'aria-label="Loss &lt;a &amp; b>: nats against steps' in svg
    assert ">nats</text>" in svg and ">steps</text>" in svg


def test_ids_are_of_one_drawing_alone():
    first = draw(chart(Line(STEPS, STEPS)))
    second = draw(chart(Line(STEPS, STEPS))._replace(title="Another"))
    ids = [re.findall(r' id="([^"]+)"', svg) for svg in (first, second)]
    assert ids[0] and len(set(ids[0])) == len(ids[0])
    assert not set(ids[0]) & set(ids[1])
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", first))
    assert used == set(ids[0])
    assert first == draw(chart(Line(STEPS, STEPS)))


def test_tick_labels_keep_their_digits():
    svg = draw(chart(Line(STEPS, 0.01 * STEPS)))
    assert {">0.01</text>", ">0.02</text>", ">0.05</text>"} & set(re.findall(r">[\d.]+</text>", svg))


def ticks(svg):
    return re.findall(r">([^<>]+)</text>", svg)


def test_a_logarithmic_axis_is_taken_where_it_may_and_must():
    wide, narrow = Line(STEPS, 10.0**-STEPS), Line(STEPS, 1 + STEPS)
    assert "0.0001" in ticks(draw(chart(wide, scale="log")))
    assert "0.0001" not in ticks(draw(chart(wide)))
    assert draw(chart(narrow, scale="log")) == draw(chart(narrow))


def test_small_and_large_rewards_are_both_seen():
    small, large = Line(STEPS, 0.001 * (STEPS - 2)), Line(STEPS, 1 + STEPS)
    shown = ticks(draw(chart(small, large, scale="symlog")))
    assert {"0.001", "1", "\u22120.001"} <= set(shown)


def test_bad_input():
    with pytest.raises(ValueError, match="at least one line, got none"):
        draw(chart())
    with pytest.raises(ValueError, match="as many x as y and at least 1 point, got 6, 2 and 240"):
        thin(Line(STEPS, STEPS[:2]))
    with pytest.raises(ValueError, match="6, 6 and 0"):
        thin(Line(STEPS, STEPS), points=0)
