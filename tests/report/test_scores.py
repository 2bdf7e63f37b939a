"""Aggregates of scores against their definitions, and intervals against what must hold of them."""

import numpy as np
import pytest

from hieros_eqx.report.scores import aggregate, probability_of_improvement


def games(table):
    return {f"game{i}": list(row) for i, row in enumerate(table)}


def test_definitions(rng):
    table = rng.gamma(1.0, size=(5, 4))
    got = aggregate(games(table), resamples=50)
    by_game = [sum(row) / 4 for row in table]
    everything = sorted(x for row in table for x in row)
    assert got["mean"].value == pytest.approx(sum(by_game) / 5)
    assert got["median"].value == pytest.approx(sorted(by_game)[2])
    assert got["iqm"].value == pytest.approx(sum(everything[5:15]) / 10)
    missing = sum(max(0, 1 - x) for x in everything) / 20
    assert got["optimality_gap"].value == pytest.approx(missing)
    assert all(x.low < x.value < x.high for x in got.values())


def test_seeds_are_resampled_within_games_and_games_are_not():
    """Games differ, seeds do not: nothing is uncertain."""
    got = aggregate(games(np.repeat([[0.1], [5.0], [0.7]], 3, axis=1)), resamples=200)
    for found in got.values():
        assert found.low == pytest.approx(found.value) == found.high


def test_the_interval_of_a_mean_is_the_textbook_one(rng):
    table = rng.normal([[0.0], [10.0], [100.0]], 1.0, size=(3, 100))
    found = aggregate(games(table))["mean"]
    half = 1.96 * np.sqrt((table.var(axis=1) / 100).sum()) / 3
    assert found.low == pytest.approx(found.value - half, abs=0.06 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.06 * half)


def test_one_seed_has_no_interval():
    found = aggregate({"a": [0.5], "b": [1.5]})
    assert found["mean"] == (1.0, None, None)
    assert found["median"].value == 1.0


def test_probability_of_improvement(rng):
    assert probability_of_improvement({"a": [2.0, 3.0]}, {"a": [0.0, 1.0]}) == (1.0, 1.0, 1.0)
    assert probability_of_improvement({"a": [1.0, 1.0]}, {"a": [1.0, 1.0]}).value == 0.5
    ours, theirs = rng.normal(size=(3, 4)), rng.normal(size=(3, 6))
    pairs = [a > b for x, y in zip(ours, theirs, strict=True) for a in x for b in y]
    found = probability_of_improvement(games(ours), games(theirs))
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.low < found.value < found.high


def test_games_are_matched_by_name():
    assert probability_of_improvement({"a": [2.0], "b": [0.0]}, {"b": [1.0], "a": [1.0]}).value == 0.5
    assert probability_of_improvement({"a": [2.0], "b": [2.0]}, {"b": [1.0], "a": [3.0]}).value == 0.5


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({}, "no games"),
        ({"a": []}, "at least one score"),
        (
            {"a": [1.0] * 97, "b": [1.0] * 89},
            "about equally many seeds of every game, got {'a': 97, 'b': 89}",
        ),
        ({"a": [float("nan")]}, "finite"),
    ],
)
def test_scores_that_cannot_be_joined(scores, words):
    with pytest.raises(ValueError, match=words):
        aggregate(scores)


def test_other_games_and_impossible_intervals():
    with pytest.raises(ValueError, match="one side alone: a, b"):
        probability_of_improvement({"a": [1.0]}, {"b": [1.0]})
    with pytest.raises(ValueError, match="at least 1 resample"):
        aggregate({"a": [1.0, 2.0]}, resamples=0)


def test_games_weigh_the_same_however_many_seeds_they_have(rng):
    """Every score of a game of two seeds three times, of a game of three twice: the same aggregates."""
    scores = {"a": [*rng.gamma(1.0, size=2)], "b": [*rng.gamma(1.0, size=3)]}
    alike = {"a": scores["a"] * 3, "b": scores["b"] * 2}
    got, wanted = aggregate(scores, resamples=200), aggregate(alike, resamples=50)
    for name in got:
        assert got[name].value == pytest.approx(wanted[name].value)
        assert got[name].low < got[name].value < got[name].high
    everything = sorted(alike["a"] + alike["b"])
    assert got["iqm"].value == pytest.approx(sum(everything[3:9]) / 6)
    assert aggregate({"a": [1.0, 2.0], "b": [1.0]})["mean"] == (1.25, None, None)
