"""Cases of the functions behind the page of a run."""

from pathlib import Path

import numpy as np

from hieros_eqx.config import make_preset
from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.page import charts, picture_grid, run_data, visits
from hieros_eqx.report.page import write as page
from hieros_eqx.report.page.run_data import RunData


def run_without_checkpoint():
    return RunData(Path("run"), make_preset("debug"), None, {}, {}, (), (), False)


def picture(*shape):
    return np.zeros(shape, np.uint8)


STEPS = np.zeros(3, np.float64)
RAGGED = [[picture(4, 4, 3), picture(5, 4, 3)]]
PAGES = {
    "report.page.charts.thin": [
        (lambda: charts.thin(charts.Line(STEPS, STEPS[:1])), ValueError, "as many x as y .* got 3, 1 and"),
        (lambda: charts.thin(charts.Line(STEPS, STEPS), 0), ValueError, "at least 1 point, got 3, 3 and 0"),
    ],
    "report.page.charts.draw": [
        (lambda: charts.draw(charts.Chart("t", "x", "y", [])), ValueError, "at least one line, got none")
    ],
    "report.page.run_data.read_run": [
        (lambda: run_data.read_run(Path("absent")), CheckpointError, "absent: wanted a run directory")
    ],
    "report.page.write.write_page": [
        (lambda: page.write_page([], "page.html"), ValueError, "at least one run directory, got none"),
        (lambda: page.write_page(["absent"], "page.html"), CheckpointError, "absent: wanted a run directory"),
    ],
    "report.page.visits.read_visits": [
        (lambda: visits.read_visits(run_without_checkpoint()), CheckpointError, "a checkpoint, got none yet")
    ],
    "report.page.visits.expected_visits": [
        (
            lambda: visits.expected_visits(make_preset("debug"), 0, 0, 9, 1, 0.3),
            ValueError,
            "at least 1 entry and update, got 0 and 1",
        )
    ],
    "report.page.picture_grid.absolute_error": [
        (
            lambda: picture_grid.absolute_error(picture(1, 4, 3), picture(4, 4, 3)),
            ValueError,
            "wanted arrays of one shape, got",
        )
    ],
    "report.page.picture_grid.grid_png": [
        (lambda: picture_grid.grid_png(RAGGED), ValueError, "pictures of one size, got 1 rows"),
        (lambda: picture_grid.grid_png([]), ValueError, "pictures of one size, got 0 rows"),
    ],
    "report.page.picture_grid.grid_video": [
        (lambda: picture_grid.grid_video([], 6), ValueError, "got 0 rows"),
    ],
    "report.page.picture_grid.vector_picture": [
        (
            lambda: picture_grid.vector_picture(np.zeros((0, 3)), 0.0, 1.0, 2.0),
            ValueError,
            r"wanted vectors .* got \(0, 3\)",
        )
    ],
}
DRAWN = "draws what `read_run` has read and checked"
PLAYED = "says on the page what does not work"
LEFT_OUT_OF_PAGES = {
    **{
        f"report.page.curve_sections.{name}_section": DRAWN
        for name in ("rewards", "losses", "behaviour", "gradients", "goal", "codes", "visits")
    },
    "report.page.returns_section.returns_section": DRAWN,
    "report.page.metric_charts.run_levels": DRAWN,
    "report.page.metric_charts.metric_groups": DRAWN,
    "report.page.metric_charts.metric_line": DRAWN,
    "report.page.labels.run_labels": DRAWN,
    "report.page.summary.summarise_run": DRAWN,
    "report.page.summary.newest_evaluations": "any evaluations have an answer, none, too",
    "report.page.summary.number": "any number has an answer",
    "report.page.summary.duration": "any number has an answer",
    "report.page.write.render": DRAWN,
    "report.page.media_sections.media_sections": PLAYED,
    "report.page.media_sections.open_loop_section": PLAYED,
    "report.page.media_sections.wants_section": PLAYED,
    "report.page.media_figures.open_loop_figures": "draws what `dream` has made",
    "report.page.media_figures.wanted_figures": "draws what `watch` has made",
    "report.page.media_figures.reward_group": "draws what `watch` has made",
    "report.page.dreams.dream": "checks what `open_env`, `collect_episodes` and `predict` check",
    "report.page.charts.is_empty": "any chart has an answer",
    "report.page.charts.short_number": "any number has an answer",
    "report.page.layout.figure_of": "checks what `draw` checks",
    "report.page.layout.group_of": "without charts there is no group",
    "report.page.svg.draw_svg": "takes what `draw` has checked",
    "report.page.svg.number_ids": "any text has an answer",
    "report.return_curve.moving_means": "without episodes there are no curves",
    "report.return_curve.mean_over_seeds": "None where there is no mean",
    "report.page.media.video_html": "any bytes have an answer",
    "report.page.media.picture_html": "any bytes have an answer",
    "report.page.picture_grid.to_rgb": "any channels have an answer",
    "report.page.picture_grid.png": "checked by Pillow",
}
