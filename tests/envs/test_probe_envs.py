"""The probes keep their promises, as vectors and as pictures."""

import numpy as np
import pytest

from hieros_eqx.envs import PROBES, CheckedEnv, random_length
from hieros_eqx.envs.probe import action_from_observation, discounting, memory, truncation
from hieros_eqx.envs.scripted import decode_picture, reward_at
from hieros_eqx.errors import EnvError


def episodes(env, policy, steps, *, truncated=False):
    """Returns of the finished episodes of env 0 under `policy(observation [env ...]) -> action`."""
    env, returns, total = CheckedEnv(env), [], 0.0
    now = env.reset()
    for _ in range(steps):
        now = env.step(policy(now.observation))
        total = 0.0 if now.is_first[0] else total + float(now.reward[0])
        if now.is_last[0]:
            assert now.is_terminal[0] != truncated
            returns.append(total)
    return returns


class Recall:
    """The best policy for `memory`: keep the cue."""

    cue = 0

    def __call__(self, observation):
        self.cue = observation[0, 0] or self.cue
        return np.full(len(observation), int(self.cue > 0))


@pytest.mark.parametrize(
    ("name", "policy", "mean"),
    [
        ("constant_reward", lambda o: np.zeros(len(o), int), 1),
        ("discounting", lambda o: np.zeros(len(o), int), 1),
        ("action_choice", lambda o: np.ones(len(o), int), 1),
        ("action_choice", lambda o: np.zeros(len(o), int), -1),
        ("action_from_observation", lambda o: (o[:, 0] > 0).astype(int), 1),
        ("memory", Recall(), 1),
    ],
)
def test_best_and_worst_policies(name, policy, mean):
    returns = episodes(PROBES[name](num_envs=2), policy, 60)
    assert len(returns) >= 9 and set(returns) == {mean}


@pytest.mark.parametrize("name", ["observation_value", "action_from_observation", "memory"])
def test_without_looking_there_is_nothing_to_gain(name):
    returns = episodes(PROBES[name](num_envs=1, seed=1), lambda o: np.ones(len(o), int), 2000)
    assert set(returns) == {-1, 1}
    assert abs(np.mean(returns)) < 4 / np.sqrt(len(returns))  # four standard errors


def test_the_value_is_what_is_observed():
    env = PROBES["observation_value"](num_envs=8, seed=1)
    seen = env.reset().observation[:, 0]
    assert set(seen) == {-1, 1}
    np.testing.assert_array_equal(env.step(np.zeros(8, int)).reward, seen)


def test_time_is_in_sight_and_the_reward_comes_last():
    env = discounting(num_envs=1, length=5)
    steps = [env.reset()] + [env.step(np.zeros(1, int)) for _ in range(5)]
    np.testing.assert_allclose([s.observation[0, 0] for s in steps], np.linspace(-1, 1, 6), atol=1e-6)
    assert [s.reward[0] for s in steps] == [0, 0, 0, 0, 0, 1]


def test_a_cut_is_no_end():
    returns = episodes(PROBES["truncation"](length=3), lambda o: np.zeros(len(o), int), 41, truncated=True)
    assert returns == [3] * 10


def test_who_does_not_forget_gains_where_nothing_is_in_sight():
    env = CheckedEnv(PROBES["episode_reset"](num_envs=1, seed=3))
    now, cue_before, gained = env.reset(), 0.0, {True: [], False: []}
    for _ in range(3000):
        cue = float(now.observation[0, 0])
        followed = cue or cue_before
        step = env.step(np.array([int(followed > 0)]))
        assert step.is_last[0] and step.is_terminal[0]
        if cue or cue_before:
            gained[cue != 0].append(float(step.reward[0]))
        cue_before, now = cue, env.step(np.array([0]))
    assert set(gained[True]) == {1}
    assert set(gained[False]) == {1}


def test_hidden_cues_are_worth_nothing_to_who_forgets():
    env = CheckedEnv(PROBES["episode_reset"](num_envs=64, seed=3))
    hidden, now = [], env.reset()
    for _ in range(200):
        step = env.step(np.ones(64, int))
        hidden.extend(step.reward[now.observation[:, 0] == 0])
        now = env.step(np.zeros(64, int))
    assert set(hidden) == {-1, 1}
    assert abs(np.mean(hidden)) < 4 / np.sqrt(len(hidden))


@pytest.mark.parametrize("delay", [1, 3])
def test_the_cue_is_gone_when_it_counts(delay):
    env = memory(num_envs=1, delay=delay)
    steps = [env.reset()] + [env.step(np.zeros(1, int)) for _ in range(delay + 1)]
    assert steps[0].observation[0, 0] in (-1, 1)
    assert all(s.observation[0, 0] == 0 for s in steps[1:])
    assert [s.observation[0, 1] for s in steps[:-1]] == [-1] * delay + [1]
    assert [s.is_last[0] for s in steps] == [False] * (delay + 1) + [True]


