"""Balls by memory and by picture agree on real games, and are counted right."""

import numpy as np
import pytest

from hieros_eqx.envs import make_env
from hieros_eqx.report.ball import (
    COURTS,
    LEAST_CONTRAST,
    ball_place,
    court_color,
    find_ball,
    recall,
)

STEPS = 200


@pytest.fixture(scope="module", params=COURTS)
def played(request):
    """A game, its pictures and its memory, played at random."""
    env, rng = make_env(game=request.param, num_envs=2, seed=3), np.random.default_rng(0)
    timestep, pictures, memory = env.reset(), [], []
    for _ in range(STEPS):
        pictures.append(timestep.observation.copy())
        memory.append(env.hidden.copy())
        fire = rng.random(2) < 0.2  # or Breakout never begins
        timestep = env.step(np.where(fire, 1, rng.integers(env.spaces.action.size, size=2)).astype(np.int32))
    env.close()
    return request.param, np.stack(pictures), np.stack(memory)


def test_every_ball_of_the_memory_is_in_the_picture(played):
    game, pictures, memory = played
    truth = ball_place(game, memory)
    assert truth.shape == (STEPS, 2, 2)
    assert np.isfinite(truth[..., 0]).mean() > 0.2
    found = find_ball(game, pictures, court_color(game, pictures[:, 0]))
    counted = recall(found, truth)
    assert counted["balls"] > 60
    assert counted["recall"] == 1.0
    # Where memory has a ball at the court's very edge, the picture may have it just inside.
    assert counted["drawn_without_ball"] < 0.2
    off = (found - truth)[np.isfinite(truth[..., 0])]
    assert np.abs(off.mean(axis=0)).max() < 0.2, "fitted to pixels"
    assert np.abs(off).max() < 1.5


def test_no_ball_in_an_empty_court(played):
    game, pictures, _ = played
    color = court_color(game, pictures[:, 0])
    empty = np.broadcast_to(color, (3, 64, 64, 3)).astype(np.uint8)
    assert np.isnan(find_ball(game, empty, color)).all()
    faint = empty.copy()
    faint[1, 40, 30, 0] += LEAST_CONTRAST - 1
    faint[2, 40, 30, 0] += LEAST_CONTRAST
    found = find_ball(game, faint, color)
    np.testing.assert_array_equal(np.isnan(found[:, 0]), [True, True, False])
    np.testing.assert_allclose(found[2], [30, 40])


def test_recall_against_counting_by_hand():
    nan = [np.nan, np.nan]
    truth = np.array([[10.0, 10], [10, 10], [10, 10], nan, nan])
    found = np.array([[11.0, 11], [10, 12.5], nan, [5, 5], nan])
    assert recall(found, truth) == {"balls": 3, "recall": 1 / 3, "drawn_without_ball": 1 / 2}
    several = recall(np.stack([found, truth]), truth)
    assert several["balls"] == 6 and several["recall"] == pytest.approx(4 / 6)
    assert recall(found[:3], truth[:3])["drawn_without_ball"] is None


def test_a_game_without_a_ball_is_refused():
    for call in (
        lambda: ball_place("Boxing", np.zeros((1, 128), np.uint8)),
        lambda: court_color("Boxing", np.zeros((1, 64, 64, 3), np.uint8)),
        lambda: find_ball("Boxing", np.zeros((1, 64, 64, 3), np.uint8), np.zeros(3)),
    ):
        with pytest.raises(ValueError, match="wanted a game with a ball, Pong or Breakout, got 'Boxing'"):
            call()
