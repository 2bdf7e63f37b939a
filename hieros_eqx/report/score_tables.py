"""The tables of the benchmark: scores of every game and aggregates, ours beside the published ones.

A number that nobody published or measured has no cell: nothing is filled in.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hieros_eqx.envs.names import ATARI100K_GAMES, SLIDES_GAMES
from hieros_eqx.report.intervals import bootstrap
from hieros_eqx.report.published import (
    AGENTS,
    COLUMNS,
    LABELS,
    dreamerv3_seeds,
    human_normalised,
    published_aggregates,
    published_scores,
    reference_scores,
)
from hieros_eqx.report.scores import aggregate, probability_of_improvement

Scores = Mapping[str, Sequence[float]]
"""Game -> one score per seed."""

OURS, RIVAL = "ours", "dreamerv3_2024"
AGGREGATE_LABELS = {
    "mean": "Mean",
    "median": "Median",
    "iqm": "Interquartile mean",
    "optimality_gap": "Optimality gap",
}
NOTICEABLE = 1.0  # percentage points between a published aggregate and the table's, beyond rounding


class Cell(NamedTuple):
    """A number with its interval and the number of seeds behind it; None where seeds are not known."""

    value: float
    low: float | None = None
    high: float | None = None
    seeds: int | None = None


class Table(NamedTuple):
    """Rows of cells under named columns; a cell that is absent is not known."""

    name: str
    """Short, for files."""
    title: str
    corner: str
    """What the rows are."""
    columns: Mapping[str, str]
    """Column -> label."""
    rows: Mapping[str, Mapping[str, Cell]]
    """Label of a row -> column -> cell."""
    notes: tuple[str, ...] = ()
    decimals: int | None = None
    """Digits after the point; None: one below 1,000 where it is not 0."""


def make_tables(ours: Scores, *, resamples: int = 10_000) -> list[Table]:
    """Return scores, published and recomputed aggregates and, with ours, the probability of improvement.

    Aggregates are over the games that are in `ours`; without any, over all that are published. Raises
    `ValueError` for a game without a score.
    """
    empty = [game for game, own in ours.items() if not len(own)]
    if empty:
        raise ValueError(f"wanted at least one score of every game, got none of {', '.join(empty)}.")
    columns = {name: LABELS[name] for name in (*AGENTS, RIVAL)} | ({OURS: "Ours"} if ours else {})
    covered = set(ours) if ours else set(ATARI100K_GAMES)
    first = [game for game in SLIDES_GAMES if game in covered]
    second = [game for game in ATARI100K_GAMES if game in covered]
    tables = [_score_table(ours, columns, resamples), _published_table()]
    if first:
        tables.append(_aggregate_table("25", first, SLIDES_GAMES, ours, columns, resamples))
    if second != first:
        tables.append(_aggregate_table("26", second, ATARI100K_GAMES, ours, columns, resamples))
    rival = [game for game in second if game in dreamerv3_seeds()]
    if ours and rival:
        tables.append(_improvement_table({game: ours[game] for game in rival}))
    return tables


def _score_table(ours: Scores, columns: Mapping[str, str], resamples: int) -> Table:
    others = sorted(set(ours) - set(ATARI100K_GAMES))
    rows = {}
    for game in (*ATARI100K_GAMES, *others):
        row = {name: Cell(value) for name, value in published_scores().get(game, {}).items()}
        if game in reference_scores():
            row |= {name: Cell(x) for name, x in zip(COLUMNS, reference_scores()[game], strict=False)}
        for name, scores in ((RIVAL, dreamerv3_seeds()), (OURS, ours)):
            if game in scores:
                row[name] = _over_seeds(scores[game], resamples)
        rows[game] = row
    notes = [
        "In brackets: 95 % bootstrap intervals over seeds, where there are several.",
        "UpNDown has no row in the published table; its random and human scores are of arXiv 1511.06581.",
    ]
    if others:
        notes.append(f"Without random and human scores, so in no aggregate: {', '.join(others)}.")
    labels = {name: LABELS[name] for name in COLUMNS[:2]} | dict(columns)
    return Table("scores", "Scores: mean return of an episode", "Game", labels, rows, tuple(notes))


def _over_seeds(scores: Sequence[float], resamples: int) -> Cell:
    values = np.array(list(scores), np.float64)
    if len(values) == 1:
        return Cell(float(values[0]), seeds=1)
    return Cell(*bootstrap(values, resamples=resamples), seeds=len(values))


def _published_table() -> Table:
    rows = {
        AGGREGATE_LABELS[name]: {column: Cell(row[column]) for column in AGENTS if column in row}
        for name, row in published_aggregates().items()
    }
    title = "Human-normalised aggregates in %, as published for 25 games"
    columns = {name: LABELS[name] for name in AGENTS}
    return Table("published", title, "Aggregate", columns, rows, (_disagreements(),))


def _disagreements() -> str:
    """Say which published aggregates do not follow from the published scores."""
    found: dict[str, list[str]] = {"median": [], "iqm": []}
    for name, own in found.items():
        for column in AGENTS:
            printed = published_aggregates()[name].get(column)
            computed = 100 * aggregate(_normalised(_published(column), SLIDES_GAMES))[name].value
            if printed is not None and abs(printed - computed) > NOTICEABLE:
                own.append(f"{LABELS[column]} {printed:g} ({computed:.1f})")
    listed = f"medians of {', '.join(found['median'])}; IQM of {', '.join(found['iqm'])}"
    return (
        "Several of these do not follow from the published scores of single games, which give what is in "
        f"parentheses: {listed}. An IQM over runs cannot be had from means over runs."
    )


def _aggregate_table(
    name: str,
    games: Sequence[str],
    whole: Sequence[str],
    ours: Scores,
    columns: Mapping[str, str],
    resamples: int,
) -> Table:
    """Return the aggregates over some games for every column that has all of them."""
    sources: dict[str, Scores] = {column: _published(column) for column in AGENTS}
    sources |= {RIVAL: dreamerv3_seeds(), OURS: ours}
    rows: dict[str, dict[str, Cell]] = {label: {} for label in AGGREGATE_LABELS.values()}
    notes: list[str] = []
    lacking = {column: [game for game in games if game not in sources[column]] for column in columns}
    for column in columns:
        scores = sources[column]
        if lacking[column]:
            continue
        counts = {len(scores[game]) for game in games}
        seeds = min(counts) if column in (RIVAL, OURS) else None
        for key, found in aggregate(_normalised(scores, games), resamples=resamples).items():
            bounds = (None if x is None else 100 * x for x in (found.low, found.high))
            rows[AGGREGATE_LABELS[key]][column] = Cell(100 * found.value, *bounds, seeds=seeds)
        if column == OURS:
            notes += _seed_notes({game: len(scores[game]) for game in games})
    title = f"Human-normalised aggregates in %, recomputed over {len(games)} of {len(whole)} games"
    if len(games) < len(whole):
        notes.insert(0, f"Every column is over {', '.join(games)}.")
    without = [column for column in columns if lacking[column]]
    if without:
        listed = ", ".join(columns[column] for column in without)
        notes.append(f"Without a score of {', '.join(lacking[without[0]])}: {listed}.")
    return Table(f"recomputed_{name}", title, "Aggregate", columns, rows, tuple(notes), decimals=1)


def _seed_notes(seeds: Mapping[str, int]) -> list[str]:
    if len(set(seeds.values())) == 1:
        only = next(iter(seeds.values())) == 1
        return ["Ours has one seed of every game: no interval."] if only else []
    counts = ", ".join(f"{game} {count}" for game, count in seeds.items())
    single = [game for game, count in seeds.items() if count == 1]
    text = f"Ours has unequal numbers of seeds ({counts}); every game weighs the same."
    return [text + (f" No interval, for there is one seed of {', '.join(single)}." if single else "")]


def _improvement_table(ours: Scores) -> Table:
    found = probability_of_improvement(ours, {game: dreamerv3_seeds()[game] for game in ours})
    low, high = (None if x is None else 100 * x for x in (found.low, found.high))
    cell = Cell(100 * found.value, low, high, seeds=min(len(own) for own in ours.values()))
    title = f"Probability of improvement in %, over {len(ours)} game{'s' if len(ours) > 1 else ''}"
    note = (
        "How likely a run of ours scores above one of theirs on a game drawn at random; ties count half. "
        "Theirs are training scores, ours are evaluations. The other columns have no seeds."
    )
    row = {LABELS[RIVAL]: {OURS: cell}}
    return Table("improvement", title, "Over", {OURS: "Ours"}, row, (note,), decimals=1)


def _published(column: str) -> dict[str, tuple[float]]:
    return {game: (row[column],) for game, row in published_scores().items()}


def _normalised(scores: Scores, games: Iterable[str]) -> dict[str, list[float]]:
    """Return human-normalised scores of games that have reference scores."""
    normal = {game: [human_normalised(game, score) for score in scores[game]] for game in games}
    return {game: [x for x in own if x is not None] for game, own in normal.items()}
