"""docs/metrics.md names what a run logs: no more, no less, and every row says something."""

import re
from pathlib import Path

import pytest

from hieros_eqx.training import log

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
KINDS = ("extrinsic", "subgoal", "novelty")


def table(which):
    """Return (name, unit, meaning) of the rows of the table of metrics (0) or of episodes (1)."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("## The table")[2]
    return ROW.findall(text.split("\nOf an episode:\n")[which])


def pattern(name):
    """Return what a name of the table stands for in lines: `level0/train_step` as `level{i}/train_step`."""
    name = re.sub(r"^level\d+/", "level{i}/", name)
    name = re.sub(rf"/(?:{'|'.join(KINDS)})$", "/{kind}", name)
    return re.sub(r"perplexity_by_factor/\d+$", "perplexity_by_factor/{f}", name)


@pytest.mark.parametrize(("which", "file"), [(0, "metrics.jsonl"), (1, "episodes.jsonl")])
def test_the_table_names_what_a_run_logs(finished, which, file):
    logged = {pattern(name) for line in log.read(finished[1] / file) for name in line}
    named = [name for name, _, _ in table(which)]
    assert len(named) == len(set(named)), "each name once"
    assert set(named) - logged == set(), "named, but never logged"
    assert logged - set(named) == set(), "logged, but not named"


def test_every_row_has_a_unit_and_a_meaning():
    rows = [*table(0), *table(1)]
    assert len(rows) > 40
    assert all(unit.strip() and len(meaning.split()) >= 2 for _, unit, meaning in rows)


def test_every_kind_and_every_level_is_logged(finished):
    names = set().union(*log.read(finished[1] / "metrics.jsonl"))
    for kind in KINDS:
        assert {f"level0/behaviour/reward/{kind}", f"level1/behaviour/reward/{kind}"} <= names
