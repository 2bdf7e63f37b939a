import jax
import numpy as np
import pytest

from hieros_eqx.report.open_loop import (
    observe_episode,
    predict,
    select,
)
from hieros_eqx.report.recording import pick_starts
from tests.report.toy_world_model import HORIZON, LENGTHS, STARTS, STRIDE, ToyWorldModel, play

KEY = jax.random.key(3)


def test_predictions_do_not_depend_on_the_batch():
    model = ToyWorldModel(dizzy=3.0)
    whole = next(predict(model, play(LENGTHS), STARTS, HORIZON, KEY, samples=3, batch=5))
    parts = list(predict(model, play(LENGTHS), STARTS, HORIZON, KEY, samples=3, batch=2))
    assert [p.last.shape[0] for p in parts] == [2, 2, 1]
    assert whole.imagined.shape == (HORIZON, 3, 5, 2, 2, 3)
    np.testing.assert_array_equal(np.concatenate([p.imagined for p in parts], axis=2), whole.imagined)
    np.testing.assert_array_equal(np.concatenate([p.posterior for p in parts], axis=1), whole.posterior)
    np.testing.assert_array_equal(np.concatenate([p.last for p in parts]), whole.last)


def test_some_starts_are_selected_from_all_batches():
    model, chosen = ToyWorldModel(dizzy=3.0), [4, 0, 2]
    parts = list(predict(model, play(LENGTHS), STARTS, HORIZON, KEY, samples=3, batch=2))
    whole = next(predict(model, play(LENGTHS), STARTS, HORIZON, KEY, samples=3, batch=5))
    found = select(parts, chosen)
    for name, own in found._asdict().items():
        axis = 2 if name.startswith("imagined") else 0 if name == "last" else 1
        np.testing.assert_array_equal(own, np.take(getattr(whole, name), chosen, axis), err_msg=name)


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


def test_rewards_and_ends_are_predicted_beside():
    """The reward after each step is that of the truth; only the last step of an episode ends it."""
    episodes = play(LENGTHS)
    last = np.array([[0, LENGTHS[0] - 1 - HORIZON]])
    whole = next(predict(ToyWorldModel(), episodes, np.concatenate([STARTS, last]), HORIZON, KEY, samples=2))
    assert whole.reward.shape == whole.ends.shape == (HORIZON, len(STARTS) + 1)
    assert whole.imagined_reward.shape == whole.imagined_continuation.shape == (HORIZON, 2, len(STARTS) + 1)
    np.testing.assert_allclose(whole.imagined_reward, np.repeat(whole.reward[:, None], 2, axis=1))
    e, t = STARTS[1]
    np.testing.assert_array_equal(whole.reward[:, 1], episodes[e].reward[t + 1 : t + 1 + HORIZON])
    np.testing.assert_array_equal(whole.imagined_continuation, 0.75)
    expected = np.zeros((HORIZON, len(STARTS) + 1), bool)
    expected[-1, -1] = True
    expected[-1, [i for i, (e, t) in enumerate(STARTS) if t + HORIZON == LENGTHS[e] - 1]] = True
    np.testing.assert_array_equal(whole.ends, expected)
    cut = [episode._replace(terminal=False) for episode in episodes]
    assert not next(predict(ToyWorldModel(), cut, last, HORIZON, KEY)).ends.any()


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
