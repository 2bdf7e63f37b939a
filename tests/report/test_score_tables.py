"""The benchmark's tables in numbers and as text."""

import csv
import io
import statistics

import numpy as np
import pytest

from hieros_eqx.envs.names import SLIDES_GAMES
from hieros_eqx.report.published import AGENTS, dreamerv3_seeds, human_normalised, published_scores
from hieros_eqx.report.score_tables import Cell, Table, make_tables
from hieros_eqx.report.score_text import cell_texts, to_csv, to_latex, to_markdown

SOME = {"Boxing": (6.0, 12.0), "Pong": (-21.0, 15.0), "Krull": (1598.0, 2666.0)}


def tables(ours, **options):
    return {table.name: table for table in make_tables(ours, **{"resamples": 200, **options})}


@pytest.fixture(scope="module")
def alone():
    return tables({})


@pytest.fixture(scope="module")
def some():
    return tables(SOME)


def normalised(column, games=SLIDES_GAMES):
    return [100 * human_normalised(game, published_scores()[game][column]) for game in games]


def test_the_published_columns_alone(alone):
    assert list(alone) == ["scores", "published", "recomputed_25", "recomputed_26"]
    assert len(alone["scores"].rows) == 26
    assert alone["scores"].rows["Krull"]["hieros"] == Cell(8130.0)
    assert "ours" not in alone["scores"].columns
    table = alone["recomputed_25"]
    assert table.title.endswith("25 of 25 games")
    for column in AGENTS:
        assert table.rows["Mean"][column].value == pytest.approx(statistics.fmean(normalised(column)))
        assert table.rows["Median"][column].value == pytest.approx(statistics.median(normalised(column)))
        middle = sorted(normalised(column))[6:19]
        assert table.rows["Interquartile mean"][column].value == pytest.approx(statistics.fmean(middle))
        assert table.rows["Mean"][column].low is None, "an interval needs seeds"
    seeds = table.rows["Mean"]["dreamerv3_2024"]
    assert seeds.low < seeds.value < seeds.high
    assert seeds.seeds == 5


def test_what_was_published_stands_as_it_was(alone):
    rows = alone["published"].rows
    assert [rows["Mean"][name].value for name in AGENTS] == [34, 96, 105, 112, 120]
    assert "dreamerv3" not in rows["Optimality gap"]
    (note,) = alone["published"].notes
    assert "medians of TWM 50 (39.8), IRIS 29 (30.8), DreamerV3 49 (34.0); IQM of SimPLe 13 (20.5)" in note
    assert "Hieros 56" not in note, "the median of Hieros follows from its scores"


def test_nothing_is_filled_in(alone):
    assert set(alone["scores"].rows["UpNDown"]) == {"random", "human", "dreamerv3_2024"}
    table = alone["recomputed_26"]
    assert all(set(row) == {"dreamerv3_2024"} for row in table.rows.values())
    assert table.notes[-1] == "Without a score of UpNDown: SimPLe, TWM, IRIS, DreamerV3, Hieros."


def test_every_column_is_over_our_games(some):
    assert list(some) == ["scores", "published", "recomputed_25", "improvement"]
    table = some["recomputed_25"]
    assert table.title.endswith("3 of 25 games")
    assert table.notes[0] == "Every column is over Boxing, Krull, Pong."
    ours = table.rows["Mean"]["ours"]
    assert ours.value == pytest.approx(statistics.fmean([50, 100, 0, 100, 0, 100]))
    assert ours.low < ours.value < ours.high
    assert table.rows["Mean"]["hieros"].value == pytest.approx(statistics.fmean(normalised("hieros", SOME)))
    mean = statistics.fmean(human_normalised(g, x) for g in SOME for x in dreamerv3_seeds()[g])
    assert table.rows["Mean"]["dreamerv3_2024"].value == pytest.approx(100 * mean)
    assert some["scores"].rows["Boxing"]["ours"] == Cell(9.0, 6.0, 12.0, 2)
    assert "ours" not in some["scores"].rows["Alien"]


