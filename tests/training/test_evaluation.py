from dataclasses import replace

import jax
import numpy as np
import pytest

from hieros_eqx.backend import random
from hieros_eqx.config import from_dict
from hieros_eqx.envs import random_length
from hieros_eqx.envs.probe import constant_reward, memory
from hieros_eqx.errors import EnvError
from hieros_eqx.training import evaluate, evaluation
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces


class Recorder:
    """A `VectorEnv` that remembers what it was told."""

    def __init__(self, env):
        self.env, self.spaces, self.num_envs, self.actions = env, env.spaces, env.num_envs, []

    def reset(self):
        return self.env.reset()

    def step(self, action):
        self.actions.append(np.asarray(action).tolist())
        return self.env.step(action)

    def close(self):
        raise AssertionError("the caller's own environment is left open")


def test_greedy_play_is_the_same_on_both_backends(finished, monkeypatch):
    """With the posterior's noise taken away, for the backends draw different numbers from one seed."""
    monkeypatch.setattr(random, "gumbel", lambda _key, shape, dtype: np.zeros(shape, dtype))
    step = jax.jit(evaluation.step, static_argnames="greedy")
    latents = {"jax": [], "numpy": []}

    def recording(backend, take):
        def recorded(params, carry, *rest, greedy):
            carry, action = take(params, carry, *rest, greedy=greedy)
            assert isinstance(action, np.ndarray | np.generic if backend == "numpy" else jax.Array)
            latents[backend].append([np.asarray(level.latent.deter) for level in carry.levels])
            return carry, action

        return recorded

    monkeypatch.setattr(evaluation, "step", recording("numpy", evaluation.step))
    monkeypatch.setattr(evaluation, "_step_jax", recording("jax", step))
    played = []
    for backend in ("jax", "numpy"):
        env = Recorder(memory(num_envs=2, seed=3))
        result = evaluate(finished[0].agent, env, 5, backend=backend, greedy=True, seed=4)
        played.append((result, env.actions))
    assert played[0] == played[1]
    assert np.ptp(latents["numpy"][1:], axis=(0, 2)).max() > 1e-3, "something happens"
    # float32, 17 recurrent steps
    np.testing.assert_allclose(latents["jax"], latents["numpy"], rtol=1e-4, atol=1e-5)
    result = played[0][0]
    assert (result.lengths, result.truncated) == ((5,) * 5, (False,) * 5)
    assert result.mean == pytest.approx(sum(result.returns) / 5)
    assert set(result.returns) <= {-1.0, 1.0}


def test_samples_follow_the_seed(finished):
    def play(seed):
        env = Recorder(memory(num_envs=2))
        evaluate(finished[0].agent, env, 6, backend="numpy", greedy=False, seed=seed)
        return env.actions

    assert play(1) == play(1) != play(2)


def test_nothing_is_explored(finished):
    """With `epsilon` = 1 a learning agent would do anything at all."""
    agent = finished[0].agent
    config = from_dict({"behaviour": {"epsilon": 1.0}}, agent.config)
    explorer = replace(agent, config=config, params=replace(agent.params, config=config))
    played = []
    for own in (agent, explorer):
        env = Recorder(memory(num_envs=2, seed=3))
        evaluate(own, env, 5, backend="numpy", seed=4)
        played.append(env.actions)
    assert played[0] == played[1]


def test_every_environment_plays_its_share():
    """Short episodes must not be counted more often than long ones."""
    env = random_length(num_envs=3, lengths=[[1], [20], [7]], truncate_every=0, actions=2)
    constant = np.zeros(3, np.int32)
    quota = evaluation.shares(7, 3)
    assert quota == [3, 2, 2]
    played = evaluation.play(env, quota, lambda *_: (None, constant), None, None)
    assert evaluation.result_of(played).lengths == (1, 1, 1, 20, 20, 7, 7)


def test_quota_of_episodes(finished):
    result = evaluate(finished[0].agent, None, 3, backend="numpy")
    assert len(result.returns) == 3
    assert result.std == pytest.approx(np.std(result.returns))
    assert result.median == np.median(result.returns)


def test_wrong_requests(finished):
    agent = finished[0].agent
    with pytest.raises(ValueError, match="at least 1 episode"):
        evaluate(agent, memory(), 0)
    with pytest.raises((ValueError, TypeError), match="torch"):  # TypeError: where types are checked
        evaluate(agent, memory(), 1, backend="torch")
    with pytest.raises(EnvError, match="wanted an environment with"):
        evaluate(agent, constant_reward(), 1)
    assert agent.spaces == Spaces(
        observation=ObservationSpace(kind="vector", shape=(2,)), action=ActionSpace(kind="discrete", size=2)
    )
