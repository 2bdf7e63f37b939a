"""What others published of Atari100k: scores, their aggregates, scores of single seeds (sources: NOTICE)."""

import csv
from functools import cache
from importlib.resources import files
from types import MappingProxyType

COLUMNS = ("random", "human", "simple", "twm", "iris", "dreamerv3", "hieros")
AGENTS = COLUMNS[2:]
LABELS = MappingProxyType(
    {
        "random": "Random",
        "human": "Human",
        "simple": "SimPLe",
        "twm": "TWM",
        "iris": "IRIS",
        "dreamerv3": "DreamerV3",
        "hieros": "Hieros",
        "dreamerv3_2024": "DreamerV3 2024, training score, last 40k frames",
    }
)
"""Of every column, as it is shown."""


@cache
def published_scores() -> MappingProxyType[str, MappingProxyType[str, float]]:
    """Return game -> column -> score of the table in the Hieros paper's slides, 25 games."""
    rows = _read("published_scores.csv")
    return MappingProxyType(
        {row["game"]: MappingProxyType({name: float(row[name]) for name in COLUMNS}) for row in rows}
    )


@cache
def published_aggregates() -> MappingProxyType[str, MappingProxyType[str, float]]:
    """Return aggregate -> column -> human-normalised value in % as the same table prints it.

    What is printed as `N/A` is left out.
    """
    rows = _read("published_aggregates.csv")
    return MappingProxyType(
        {
            row["aggregate"]: MappingProxyType({name: float(row[name]) for name in COLUMNS if row[name]})
            for row in rows
        }
    )


@cache
def dreamerv3_seeds() -> MappingProxyType[str, tuple[float, ...]]:
    """Return game -> training score of every seed of DreamerV3 (2024) over the last 40,000 frames, 26 games.

    These are means of episodes met while training, not of an evaluation.
    """
    scores: dict[str, list[float]] = {}
    for row in _read("dreamerv3_2024_seeds.csv"):
        scores.setdefault(row["game"], []).append(float(row["score_last_40k_frames"]))
    return MappingProxyType({game: tuple(own) for game, own in scores.items()})


@cache
def reference_scores() -> MappingProxyType[str, tuple[float, float]]:
    """Return game -> (random play, human) of 26 games: of the table, and of UpNDown, which it lacks."""
    table = {game: (row["random"], row["human"]) for game, row in published_scores().items()}
    for row in _read("up_n_down.csv"):
        table[row["game"]] = (float(row["random"]), float(row["human"]))
    return MappingProxyType(table)


def human_normalised(game: str, score: float) -> float | None:
    """Return `(score - random) / (human - random)`, or None for a game without reference scores."""
    if game not in reference_scores():
        return None
    random, human = reference_scores()[game]
    return (score - random) / (human - random)


def _read(name: str) -> list[dict[str, str]]:
    text = files("hieros_eqx.report").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
