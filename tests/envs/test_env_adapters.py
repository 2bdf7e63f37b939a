"""Gymnasium, envpool's other ids and users' own environments, behind the same protocol."""

import sys

import numpy as np
import pytest

from hieros_eqx.envs import (
    CheckedEnv,
    VectorEnv,
    make_env,
    make_envpool,
    make_from_factory,
    make_gymnasium,
)
from hieros_eqx.errors import EnvError

pytest.importorskip("gymnasium")
pytest.importorskip("envpool")


@pytest.fixture
def custom(monkeypatch, request):
    """The module of custom environments, importable by name."""
    monkeypatch.syspath_prepend(str(request.path.parent))
    import custom_envs

    return custom_envs


def act(env, rng):
    space = env.spaces.action
    if space.kind == "discrete":
        return rng.integers(0, space.size, env.num_envs)
    return rng.uniform(-1, 1, (env.num_envs, space.size))


@pytest.mark.parametrize(
    ("arguments", "observation", "action"),
    [
        ({"env_id": "CartPole-v1"}, ("vector", (4,)), ("discrete", 2)),
        ({"env_id": "CartPole-v1", "backend": "gymnasium"}, ("vector", (4,)), ("discrete", 2)),
        ({"env_id": "Catch-v0"}, ("vector", (50,)), ("discrete", 3)),
        ({"env_id": "MiniGrid-Empty-8x8-v0", "keys": ("image",)}, ("vector", (147,)), ("discrete", 7)),
        (
            {"env_id": "MiniGrid-Empty-8x8-v0", "keys": ("direction", "image")},
            ("vector", (151,)),
            ("discrete", 7),
        ),
        ({"env_id": "Taxi-v3"}, ("vector", (500,)), ("discrete", 6)),
        ({"env_id": "Pendulum-v1"}, ("vector", (3,)), ("continuous", 1)),
        ({"env_id": "Pendulum-v1", "backend": "gymnasium"}, ("vector", (3,)), ("continuous", 1)),
        ({"env_id": "CheetahRun-v1"}, ("vector", (17,)), ("continuous", 6)),
        ({"env_id": "CarRacing-v3"}, ("image", (64, 64, 3)), ("continuous", 3)),
        ({"env_id": "ALE/Pong-v5"}, ("image", (64, 64, 3)), ("discrete", 6)),
        ({"game": "pong", "backend": "ale"}, ("image", (64, 64, 3)), ("discrete", 6)),
        ({"env_id": "hieros_eqx.envs.probe:memory"}, ("vector", (2,)), ("discrete", 2)),
    ],
)
def test_protocol_holds(arguments, observation, action, rng):
    env = make_env(num_envs=3, **arguments)
    assert isinstance(env, VectorEnv) and env.num_envs == 3
    env = CheckedEnv(env)  # raises where flags, shapes or rewards break the protocol
    assert (env.spaces.observation.kind, env.spaces.observation.shape) == observation
    assert (env.spaces.action.kind, env.spaces.action.size) == action
    env.reset()
    seen = [env.step(act(env, rng)) for _ in range(20)]
    if "Catch" in str(arguments):  # nine steps an episode, the reset takes one more
        firsts = [t for t, step in enumerate(seen, 1) if step.is_first[0]]
        assert firsts == [10, 20]
    env.close()


@pytest.mark.parametrize("backend", ["envpool", "gymnasium"])
def test_cartpole_falls_and_pendulum_is_cut(backend, rng):
    cart = make_env(env_id="CartPole-v1", backend=backend, num_envs=2)
    opening = cart.reset().observation
    steps = [cart.step(np.ones(2, np.int32)) for _ in range(15)]
    last = np.stack([s.is_last for s in steps])
    assert last.any(0).all()
    np.testing.assert_array_equal(last, [s.is_terminal for s in steps])
    for t, env in np.argwhere(last[:-1]):
        assert steps[t].reward[env] == 1 and steps[t + 1].reward[env] == 0 and steps[t + 1].is_first[env]
        assert np.abs(steps[t + 1].observation[env]).max() <= 0.05  # CartPole's first state
        assert np.abs(steps[t].observation[env]).max() > 0.2  # the true last one
        assert (steps[t + 1].observation[env] != opening[env]).any()  # only the first episode is seeded
    cart.close()
    swing = make_env(env_id="Pendulum-v1", backend=backend, num_envs=1)
    swing.reset()
    steps = [swing.step(act(swing, rng)) for _ in range(201)]
    assert [t for t, s in enumerate(steps, 1) if s.is_last[0]] == [200]
    assert not steps[199].is_terminal[0] and steps[199].reward[0] != 0 and steps[200].is_first[0]
    swing.close()


