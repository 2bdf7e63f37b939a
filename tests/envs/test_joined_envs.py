"""Environments of several agents in one pool: each agent sees what it would see alone."""

import numpy as np
import pytest

from hieros_eqx.envs import make_env
from hieros_eqx.envs.joined import JoinedEnv
from hieros_eqx.envs.probe import constant_reward, memory
from hieros_eqx.errors import EnvError


def run(env, actions):
    timesteps = [env.reset()]
    for action in actions:
        timesteps.append(env.step(action))
    env.close()
    return [np.stack(field) for field in zip(*timesteps, strict=True)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ({"env_id": "hieros_eqx.envs.probe:memory"}, 2),  # a factory of whole batches
        ({"env_id": "CartPole-v1", "backend": "gymnasium"}, 2),
        ({"game": "Pong", "backend": "envpool"}, 1),
        ({"game": "Pong", "backend": "ale"}, 1),
    ],
)
def test_every_agent_sees_what_it_would_see_alone(name, count):
    package = name.get("backend", "numpy").replace("ale", "ale_py")
    pytest.importorskip(package)
    seeds, steps = (3, 0, 8), 30
    actions = np.random.default_rng(5).integers(0, 2, (steps, len(seeds) * count), dtype=np.int32)
    together = run(make_env(**name, seed=seeds, num_envs=len(seeds) * count), actions)
    for i, seed in enumerate(seeds):
        own = slice(i * count, (i + 1) * count)
        alone = run(make_env(**name, seed=seed, num_envs=count), actions[:, own])
        for wanted, got in zip(alone, together, strict=True):
            np.testing.assert_array_equal(got[:, own], wanted)
    cut = [field[:, :count] for field in together]
    assert any((a != b[:, count : 2 * count]).any() for a, b in zip(cut, together, strict=True))


def test_a_factory_gets_for_each_agent_what_it_would_get_alone():
    calls = []

    def make(num_envs, seed, seeds):
        calls.append((num_envs, seed, seeds))
        return memory(num_envs=num_envs, seed=seed)

    make_env(env_id=make, seed=[4, 7], num_envs=4)
    for agent in (4, 7):
        make_env(env_id=make, seed=agent, num_envs=2)
    assert calls[:2] == calls[2:]


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(EnvError, match="wanted environments with"):
        JoinedEnv([memory(), constant_reward()])
    with pytest.raises(EnvError, match="one object several times"):
        shared = memory()
        make_env(env_id=lambda: shared, seed=[0, 1], num_envs=2)
    env = JoinedEnv([memory(num_envs=2), memory()])
    env.reset()
    with pytest.raises(EnvError, match="wanted 3 actions"):
        env.send(np.zeros(2, np.int32))


def test_all_parts_are_closed():
    closed, parts = [], [memory() for _ in range(3)]
    for i, part in enumerate(parts):
        part.close = lambda i=i: closed.append(i)
    JoinedEnv(parts).close()
    assert closed == [0, 1, 2]
