import re
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.page.summary import duration, number
from hieros_eqx.report.page.write import write_page
from tests.report import made_runs
from tests.report.page.run_directories import START, make_run, settings

SECTIONS = (
    "summary",
    "returns",
    "rewards",
    "world-model",
    "goals",
    "codes",
    "replay",
    "behaviour",
    "gradients",
)
VOID = ("meta", "link", "img", "br")


class Reader(HTMLParser):
    """Tags that are closed in order, ids, and text by section."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.figures, self.texts, self.section = [], [], 0, {}, ""

    def handle_starttag(self, tag, attrs):
        own = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in own:
            self.ids.append(own["id"])
        if tag == "section":
            self.section = own["id"]
        self.figures += tag == "figure"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, _, attrs):
        if "id" in dict(attrs):
            self.ids.append(dict(attrs)["id"])

    def handle_data(self, data):
        self.texts[self.section] = f"{self.texts.get(self.section, '')} {data.strip()}".strip()


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids)
    return reader


def page(tmp_path, *runs):
    return read(write_page(runs, tmp_path / "page.html", videos=False))


def test_the_page_of_a_run_of_two_levels(tmp_path, rng):
    path = write_page(
        [make_run(tmp_path / "run", settings(), rng)], tmp_path / "new" / "p.html", videos=False
    )
    seen = read(path)
    assert [name for name in seen.ids if name in SECTIONS] == list(SECTIONS)
    assert seen.figures == 47
    text = path.read_text(encoding="utf-8")
    assert text.count("<svg") == seen.figures + 1  # the returns are drawn for narrow screens, too
    assert path.stat().st_size < 600_000
    assert not re.search(r"https?://|<script|@import|url\((?!#)", text)
    assert [file.name for file in path.parent.iterdir()] == ["p.html"]


def test_the_summary_tells_where_a_run_comes_from(tmp_path, rng):
    config = settings(env_steps=400)
    text = page(tmp_path, make_run(tmp_path / "run", config, rng)).texts["summary"]
    for words in (
        "Finished, 400 environment steps",
        "2026-01-02 03:04 UTC",
        "2 \u00d7 cpu",
        "0123abc",
        "hieros-eqx train --game Boxing",
        "at step 120, 2026-01-02 04:04 UTC",
        "5.5 return, last 12 episodes",
        "4 steps per second",
        "2, a macro-step of 4",
    ):
        assert words in text or _swapped(words, text), words
    assert "Preset debug , unchanged" in text


def _swapped(words, text):
    """Facts stand as label, value."""
    value, _, label = words.partition(" ")
    return f"{label} {value}" in text


def test_fields_that_differ_from_the_preset(tmp_path, rng):
    text = page(tmp_path, make_run(tmp_path / "run", settings(env_steps=800), rng)).texts["summary"]
    assert "training.\u200benv_steps 400 800" in text
    assert "env.\u200bgame" not in text and "levels 3" not in text
    assert "Unfinished, 400 of 800 environment steps (50%)" in text


def test_one_level_of_several_seeds_with_vectors(tmp_path, rng):
    seen = page(tmp_path, make_run(tmp_path / "run", settings(1, (0, 1, 2), game=None), rng))
    assert "One level: nobody gives goals here." in seen.texts["goals"]
    assert "mean over seeds, 95 % interval" in seen.texts["returns"]
    assert "seed 2" in seen.texts["world-model"]
    assert "published" not in seen.texts["returns"]
    assert "own:factory" in seen.texts["summary"]


def test_published_scores_of_a_game(tmp_path, rng):
    text = page(tmp_path, make_run(tmp_path / "run", settings(), rng)).texts["returns"]
    assert "random play, published: 0" in text and "human, published: 12" in text
    text = page(tmp_path, make_run(tmp_path / "far", settings(game="Krull"), rng)).texts["returns"]
    assert "Published, off the chart: random play 1598, human 2666." in text


def test_a_run_that_has_logged_nothing_says_so(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng, lines=0, episodes=0, spaces=False, start=None)
    seen = page(tmp_path, path)
    assert seen.figures == 0
    assert "Nothing logged yet, of 400 environment steps." in seen.texts["summary"]
    assert "no episode of this run has ended" in seen.texts["returns"]
    for name in ("rewards", "world-model", "codes", "behaviour", "gradients"):
        assert "this run has logged no updates" in seen.texts[name], name
    assert "wanted a checkpoint, got none yet" in seen.texts["replay"]


def test_a_run_with_one_line_and_no_update(tmp_path, rng):
    seen = page(tmp_path, make_run(tmp_path / "run", settings(), rng, lines=1, episodes=1))
    assert seen.figures >= 1
    assert "Unfinished, 50 of 400" in seen.texts["summary"]


def test_a_run_that_was_stopped(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng)
    (path / "diagnosis.json").write_text("{}")
    assert "updates were not finite (diagnosis.json)" in page(tmp_path, path).texts["summary"]


def test_the_newest_evaluation_of_every_seed(tmp_path):
    path = made_runs.make_run(tmp_path / "run", "Boxing", {0: 4.0, 1: 7.0}, episodes=3)
    text = page(tmp_path, path).texts["summary"]
    assert "return, evaluation 5.5" in text
    for seed, mean, share in ((0, 4, "0.333"), (1, 7, "0.583")):  # random 0, human 12
        wanted = f"seed {seed}: mean {mean} [{mean}, {mean}], median {mean}, 3 episodes, at step 100,000"
        assert f"Evaluation {wanted}; human-normalised {share}" in text


def test_evaluations_that_cannot_be_read_are_named(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng)
    (path / "eval-old.json").write_text("{}")
    assert "eval-old.json: wanted an evaluation" in page(tmp_path, path).texts["summary"]


def test_runs_beside_each_other(tmp_path, rng):
    runs = [make_run(tmp_path / f"r{n}", settings(levels=n), rng) for n in (1, 2)]
    seen = page(tmp_path, *runs)
    assert "levels=1" in seen.texts["returns"] and "levels=2" in seen.texts["world-model"]
    assert "Level 1" in seen.texts["world-model"]
    assert seen.texts["summary"].count("Memory of the state") == 2


def test_what_files_say_is_escaped(tmp_path, rng):
    start = START | {"command": "<script>alert(1)</script>", "versions": [], "resumed": {}, "device": "x"}
    path = write_page(
        [make_run(tmp_path / "run", settings(), rng, start=start)], tmp_path / "p.html", videos=False
    )
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text


def test_metrics_that_were_not_finite(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng)
    text = (path / "metrics.jsonl").read_text().splitlines()
    text[-1] = re.sub(
        r'"level0/world_model/loss": [\d.]+', '"level0/world_model/loss": null, "nonfinite": ["x"]', text[-1]
    )
    (path / "metrics.jsonl").write_text("\n".join(text) + "\n")
    assert "1 logged values" in page(tmp_path, path).texts["summary"]


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="at least one run directory, got none"):
        write_page([], tmp_path / "p.html")
    with pytest.raises(CheckpointError, match=r"wanted a run directory with config\.json"):
        write_page([tmp_path], tmp_path / "p.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("seconds", "text"), [(52.3, "52 s"), (1440.0, "24 min"), (11_100.0, "3 h 05 min")])
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(-2.4, "\u22122.4"), (1234.5, "1,234"), (0.12345, "0.123")])
def test_numbers(value, text):
    assert number(np.float64(value)) == text


def test_the_templates_are_installed_with_the_package():
    settings_of = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "templates/*" in settings_of["tool"]["setuptools"]["package-data"]["hieros_eqx.report.page"]
    names = {file.name for file in files("hieros_eqx.report.page").joinpath("templates").iterdir()}
    assert {"page.html", "page.css"} <= names