@pytest.mark.parametrize("backend", ["envpool", "gymnasium"])
def test_actions_reach_the_bounds(backend):
    """Full torque on a pendulum, once each way, moves it by 3 dt / (m l^2) * 2 = 0.3 each way."""
    make = {"envpool": make_envpool, "gymnasium": make_gymnasium}[backend]
    env = make("Pendulum-v1", seeds=[1, 1])
    first = env.reset().observation
    np.testing.assert_array_equal(first[0], first[1])
    speed = env.step(np.array([[-1.0], [1.0]])).observation[:, 2]
    assert speed[1] - speed[0] == pytest.approx(0.6, abs=1e-5)
    env.close()


@pytest.mark.parametrize(
    "arguments", [{"env_id": "CartPole-v1"}, {"env_id": "CartPole-v1", "backend": "gymnasium"}]
)
def test_seeds(arguments):
    def stream(**seed):
        env = make_env(**arguments, **seed)
        actions = np.random.default_rng(0).integers(0, 2, (40, 4))
        out = [env.reset().observation] + [env.step(a[: env.num_envs]).observation for a in actions]
        env.close()
        return np.stack(out)

    both = stream(num_envs=4, seed=[5, 6])
    np.testing.assert_array_equal(both, stream(num_envs=4, seed=[5, 6]))
    np.testing.assert_array_equal(both[:, :2], stream(num_envs=2, seed=5))
    assert (both[0, 0] != both[0, 1]).any() and (both[0, 0] != both[0, 2]).any()
    assert (stream(num_envs=1, seed=5)[0] != stream(num_envs=1, seed=5, training=False)[0]).any()


@pytest.mark.parametrize("path", ["custom_envs:Corridor", "custom_envs:corridor"])
@pytest.mark.usefixtures("custom")
def test_a_custom_gymnasium_env(path):
    env = make_env(env_id=path, num_envs=2)
    first = env.reset()
    assert first.is_first.all() and first.observation.tolist() == [[0, 0], [0, 0]]
    seen = [env.step(np.array([1, t % 2])) for t in range(6)]
    np.testing.assert_array_equal([s.observation[0, 0] for s in seen], [1, 2, 3, 0, 1, 2])
    np.testing.assert_array_equal([s.reward[0] for s in seen], [0, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal([s.is_terminal[0] for s in seen], np.arange(6) == 2)
    np.testing.assert_array_equal([s.is_first[0] for s in seen], np.arange(6) == 3)
    np.testing.assert_array_equal([s.is_last[1] for s in seen], np.arange(6) == 4)  # cut short at time 5
    assert not any(s.is_terminal[1] for s in seen)
    env.close()


def test_a_custom_vector_env(custom):
    env = make_env(env_id="custom_envs:own_vector_env", num_envs=3)
    env.reset()
    rewards = [env.step(np.zeros((3, 2))).reward[0] for _ in range(5)]
    assert rewards == [1, 2, 0, 1, 2]
    env.send(np.zeros((3, 2)))
    assert env.recv().is_first.all()
    env.close()
    assert env._env.closed
    with pytest.raises(EnvError, match=r"wanted 2 environments .* got 1"):
        make_from_factory(lambda: custom.OwnVectorEnv(), seeds=[0, 1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"observation": np.zeros(3, np.float32)},
        {"observation": np.zeros(2, complex)},
        {"observation": "left"},
        {"observation": np.array([np.nan, 0], np.float32)},
        {"reward": float("nan")},
        {"reward": float("inf")},
        {"reward": np.zeros(2)},
        {"reward": None},
        {"terminated": 1},
        {"truncated": None},
        {"old": True},
    ],
)
def test_broken_gymnasium_envs(wrong, custom):
    env = make_from_factory(custom.Broken, seeds=[0], options=wrong)
    env.reset()
    with pytest.raises(EnvError, match="wanted"):
        env.step(np.array([1]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"observation": np.zeros((2, 2), np.float32)},
        {"observation": np.zeros((2, 1), np.float64)},
        {"observation": np.full((2, 1), np.inf, np.float32)},
        {"observation": [[0.0], [0.0]]},
        {"reward": np.array([0, np.nan])},
        {"reward": np.zeros((2, 1))},
        {"is_last": np.array([0, 1])},
        {"is_last": np.array([True])},
        {"is_first": np.array([False, True])},
        {"is_terminal": np.array([True, True])},
    ],
)
def test_broken_vector_envs(wrong, custom):
    env = CheckedEnv(custom.OwnVectorEnv(2, wrong))
    env.reset()
    with pytest.raises(EnvError, match="wanted"):
        env.step(np.zeros((2, 2)))


