"""What is watched, against a recomputation by hand: NumPy in float64 from the raw weights."""

from dataclasses import replace
from types import SimpleNamespace

import equinox as eqx
import jax
import numpy as np
import pytest

from hieros_eqx.agent import init_carry, init_params, policy
from hieros_eqx.agent.levels import level_params
from hieros_eqx.backend import to_numpy
from hieros_eqx.config import make_preset, override
from hieros_eqx.core.transforms import symexp_bins
from hieros_eqx.envs import random_length
from hieros_eqx.envs.scripted import decode_picture
from hieros_eqx.errors import EnvError
from hieros_eqx.report.watch.subgoals import decode_codes, decode_subgoal, watch, watch_steps
from hieros_eqx.training import Agent
from tests.oracles.images import conv2d_transpose

LENGTH, K = 6, 2  # steps after the first observation, which level 2 sees at 0, 4 and its end
CASES = {"worker": (1, False), "two": (2, False), "three": (3, True)}  # levels, pictures
ONLY_TWO, ONLY_THREE = (
    pytest.mark.parametrize("watched", [case], indirect=True) for case in ("two", "three")
)
SMALL = [
    f"macro_length={K}",
    "world_model.cnn_depth=2",
    "world_model.deter=12",
    "world_model.s5.double=false",
    "subgoal.factors=3",
    "subgoal.classes=5",
]
KEY = jax.random.key(3)


def make_env(images, length=LENGTH):
    return random_length(lengths=[[length]], images=images)


@pytest.fixture(scope="module")
def untrained():
    """Return agents by levels and pictures. The worker alone is that of two levels: making one takes long."""
    agents = {}
    for levels, images in [(2, False), (3, True)]:
        config = override(make_preset("debug"), [f"levels={levels}", *SMALL])
        spaces = make_env(images).spaces
        params = init_params(config, spaces, jax.random.key(levels + 4))
        agents[levels, images] = Agent(params, config, spaces)
    two = agents[2, False]
    config = override(two.config, ["levels=1"])
    agents[1, False] = Agent(replace(two.params, upper=(), config=config), config, two.spaces)
    return agents


@pytest.fixture(scope="module", params=CASES)
def watched(request, untrained):
    """Return an untrained agent, its environment's kind and one episode, compiled once for each case."""
    levels, images = CASES[request.param]
    agent = untrained[levels, images]
    episode = watch(agent, make_env(images), KEY, 50)
    return SimpleNamespace(agent=agent, params=agent.params, levels=levels, images=images, episode=episode)


def test_an_episode_is_seen_from_its_start_to_its_end(watched):
    episode, times = watched.episode, np.arange(LENGTH + 1)
    expected = np.stack([0 * times, times, 0 * times], axis=1)
    seen = decode_picture(episode.observation) if watched.images else episode.observation
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(episode.reward, times)
    assert (episode.complete, episode.terminal, episode.levels) == (True, True, watched.levels)


def test_levels_stand_still_between_the_steps_in_which_they_are_due(watched):
    episode = watched.episode
    for level in range(watched.levels):
        due = [t % K**level == 0 or t == LENGTH for t in range(LENGTH + 1)]
        np.testing.assert_array_equal(episode.due[:, level], due)
        held = [t for t in range(1, LENGTH + 1) if not due[t]]
        for t in held:
            assert level == 0 or (episode.code[t, level - 1] == episode.code[t - 1, level - 1]).all()
            novelty = episode.reward_parts[t - 1 : t + 1, level, 2]
            assert level == 0 or novelty[0] == novelty[1]
    for level in range(1, watched.levels):
        codes = {tuple(code) for code in episode.code[:, level - 1]}
        assert len(codes) > 1, "an untrained actor hardly chooses one of 125 codes twice in a row"


