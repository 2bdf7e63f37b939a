"""The page in a browser: nothing is wrong, everything is seen."""

import numpy as np
import pytest

from hieros_eqx.report.page.layout import Group, Section
from hieros_eqx.report.page.media_sections import open_loop_figures, wanted_figures
from hieros_eqx.report.page.run_data import read_run
from hieros_eqx.report.page.write import CURVES, render
from tests.report.page.chromium import console, measure, program, screenshot
from tests.report.page.hand_made import make_dream, make_episode
from tests.report.page.run_directories import make_run, settings

pytestmark = [pytest.mark.browser, pytest.mark.skipif(program() is None, reason="no Chromium here")]
WIDTHS = (1200, 360)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with all that there is: curves, videos, pictures."""
    folder, rng = tmp_path_factory.mktemp("page"), np.random.default_rng(0)
    run = read_run(make_run(folder / "run", settings(levels=3, env_steps=2000), rng, lines=40))
    media = [*open_loop_figures(make_dream(rng)), *wanted_figures(make_episode(rng))]
    sections = [*(section([run]) for section in CURVES), Section("media", "Media", "", [Group(media)])]
    path = folder / "page.html"
    path.write_text(render([run], sections), encoding="utf-8")
    return path


def test_the_console_is_silent(page, tmp_path):
    assert console(page, tmp_path) == []
    reaching = tmp_path / "reaching.html"
    text = page.read_text(encoding="utf-8")
    reaching.write_text(
        text.replace("<main>", '<main><img src="https://example.org/x.png">'), encoding="utf-8"
    )
    (line,) = console(reaching, tmp_path)  # so it would have been noticed
    assert "example.org" in line and "Content Security Policy" in line


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_seen_and_not_empty(page, tmp_path, width):
    seen = measure(page, tmp_path, width)
    assert seen["width"] == width
    assert seen["overflow"] == 0
    assert len(seen["boxes"]) == page.read_text(encoding="utf-8").count("<figure")
    for box in seen["boxes"]:
        assert 200 < box["width"] <= width and box["height"] > 50, box
        assert box["loaded"], box
        if box["marks"] is not None:
            assert box["marks"] >= 2 and box["drawn"] > 100, box


@pytest.mark.parametrize("width", WIDTHS)
def test_it_can_be_read_in_both_themes(page, tmp_path, width):
    light, dark = (screenshot(page, tmp_path, width, 3000, dark=dark) for dark in (False, True))
    assert light.shape == dark.shape == (3000, width, 3)
    assert np.median(light) > 240 and np.median(dark) < 40
    for seen in (light, dark):
        far = np.abs(seen.astype(int) - np.median(seen)).max(axis=-1) > 100
        bands = far.reshape(10, 300, width).mean(axis=(1, 2))
        assert (bands > 0.002).all(), bands  # something is written or drawn everywhere
