import jax
import numpy as np
import pytest

from hieros_eqx.report.open_loop import (
    OpenLoop,
    observe_episode,
    open_loop,
    predict,
    squared_error,
    summarise,
)
from hieros_eqx.report.recording import pick_starts
from tests.report.toy_world_model import STRIDE, ToyWorldModel, play

LENGTHS, HORIZON = [19, 9, 26], 6
KEY = jax.random.key(3)


@pytest.fixture
def starts():
    return np.array([[0, 0], [2, 19], [1, 2], [0, 12], [2, 5]])


def test_a_perfect_model_makes_no_error(starts):
    """Recorded actions, carried latents and true pictures are aligned: one step off would show."""
    result = open_loop(ToyWorldModel(), play(LENGTHS), starts, HORIZON, KEY, samples=2)
    assert result.model.shape == (HORIZON, len(starts))
    np.testing.assert_array_equal(result.model, 0)
    np.testing.assert_array_equal(result.model_mean, 0)
    np.testing.assert_array_equal(result.posterior, 0)


def test_repeat_and_motion_against_loops(starts):
    episodes = play(LENGTHS)
    result = open_loop(ToyWorldModel(), episodes, starts, HORIZON, KEY, samples=2)
    for i, (e, t) in enumerate(starts):
        frames = episodes[e].observation
        motion = np.mean(
            [abs(int(a) - int(b)) / 255 for a, b in zip(frames[t + 5].flat, frames[t].flat, strict=True)]
        )
        np.testing.assert_allclose(result.motion[i], motion, rtol=1e-12)
        for step in range(1, HORIZON + 1):
            pairs = zip(frames[t].flat, frames[t + step].flat, strict=True)
            oracle = np.mean([((int(a) - int(b)) / 255) ** 2 for a, b in pairs])
            np.testing.assert_allclose(result.repeat[step - 1, i], oracle, rtol=1e-6)  # float32 squares


def test_mean_of_samples_beats_one_sample_by_their_variance(starts):
    """Noise of +-3 in one of three channels: one sample errs by (3/255)^2 / 3, the mean by less."""
    model = ToyWorldModel(dizzy=3.0)
    # The first steps of an episode would count below zero.
    result = open_loop(model, play(LENGTHS), starts[1:4], HORIZON, KEY, samples=8)
    np.testing.assert_allclose(result.model[:, 2], (3 / 255) ** 2 / 3, rtol=1e-5)
    assert result.model_mean.mean() < 0.4 * result.model.mean()  # 1/8 on average
    assert result.model_mean.mean() > 0


def test_predictions_do_not_depend_on_the_batch(starts):
    model = ToyWorldModel(dizzy=3.0)
    whole = next(predict(model, play(LENGTHS), starts, HORIZON, KEY, samples=3, batch=5))
    parts = list(predict(model, play(LENGTHS), starts, HORIZON, KEY, samples=3, batch=2))
    assert [p.last.shape[0] for p in parts] == [2, 2, 1]
    assert whole.imagined.shape == (HORIZON, 3, 5, 2, 2, 3)
    np.testing.assert_array_equal(np.concatenate([p.imagined for p in parts], axis=2), whole.imagined)
    np.testing.assert_array_equal(np.concatenate([p.posterior for p in parts], axis=1), whole.posterior)
    np.testing.assert_array_equal(np.concatenate([p.last for p in parts]), whole.last)


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_latents_are_carried_from_chunk_to_chunk(chunk):
    episode = play([11])[0]
    latent, pictures = observe_episode(ToyWorldModel(), episode, KEY, chunk=chunk)
    np.testing.assert_array_equal(latent.state[:, 0], np.arange(11))
    np.testing.assert_array_equal(pictures, episode.observation)


def test_a_start_whose_steps_run_out_is_refused():
    episodes = play(LENGTHS)
    next(predict(ToyWorldModel(), episodes, np.array([[1, 2]]), HORIZON, KEY))
    with pytest.raises(ValueError, match="wanted 6 steps after the start at time 3 of episode 1, got 5"):
        next(predict(ToyWorldModel(), episodes, np.array([[1, 3]]), HORIZON, KEY))


def test_errors_of_what_is_no_picture_are_refused():
    episodes = [play([9])[0]._replace(observation=np.zeros((9, 4), np.float32))]
    with pytest.raises(ValueError, match="wanted uint8"):
        open_loop(ToyWorldModel(), episodes, np.array([[0, 0]]), HORIZON, KEY)


def test_rewards_and_ends_are_predicted_beside(starts):
    """The reward after each step is that of the truth; only the last step of an episode ends it."""
    episodes = play(LENGTHS)
    last = np.array([[0, LENGTHS[0] - 1 - HORIZON]])
    whole = next(predict(ToyWorldModel(), episodes, np.concatenate([starts, last]), HORIZON, KEY, samples=2))
    assert whole.reward.shape == whole.ends.shape == (HORIZON, len(starts) + 1)
    assert whole.imagined_reward.shape == whole.imagined_continuation.shape == (HORIZON, 2, len(starts) + 1)
    np.testing.assert_allclose(whole.imagined_reward, np.repeat(whole.reward[:, None], 2, axis=1))
    e, t = starts[1]
    np.testing.assert_array_equal(whole.reward[:, 1], episodes[e].reward[t + 1 : t + 1 + HORIZON])
    np.testing.assert_array_equal(whole.imagined_continuation, 0.75)
    expected = np.zeros((HORIZON, len(starts) + 1), bool)
    expected[-1, -1] = True
    expected[-1, [i for i, (e, t) in enumerate(starts) if t + HORIZON == LENGTHS[e] - 1]] = True
    np.testing.assert_array_equal(whole.ends, expected)
    cut = [episode._replace(terminal=False) for episode in episodes]
    assert not next(predict(ToyWorldModel(), cut, last, HORIZON, KEY)).ends.any()


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
    summary = summarise(result, (1, 2), resamples=200)
    assert summary["all"]["starts"] == 5
    assert summary["moving_half"]["starts"] == 2
    at = summary["moving_half"]["step_2"]
    np.testing.assert_allclose(at["repeat"], 1.4)
    np.testing.assert_allclose(at["posterior"], 0.7)
    # The starts differ much, the differences not at all: only pairs show it.
    np.testing.assert_allclose(at["model_minus_repeat"], -0.01, rtol=1e-9)
    np.testing.assert_allclose(at["model_mean_minus_repeat"], -0.02, rtol=1e-9)


def test_starts_are_spread_and_leave_room():
    episodes = play(LENGTHS)  # 13, 3 and 20 starts qualify
    picked = pick_starts(episodes, 12, HORIZON, np.random.default_rng(0))
    assert len({tuple(x) for x in picked}) == 12
    position = picked[:, 1] + np.array([0, 13, 16])[picked[:, 0]]
    np.testing.assert_array_equal(position // 3, np.arange(12))  # one in every twelfth of 36
    every = pick_starts(episodes, 36, HORIZON, np.random.default_rng(0))
    expected = [(e, t) for e, length in enumerate(LENGTHS) for t in range(length - HORIZON)]
    assert [tuple(x) for x in every] == expected
    with pytest.raises(ValueError, match="wanted 37 starts, got steps for 36"):
        pick_starts(episodes, 37, HORIZON, np.random.default_rng(0))


def test_stride_is_seen():
    assert play([30])[0].observation[-1, 0, 0, 0] >= STRIDE