def test_actions_and_their_probabilities(watched):
    episode = watched.episode
    np.testing.assert_array_equal(episode.action.sum(axis=1), [1] * LENGTH + [0])
    np.testing.assert_allclose(episode.probability.sum(axis=1), 1, rtol=1e-5)
    entropy = -(episode.probability * np.log(episode.probability)).sum(axis=1)
    np.testing.assert_allclose(episode.entropy[:, 0], entropy, rtol=1e-5)
    np.testing.assert_allclose(episode.entropy[:, 1:], 3 * np.log(5), rtol=1e-2)  # 3 factors of 5 classes
    assert (episode.entropy[:, 1:] < 3 * np.log(5)).all()


# The chain by hand.


def dense(mlp, x):
    """An MLP: hidden layers of a linear map, layer normalisation and SiLU, then a linear map."""
    for layer in mlp.hidden.layers:
        x = x @ np.float64(layer.linear.weight)
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
        x = x * np.float64(layer.norm.scale) + np.float64(layer.norm.offset)
        x = x / (1 + np.exp(-x))
    return x @ np.float64(mlp.output.weight) + np.float64(mlp.output.bias)


def one_hot(logits):
    return np.eye(logits.shape[-1])[logits.argmax(-1)]


def picture(decoder, x):
    conv = decoder.conv
    x = (x @ np.float64(conv.grid.weight)).reshape(conv.shape)
    for kernel, norm in zip(conv.kernels, conv.norms, strict=True):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
        x = x * np.float64(norm.scale) + np.float64(norm.offset)
        x = conv2d_transpose(x / (1 + np.exp(-x)), np.float64(kernel), 2)
    return np.clip(np.round((x + np.float64(conv.bias) + 0.5) * 255), 0, 255)


def chain(params, level, code):
    """What one code of `level` wants the worker to see, and the goal for h of the level below."""
    config = params.config.world_model
    flat = np.concatenate([np.eye(5)[c] for c in code])
    goal = h = dense(level_params(params, level - 1).autoencoder.decoder, flat)
    logits = dense(level_params(params, level - 1).world_model.predictions.goal.mlp, h)
    z = one_hot(logits.reshape(config.stoch, config.classes))
    for height in range(level - 1, 0, -1):
        seen = dense(level_params(params, height).world_model.predictions.decoder.mlp, np.append(h, z))
        split = K * config.stoch * config.classes
        z = one_hot(seen[:split].reshape(K, config.stoch, config.classes)[-1])
        h = seen[split:].reshape(K, config.deter)[-1]
    decoder = params.worker.world_model.predictions.decoder
    if params.spaces.observation.kind == "image":
        return picture(decoder, np.append(h, z)), goal
    value = dense(decoder.mlp, np.append(h, z))
    return np.sign(value) * np.expm1(np.abs(value)), goal


def test_subgoals_are_decoded_down_to_the_worker(watched):
    episode = watched.episode
    assert len(episode.subgoals) == watched.levels - 1
    for level in range(1, watched.levels):
        subgoal = episode.subgoals[level - 1]
        assert (subgoal.shape, subgoal.dtype) == (episode.observation.shape, episode.observation.dtype)
        for t in (0, 2, 4):
            wanted, _ = chain(watched.params, level, episode.code[t, level - 1])
            if watched.images:  # float32 may round to the neighbouring of 256 values
                assert np.abs(subgoal[t].astype(int) - wanted).max() <= 1
                assert wanted.std() > 1, "a picture with something in it"
            else:
                np.testing.assert_allclose(subgoal[t], wanted, rtol=1e-4, atol=1e-5)


@ONLY_THREE
def test_levels_want_different_things(watched):
    """The pictures of one code differ from level to level, and those of one level from code to code."""
    code = np.array([[0, 1, 2], [4, 1, 2]], np.int32)
    first, second = (decode_codes(watched.params, level, code) for level in (1, 2))
    assert (first != second).any()
    assert (first[0] != first[1]).any()