def test_the_probability_of_improvement(some):
    pairs = [a > b for g in SOME for a in SOME[g] for b in dreamerv3_seeds()[g]]
    assert sum(pairs) == 5, "Pong's second seed alone is better, than all five"
    cell = some["improvement"].rows["DreamerV3 2024, training score, last 40k frames"]["ours"]
    assert cell.value == pytest.approx(100 * np.mean(pairs))
    assert some["improvement"].title.endswith("over 3 games")


def test_unequal_seeds_are_told():
    table = tables({"Boxing": (6.0, 12.0, 0.0), "Pong": (15.0,)})["recomputed_25"]
    assert table.rows["Mean"]["ours"] == (pytest.approx(75.0), None, None, 1)
    note = next(note for note in table.notes if note.startswith("Ours"))
    assert (
        "(Boxing 3, Pong 1); every game weighs the same. No interval, for there is one seed of Pong" in note
    )


def test_26_games():
    found = tables({"UpNDown": (11693.2,), "Pong": (15.0,), "Tetris": (4.0,)})
    assert found["recomputed_25"].title.endswith("1 of 25 games")
    table = found["recomputed_26"]
    assert table.title.endswith("2 of 26 games")
    assert table.rows["Mean"]["ours"].value == pytest.approx(100.0)
    assert "hieros" not in table.rows["Mean"]
    assert found["scores"].rows["Tetris"] == {"ours": Cell(4.0, seeds=1)}
    assert found["scores"].notes[-1].endswith("in no aggregate: Tetris.")
    assert "recomputed_25" not in tables({"UpNDown": (1.0,)})
    assert list(tables({"Tetris": (1.0,)})) == ["scores", "published"]


def test_a_game_without_a_score():
    with pytest.raises(ValueError, match="at least one score of every game, got none of Pong"):
        make_tables({"Pong": ()})


TABLE = Table(
    name="t",
    title="A & B in %",
    corner="Row",
    columns={"a": "First", "b": "Second_2"},
    rows={"x": {"a": Cell(1234.56, 1000.0, 2000.4, 5)}, "y": {"a": Cell(-0.04), "b": Cell(12.34, seeds=1)}},
    notes=("50% of it",),
)


def test_cells():
    assert cell_texts(TABLE) == [["x", "1235 [1000, 2000]", "-"], ["y", "0", "12.3"]]
    assert cell_texts(TABLE._replace(decimals=1))[1] == ["y", "0.0", "12.3"]


def test_csv_holds_every_number_that_is_known(some):
    assert to_csv([TABLE]).splitlines() == [
        "table,row,column,value,low,high,seeds",
        "t,x,First,1234.56,1000.0,2000.4,5",
        "t,y,First,-0.04,,,",
        "t,y,Second_2,12.34,,,1",
    ]
    rows = list(csv.DictReader(io.StringIO(to_csv(list(some.values())))))
    (krull,) = [
        row for row in rows if (row["table"], row["row"], row["column"]) == ("scores", "Krull", "Ours")
    ]
    assert (float(krull["value"]), krull["seeds"]) == (2132.0, "2")
    assert len(rows) == sum(len(row) for table in some.values() for row in table.rows.values())


def test_markdown():
    assert to_markdown([TABLE]).splitlines() == [
        "### A & B in %",
        "",
        "| Row | First | Second_2 |",
        "| --- | ---: | ---: |",
        "| x | 1235 [1000, 2000] | - |",
        "| y | 0 | 12.3 |",
        "",
        "- 50% of it",
    ]


def test_latex():
    text = to_latex([TABLE])
    assert r"\caption{A \& B in \%}" in text
    assert r"Row & First & Second\_2 \\" in text
    assert r"x & 1235 [1000, 2000] & -- \\" in text
    assert r"\footnotesize 50\% of it" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
