"""Published Atari100k scores, and what a score means beside them (docs/algorithm.md, section 8)."""

import csv
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

COLUMNS = ("random", "human", "simple", "twm", "iris", "dreamerv3", "hieros")


@cache
def published_scores() -> MappingProxyType[str, Any]:
    """Return game -> column -> score of the table in the Hieros paper's slides (sources: NOTICE)."""
    text = files("hieros_eqx.report").joinpath("data/published_scores.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    table = {row["game"]: MappingProxyType({name: float(row[name]) for name in COLUMNS}) for row in rows}
    return MappingProxyType(table)


def human_normalised(game: str, score: float) -> float | None:
    """Return `(score - random) / (human - random)`, or None for a game that is not in the table."""
    row = published_scores().get(game)
    if row is None:
        return None
    return (score - row["random"]) / (row["human"] - row["random"])
