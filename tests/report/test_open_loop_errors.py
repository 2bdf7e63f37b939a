import jax
import numpy as np
import pytest

from hieros_eqx.report.open_loop_errors import (
    OpenLoop,
    open_loop,
    squared_error,
    summarise,
)
from tests.report.toy_world_model import HORIZON, LENGTHS, STARTS, ToyWorldModel, play

KEY = jax.random.key(3)


def test_a_perfect_model_makes_no_error():
    """Recorded actions, carried latents and true pictures are aligned: one step off would show."""
    result = open_loop(ToyWorldModel(), play(LENGTHS), STARTS, HORIZON, KEY, samples=2)
    assert result.model.shape == (HORIZON, len(STARTS))
    np.testing.assert_array_equal(result.model, 0)
    np.testing.assert_array_equal(result.model_mean, 0)
    np.testing.assert_array_equal(result.posterior, 0)


def test_repeat_and_motion_against_loops():
    episodes = play(LENGTHS)
    result = open_loop(ToyWorldModel(), episodes, STARTS, HORIZON, KEY, samples=2)
    for i, (e, t) in enumerate(STARTS):
        frames = episodes[e].observation
        motion = np.mean(
            [abs(int(a) - int(b)) / 255 for a, b in zip(frames[t + 5].flat, frames[t].flat, strict=True)]
        )
        np.testing.assert_allclose(result.motion[i], motion, rtol=1e-12)
        for step in range(1, HORIZON + 1):
            pairs = zip(frames[t].flat, frames[t + step].flat, strict=True)
            oracle = np.mean([((int(a) - int(b)) / 255) ** 2 for a, b in pairs])
            np.testing.assert_allclose(result.repeat[step - 1, i], oracle, rtol=1e-6)  # float32 squares


def test_mean_of_samples_beats_one_sample_by_their_variance():
    """Noise of +-3 in one of three channels: one sample errs by (3/255)^2 / 3, the mean by less."""
    model = ToyWorldModel(dizzy=3.0)
    # The first steps of an episode would count below zero.
    result = open_loop(model, play(LENGTHS), STARTS[1:4], HORIZON, KEY, samples=8)
    np.testing.assert_allclose(result.model[:, 2], (3 / 255) ** 2 / 3, rtol=1e-5)
    assert result.model_mean.mean() < 0.4 * result.model.mean()  # 1/8 on average
    assert result.model_mean.mean() > 0


def test_errors_of_what_is_no_picture_are_refused():
    episodes = [play([9])[0]._replace(observation=np.zeros((9, 4), np.float32))]
    with pytest.raises(ValueError, match="wanted uint8"):
        open_loop(ToyWorldModel(), episodes, np.array([[0, 0]]), HORIZON, KEY)


def test_squared_error_is_of_pixels_in_zero_to_one():
    truth = np.zeros((2, 3, 4, 5, 3), np.uint8)
    prediction = truth.copy()
    prediction[1, 2, 0, 0, 0] = 255
    expected = np.zeros((2, 3))
    expected[1, 2] = 1 / 60
    np.testing.assert_allclose(squared_error(prediction, truth), expected)


def test_summary_compares_pairs_on_all_and_on_the_moving_half():
    motion = np.array([0.1, 0.5, 0.0, 0.9, 0.2])
    repeat = np.stack([motion, 2 * motion])
    result = OpenLoop(repeat - 0.01, repeat - 0.02, repeat, repeat / 2, motion)
    np.testing.assert_array_equal(result.moving, [1, 3])
    np.testing.assert_array_equal(result.at_motion((1.0, 0.5, 0.0)), [3, 4, 2])
    summary = summarise(result, (1, 2), resamples=200)
    assert summary["all"]["starts"] == 5
    assert summary["moving_half"]["starts"] == 2
    at = summary["moving_half"]["step_2"]
    np.testing.assert_allclose(at["repeat"], 1.4)
    np.testing.assert_allclose(at["posterior"], 0.7)
    # The starts differ much, the differences not at all: only pairs show it.
    np.testing.assert_allclose(at["model_minus_repeat"], -0.01, rtol=1e-9)
    np.testing.assert_allclose(at["model_mean_minus_repeat"], -0.02, rtol=1e-9)
