"""`scores` in the terminal and in files."""

import csv
import io

import pytest

from tests.report.made_runs import make_run


@pytest.fixture
def runs(empty_directory):
    make_run(empty_directory / "runs" / "boxing", "Boxing", {0: 6.0, 1: 12.0})
    return make_run(empty_directory / "runs" / "pong", "Pong", {0: -21.0, 1: 15.0}).parent


def test_the_published_columns_alone(run):
    lines = run("scores").out.splitlines()
    row = next(line for line in lines if line.split()[:1] == ["PrivateEye"])
    assert row.split()[1:8] == ["25", "69571", "35", "86", "100", "882", "1507"]
    assert any("training score" in line.replace("\n", " ") for line in lines) or "training" in "".join(lines)
    assert not any("Ours" in line for line in lines)
    mean = [line.split()[1:6] for line in lines if line.split()[:1] == ["Mean"]]
    assert mean[:2] == [["34", "96", "105", "112", "120"], ["33.6", "93.9", "108.0", "114.4", "120.2"]]


def test_runs_beside_them(run, runs):
    result = run("scores", runs)
    boxing = next(line for line in result.out.splitlines() if line.split()[:1] == ["Boxing"])
    assert boxing.rstrip().endswith("9 [6, 12]")
    assert "recomputed over 2 of 25 games" in result.out
    assert "Probability of improvement" in result.out
    assert "…" not in result.out, "nothing is cut off"
    assert run("scores", runs / "boxing", runs / "pong").out == result.out


@pytest.mark.parametrize(("suffix", "format_"), [(".csv", "csv"), (".md", "markdown"), (".tex", "latex")])
def test_files(run, runs, suffix, format_):
    result = run("scores", runs, "--out", f"table{suffix}")
    assert (result.code, result.out) == (0, "")
    text = (runs.parent / f"table{suffix}").read_text()
    assert text == run("scores", runs, "--format", format_).out
    if format_ == "csv":
        rows = {(row["table"], row["row"], row["column"]): row for row in csv.DictReader(io.StringIO(text))}
        assert rows["scores", "Boxing", "Ours"]["low"] == "6.0"
    else:
        assert "9 [6, 12]" in text


def test_a_file_of_what_the_terminal_shows(run, runs):
    run("scores", "--out", "table.txt")
    assert (runs.parent / "table.txt").read_text() == run("scores").out


def test_csv_has_its_notes_beside_it(run, empty_directory):
    path = make_run(empty_directory / "boxing", "Boxing", {0: 6.0}, episodes=10)
    result = run("scores", path, "--format", "csv")
    assert result.err == "note: ours: fewer episodes of a seed than the protocol's 100: Boxing 10\n"


def test_a_run_that_was_never_evaluated(refused, empty_directory):
    path = make_run(empty_directory / "boxing", "Boxing", {0: None})
    assert f"do it with `hieros-eqx eval {path} --episodes 100`" in refused("scores", path)