def test_delays_are_drawn_evenly_and_the_cue_counts_at_their_end():
    env, delays, time = CheckedEnv(memory(num_envs=1, seed=5, least_delay=2, delay=4)), [], 0
    now, recall = env.reset(), Recall()
    for _ in range(3000):
        counts = now.observation[0, 1] == 1
        now, time = env.step(recall(now.observation)), time + 1
        assert now.is_last[0] == counts and now.reward[0] == counts
        if now.is_last[0]:
            delays.append(time - 1)
            now, time = env.step(np.zeros(1, int)), 0
    shares = np.bincount(delays) / len(delays)
    assert list(shares[:2]) == [0, 0] and len(shares) == 5
    four_standard_errors = 4 * np.sqrt(2 / 9 / len(delays))
    np.testing.assert_allclose(shares[2:], 1 / 3, atol=four_standard_errors)


@pytest.mark.parametrize("action", [0, 1])
def test_a_hint_tells_the_cue_whatever_the_action(action):
    env = memory(num_envs=16, delay=2, hint=0.5)
    cue = env.reset().observation[:, 0]
    early, late, paid = [env.step(np.full(16, action)) for _ in range(3)]
    assert not early.reward.any() and not late.reward.any()
    right = np.where((action == 1) == (cue == 1), 1, -1)
    np.testing.assert_array_equal(paid.reward, right + 0.5 * cue)


@pytest.mark.parametrize("name", PROBES)
def test_pictures_show_the_same(name):
    vector, picture = PROBES[name](num_envs=3, seed=4), PROBES[name](num_envs=3, seed=4, images=True)
    a, b = vector.reset(), picture.reset()
    for _ in range(12):
        features = a.observation.shape[1]
        centres = (np.arange(features) * 64 + 32) // features
        assert b.observation.shape == (3, 64, 64, 3) and b.observation.dtype == np.uint8
        np.testing.assert_allclose(b.observation[:, 5, centres, 1] / 127.5 - 1, a.observation, atol=0.005)
        action = np.array([0, 1, 0])
        a, b = vector.step(action), picture.step(action)
        for x, y in zip(a[1:], b[1:], strict=True):
            np.testing.assert_array_equal(x, y)


def test_scripted_lengths_and_ends():
    env = CheckedEnv(random_length(num_envs=2, lengths=[[2, 3], [5]], truncate_every=2))
    steps = [env.reset()] + [env.step(np.array([0, 2])) for _ in range(12)]
    episode, step, index = np.stack([s.observation for s in steps], axis=-1).transpose(1, 0, 2)
    assert episode[0].tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert step[0].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 0, 1, 2]
    assert step[1].tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0]
    assert set(index[0]) == {0} and set(index[1]) == {1}
    np.testing.assert_array_equal([s.reward for s in steps], reward_at(step.T.astype(int)))
    np.testing.assert_array_equal([s.is_first for s in steps], step.T == 0)
    assert [t for t, s in enumerate(steps) if s.is_last[0]] == [2, 6, 9]
    assert [t for t, s in enumerate(steps) if s.is_terminal[0]] == [2, 9]
    assert [t for t, s in enumerate(steps) if s.is_last[1] and not s.is_terminal[1]] == [11]


def test_random_lengths_stay_in_their_span_and_pictures_decode():
    kwargs = {"num_envs": 3, "seed": 2, "min_length": 2, "max_length": 6}
    env, painted = random_length(**kwargs), random_length(**kwargs, images=True)
    a, b, ends = env.reset(), painted.reset(), []
    for _ in range(300):
        np.testing.assert_array_equal(decode_picture(b.observation), a.observation)
        ends.extend(a.observation[a.is_last, 1].tolist())
        a, b = env.step(np.zeros(3, int)), painted.step(np.zeros(3, int))
    assert set(ends) == {2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    "bad",
    [{"lengths": [[1]]}, {"lengths": [[0], [1]]}, {"min_length": 0}, {"min_length": 3, "max_length": 2}],
)
def test_impossible_lengths(bad):
    with pytest.raises(EnvError, match="wanted"):
        random_length(num_envs=2, **bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: memory(delay=0),
        lambda: memory(delay=3, least_delay=4),
        lambda: memory(least_delay=0),
        lambda: discounting(length=0),
        lambda: truncation(length=0),
    ],
)
def test_impossible_probes(make):
    with pytest.raises(EnvError, match="at least 1"):
        make()


def test_each_copy_draws_its_own_cues():
    env = action_from_observation(num_envs=16)
    assert set(env.reset().observation[:, 0]) == {-1, 1}
