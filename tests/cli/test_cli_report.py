import numpy as np

from tests.report.page.run_directories import make_run, settings


def test_a_page_is_written_into_the_run(run, tmp_path):
    path = make_run(tmp_path / "run", settings(), np.random.default_rng(0))
    result = run("report", "run", "--no-videos")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("written to run/report.html (0.")
    assert (path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_runs_beside_each_other_in_a_file_of_ones_choice(run, tmp_path):
    for levels in (1, 2):
        make_run(tmp_path / f"r{levels}", settings(levels=levels), np.random.default_rng(0))
    result = run("report", "r1", "r2", "--out", "both.html")
    assert result.code == 0, result
    text = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "2 runs of Hieros beside each other" in text and "levels=2" in text


def test_wrong_directories(run, refused, tmp_path):
    assert "wanted a run directory with config.json" in refused("report", ".")
    assert "Missing argument 'RUN...'" in refused("report")
    make_run(tmp_path / "run", settings(), np.random.default_rng(0))
    (tmp_path / "run" / "metrics.jsonl").write_text("nonsense\n{}\n")
    assert "metrics.jsonl: is damaged" in refused("report", "run", "--no-videos")
    assert run("report", "run", "--out", "absent/page.html").code == 2
