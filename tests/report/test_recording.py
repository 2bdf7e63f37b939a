import equinox as eqx
import jax
import numpy as np
import pytest

from hieros_eqx.agent import init_params
from hieros_eqx.config import make_preset, override
from hieros_eqx.core.transforms import symexp_bins
from hieros_eqx.envs import random_length
from hieros_eqx.envs.scripted import decode_picture
from hieros_eqx.errors import EnvError
from hieros_eqx.report.open_loop_errors import open_loop
from hieros_eqx.report.recording import collect_episodes, pick_starts, split_episodes
from hieros_eqx.types import Timestep

SMALL = [
    "levels=1",
    "world_model.cnn_depth=2",
    "world_model.s5.double=false",
    "world_model.head_layers=1",
    "behaviour.layers=1",
    "subgoal.layers=1",
]
SCRIPT = [[4, 2], [7, 3]]  # lengths: environment 0 has episodes of 5 and 3 steps, environment 1 of 8 and 4


@pytest.fixture(scope="module")
def params():
    config = override(make_preset("debug"), SMALL)
    env = random_length(num_envs=2, lengths=SCRIPT, images=True)
    return init_params(config, env.spaces, jax.random.key(0))


@pytest.fixture(scope="module")
def episodes(params):
    env = random_length(num_envs=2, lengths=SCRIPT, images=True)
    return collect_episodes(params, env, 13, jax.random.key(1))


def test_episodes_are_cut_where_they_begin(episodes):
    assert [len(e.action) for e in episodes] == [5, 3, 5, 8, 4, 1]
    assert [e.complete for e in episodes] == [True, True, True, True, True, False]


def test_every_picture_stands_where_it_was_seen(episodes):
    for episode, (number, env) in zip(
        episodes, [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)], strict=True
    ):
        expected = [(number, time, env) for time in range(len(episode.action))]
        np.testing.assert_array_equal(decode_picture(episode.observation), expected)
        np.testing.assert_array_equal(episode.reward, np.arange(len(episode.action)))


def test_who_ended_and_what_memory_held_is_kept(episodes):
    assert [e.terminal for e in episodes] == [True, False, True, True, False, False]  # every second is cut
    assert all(e.memory is None for e in episodes), "there is no emulator"
    flags = np.array([True, False, True, False])
    over, died = np.array([0, 1, 0, 1], bool), np.array([0, 1, 0, 0], bool)
    steps = Timestep(np.arange(4), np.zeros(4), flags, over, died)
    memory = np.arange(8, dtype=np.uint8).reshape(4, 2)
    first, second = split_episodes(steps, np.zeros((4, 2)), memory=memory)
    assert (first.complete, first.terminal, second.complete, second.terminal) == (True, True, True, False)
    np.testing.assert_array_equal(second.memory, memory[2:])


def test_actions_are_one_hot_and_zero_at_the_end(episodes):
    for episode in episodes:
        total = np.ones(len(episode.action))
        total[-1] = 0 if episode.complete else 1
        np.testing.assert_array_equal(episode.action.sum(axis=1), total)
        np.testing.assert_array_equal(episode.action.max(axis=1), total)


def test_values_are_those_of_the_critics(params, episodes):
    """An untrained critic says 0; one that puts all on its last bin, by a bias, says what that stands for."""
    assert all(e.value.shape == (len(e.action), 3) and not e.value.any() for e in episodes)
    bias = params.worker.critics.mlp.output.bias
    sure = eqx.tree_at(lambda p: p.worker.critics.mlp.output.bias, params, bias.at[1, -1].set(50.0))
    env = random_length(num_envs=2, lengths=SCRIPT, images=True)
    largest = symexp_bins(bias.shape[-1])[-1]
    for episode in collect_episodes(sure, env, 4, jax.random.key(1)):
        np.testing.assert_allclose(episode.value[:, 1], largest, rtol=1e-3)
        assert not episode.value[:, [0, 2]].any()


def test_an_untrained_agent_is_measured(params, episodes):
    starts = pick_starts(episodes, 6, 3, np.random.default_rng(0))
    model = params.worker.world_model
    result = open_loop(model, episodes, starts, 3, jax.random.key(2), samples=2)
    for error in (result.model, result.model_mean, result.posterior):
        assert error.shape == (3, 6)
        assert (error > 0).all()
        assert (error < 1).all()
    # The mean picture is never worse than its samples are on average.
    assert (result.model_mean <= result.model).all()


def test_another_environment_is_refused(params):
    with pytest.raises(EnvError, match="wanted an environment with"):
        collect_episodes(params, random_length(images=True, actions=5), 3, jax.random.key(0))


def test_split_without_end():
    flags = np.array([True, False, True, False])
    steps = Timestep(np.arange(4), np.zeros(4), flags, np.array([0, 1, 0, 0], bool), np.zeros(4, bool))
    first, second = split_episodes(steps, np.zeros((4, 2)))
    np.testing.assert_array_equal(first.observation, [0, 1])
    np.testing.assert_array_equal(second.observation, [2, 3])
    assert (first.complete, second.complete) == (True, False)
