"""What others published, as it is written down in the package."""

import statistics

import pytest

from hieros_eqx.envs.names import ATARI100K_GAMES, SLIDES_GAMES
from hieros_eqx.report.published import (
    AGENTS,
    LABELS,
    dreamerv3_seeds,
    human_normalised,
    published_aggregates,
    published_scores,
    reference_scores,
)


def test_the_published_table():
    assert tuple(published_scores()) == SLIDES_GAMES
    row = published_scores()["Krull"]
    assert human_normalised("Krull", row["random"]) == 0
    assert human_normalised("Krull", row["human"]) == 1
    assert human_normalised("Tetris", 3.0) is None


def test_up_n_down_has_reference_scores_and_no_row():
    assert tuple(reference_scores()) == ATARI100K_GAMES
    assert human_normalised("UpNDown", 11693.2) == 1
    assert "UpNDown" not in published_scores()


def test_the_published_aggregates():
    table = published_aggregates()
    assert tuple(table) == ("mean", "median", "iqm", "optimality_gap")
    assert table["median"]["twm"] == 50
    assert "dreamerv3" not in table["iqm"], "printed as N/A"
    means = {
        name: statistics.fmean(human_normalised(g, row[name]) for g, row in published_scores().items())
        for name in AGENTS
    }
    assert {name for name in AGENTS if abs(100 * means[name] - table["mean"][name]) < 3.1} == set(AGENTS)
    assert 100 * means["hieros"] == pytest.approx(120.2, abs=0.05)


def test_seeds_of_dreamerv3():
    seeds = dreamerv3_seeds()
    assert sorted(seeds) == sorted(ATARI100K_GAMES)
    assert {len(own) for own in seeds.values()} == {5}
    assert seeds["BankHeist"] == (207.692, 227.692, 155.833, 232.727, 778.333)
    assert "training score" in LABELS["dreamerv3_2024"]