@ONLY_TWO
def test_many_codes_keep_their_order(watched, rng):
    """More than are decoded at a time, some of them twice."""
    code = rng.integers(5, size=(40, 3)).astype(np.int32)
    code[20:30] = code[:10]
    decoded = decode_codes(watched.params, 1, code)
    np.testing.assert_array_equal(decoded[20:30], decoded[:10])
    for t in (0, 17, 39):
        np.testing.assert_allclose(decoded[t], chain(watched.params, 1, code[t])[0], rtol=1e-4, atol=1e-5)


@ONLY_TWO
def test_the_chain_runs_without_a_compiler(watched):
    """With NumPy leaves the same functions are the reference."""
    code = np.array([[0, 1, 2], [4, 1, 2]], np.int32)
    plain = decode_subgoal(to_numpy(watched.params), 1, np.eye(5, dtype=np.float32)[code])
    assert isinstance(plain, np.ndarray)
    np.testing.assert_allclose(plain, decode_codes(watched.params, 1, code), rtol=1e-4, atol=1e-5)


@ONLY_TWO
def test_reward_parts_are_those_of_the_states(watched):
    """Subgoal reward and novelty from h and the goal, by hand; the agent is led along once more to see h."""
    episode, params, env = watched.episode, watched.params, make_env(images=False)
    carry, timestep = init_carry(params, 1), env.reset()
    step = jax.jit(policy)
    for t in range(LENGTH + 1):
        carry, action, _, _ = step(params, carry, timestep, jax.random.fold_in(KEY, t))
        timestep = env.step(np.asarray(action))
        for level in range(2):
            own = level_params(params, level)
            h = np.float64(carry.levels[level].latent.deter[0])
            logits = dense(own.autoencoder.encoder, h).reshape(3, 5)
            novelty = np.linalg.norm(h - dense(own.autoencoder.decoder, one_hot(logits).ravel()))
            reward = 0.0
            if level == 0:
                _, goal = chain(params, 1, episode.code[t, 0])
                reward = max(0.0, goal @ h / max(goal @ goal, h @ h))
            np.testing.assert_allclose(
                episode.reward_parts[t, level], [0, np.log1p(reward), np.log1p(novelty)], rtol=1e-4, atol=1e-6
            )
    assert (episode.reward_parts[:, 0, 1] > 0).any()


@ONLY_TWO
def test_values_are_those_of_the_critics(watched):
    """An untrained critic says 0; one that is sure of its last bin, by a bias, says what that stands for."""
    assert not watched.episode.value.any()
    bias = watched.params.upper[0].critics.mlp.output.bias
    sure = eqx.tree_at(lambda p: p.upper[0].critics.mlp.output.bias, watched.params, bias.at[1, -1].set(50.0))
    agent = Agent(sure, watched.agent.config, watched.agent.spaces)
    value = watch(agent, make_env(images=False), KEY, 3).value
    np.testing.assert_allclose(value[:, 1, 1], symexp_bins(bias.shape[-1])[-1], rtol=1e-3)
    assert not np.delete(value.reshape(3, 6), 4, axis=1).any()


@ONLY_TWO
def test_modes_and_an_episode_cut_short(watched):
    episode = watch(watched.agent, make_env(images=False), KEY, 4, greedy=True)
    assert (len(episode.reward), episode.complete, episode.terminal) == (4, False, False)
    np.testing.assert_array_equal(episode.action.argmax(1), episode.probability.argmax(1))
    truncated = random_length(lengths=[[3]], truncate_every=1)
    episode = watch(watched.agent, truncated, KEY, 4, greedy=True)
    assert (len(episode.reward), episode.complete, episode.terminal) == (4, True, False)


@ONLY_TWO
def test_what_cannot_be_watched_is_refused(watched):
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        watch_steps(watched.agent, make_env(images=False), KEY, 0)
    with pytest.raises(EnvError, match="wanted an environment with"):
        watch_steps(watched.agent, make_env(images=True), KEY, 5)
    with pytest.raises(EnvError, match="one environment, got 2"):
        watch_steps(watched.agent, random_length(num_envs=2), KEY, 5)