def test_a_vector_env_must_reset_after_an_end(custom):
    no = np.zeros(1, bool)
    env = CheckedEnv(custom.OwnVectorEnv(1, {"is_first": no, "is_last": ~no, "is_terminal": no}))
    env.reset()
    env.step(np.zeros((1, 2)))
    with pytest.raises(EnvError, match="right after `is_last`"):
        env.step(np.zeros((1, 2)))
    late = CheckedEnv(custom.OwnVectorEnv(1, {"reward": np.ones(1)}))
    late.reset()
    late.step(np.zeros((1, 2)))
    late.step(np.zeros((1, 2)))
    with pytest.raises(EnvError, match="wanted reward 0 where `is_first`"):
        late.step(np.zeros((1, 2)))
    with pytest.raises(EnvError, match="without reset, step, close"):
        CheckedEnv(type("Half", (), {"spaces": None, "num_envs": 1})())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either `game` or `env_id`"),
        ({"game": "pong", "env_id": "CartPole-v1"}, "either `game` or `env_id`"),
        ({"env_id": "CartPol-v1"}, "did you mean CartPole-v1"),
        ({"env_id": "CartPol-v1", "backend": "envpool"}, "did you mean CartPole-v1"),
        ({"env_id": "CartPol-v1", "backend": "gymnasium"}, "wanted the Gymnasium environment 'CartPol-v1'"),
        ({"env_id": "zzzzqqq"}, "or `module:factory`"),
        ({"env_id": "CartPole-v1", "backend": "ale"}, "wanted an Atari game"),
        ({"env_id": "CartPole-v1", "backend": "gym"}, "wanted a backend among"),
        ({"env_id": "CartPole-v1", "threads": 0}, "at least 1 thread"),
        ({"env_id": "CartPole-v1", "options": {"no_such": 1}}, "no_such"),
        ({"env_id": "CartPole-v1", "keys": ("a",)}, "wanted a Dict space"),
        ({"game": "pong", "backend": "gymnasium"}, "wanted backend envpool or ale"),
        ({"game": "Pung"}, "did you mean Pong"),
        ({"env_id": "no_such_module:thing"}, "wanted an importable"),
        ({"env_id": "hieros_eqx.envs.probe:nothing"}, "wanted an importable"),
        ({"env_id": "custom_envs:not_callable"}, "wanted a function or class"),
        ({"env_id": dict}, "wanted a `gymnasium.Env` or a `VectorEnv`"),
    ],
)
@pytest.mark.usefixtures("custom")
def test_environments_that_do_not_exist(arguments, message):
    with pytest.raises(EnvError, match=message):
        make_env(**arguments)


def test_one_object_cannot_be_many(custom):
    shared = custom.Corridor()
    with pytest.raises(EnvError, match="separate environments"):
        make_from_factory(lambda: shared, seeds=[0, 1])


@pytest.mark.parametrize(
    ("package", "arguments", "remedy"),
    [
        ("envpool", {"game": "pong", "backend": "envpool"}, "pip install envpool"),
        ("ale_py.vector_env", {"game": "pong", "backend": "ale"}, "pip install hieros-eqx\\[ale\\]"),
        ("gymnasium", {"env_id": "CartPole-v1", "backend": "gymnasium"}, "pip install gymnasium"),
    ],
)
def test_missing_packages_are_named(package, arguments, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EnvError, match=remedy):
        make_env(**arguments)


def test_atari_falls_back_to_ale(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    monkeypatch.setattr(
        sys.modules["hieros_eqx.envs.make"], "installed", lambda package: package != "envpool"
    )
    env = make_env(game="Pong")
    assert type(env._simulator).__name__ == "AleSimulator"
    env.close()
    cart = make_env(env_id="CartPole-v1")
    assert type(cart._simulator).__name__ == "GymnasiumSimulator"
    cart.close()
