"""Factories, modules and `VectorEnv`s of users: what makes no environment, or one that does not fit."""

import sys

import numpy as np
import pytest

from hieros_eqx.envs import env_seeds, make_env, make_from_factory
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep
from tests.bad_input.test_custom_environments import GOOD, GRID, TWO, UNIT, Custom, fake, spaces


class Old(Custom):
    """The API before 0.26."""

    def reset(self):
        return GOOD


def differing(*made):
    """Return a factory that makes one after another."""
    queue = iter(made)
    return lambda: next(queue)


FACTORIES = [
    (lambda: 1 / 0, {}, r"got ZeroDivisionError: division by zero \("),
    (lambda x: x, {}, r"got TypeError: .*missing 1 required positional argument: 'x'"),
    (lambda: None, {}, r"wanted a `gymnasium.Env` or a `VectorEnv` from .* got NoneType without observation"),
    (lambda: Custom, {}, r"got the class Custom without observation_space"),
    (lambda: fake("Half", observation_space=UNIT, action_space=TWO, reset=1, step=1), {}, r"without close"),
    (differing(Custom(), None), {"seeds": [0, 1]}, r"got NoneType without observation_space"),
    (differing(Custom(), Custom(GRID)), {"seeds": [0, 1]}, r"wanted environments of equal spaces"),
    (
        differing(Custom(), Custom(action=spaces.Discrete(3))),
        {"seeds": [0, 1]},
        r"wanted environments of equal spaces",
    ),
    (Custom, {"seeds": []}, r"wanted seeds in equal shares for the agents, got 0 for 1"),
    (Custom, {"agents": 0}, r"wanted seeds in equal shares for the agents, got 1 for 0"),
    (Custom, {"seeds": [0, 1, 2], "agents": 2}, r"wanted seeds in equal shares for the agents, got 3 for 2"),
    (Custom, {"options": {"no_such": 1}}, r"got TypeError: .*unexpected keyword argument 'no_such'"),
    (Custom, {"keys": ("a",)}, r"wanted a Dict space to choose \('a',\) from"),
]


@pytest.mark.parametrize(("factory", "arguments", "words"), FACTORIES, ids=range(len(FACTORIES)))
def test_factories(factory, arguments, words):
    with pytest.raises(EnvError, match=words):
        make_from_factory(factory, **{"seeds": [0], **arguments})


def test_the_api_before_0_26():
    with pytest.raises(EnvError, match=r"`reset` of the environment, got TypeError: .*'seed'"):
        make_from_factory(Old, seeds=[0]).reset()


def vector(**changes):
    """Return the spaces of a `VectorEnv`, with changes."""
    observation = ObservationSpace(kind="vector", shape=(2,))
    return Spaces(**{"observation": observation, "action": ActionSpace(kind="discrete", size=2), **changes})


VECTORS = [
    ("none", r"wanted `hieros_eqx.Spaces` as `spaces`, got str"),
    (spaces.Dict(observation=UNIT, action=TWO), r"wanted `hieros_eqx.Spaces` as `spaces`, got Dict"),
    *[
        (vector(observation=ObservationSpace(kind=kind, shape=shape)), words)
        for kind, shape, words in (
            ("sound", (2,), r"wanted an image or a vector.*kind='sound'"),
            ("vector", (2, 2), r"wanted vector observations of shape \(feature,\).* got \(2, 2\)"),
            ("vector", (), r"wanted vector observations of shape \(feature,\).* got \(\)"),
            ("vector", (0,), r"whole numbers > 0, got \(0,\)"),
            ("vector", [2], r"whole numbers > 0, got \[2\]"),
            ("vector", (2.0,), r"whole numbers > 0, got \(2.0,\)"),
            ("image", (64, 64), r"wanted image observations of shape \(height, width, channels\)"),
        )
    ],
    *[
        (vector(action=ActionSpace(kind=kind, size=size)), words)
        for kind, size, words in (
            ("discrete", 0, r"wanted 1 to 32767 discrete actions, got size 0"),
            ("discrete", -1, r"got size -1"),
            ("discrete", 2.0, r"got size 2.0"),
            ("discrete", 40_000, r"got size 40000"),
            ("continuous", 0, r"wanted 1 to 2147483647 continuous actions, got size 0"),
            ("multi", 2, r"discrete or continuous actions, got .*kind='multi'"),
        )
    ],
]


class Vector:
    """A `VectorEnv` by hand."""

    def __init__(self, own, num_envs=1):
        self.spaces, self.num_envs = own, num_envs

    def reset(self):
        yes = np.ones(self.num_envs, bool)
        rewards = np.zeros(self.num_envs, np.float32)
        return Timestep(np.zeros((self.num_envs, 2), np.float32), rewards, yes, ~yes, ~yes)

    def step(self, action):  # noqa: ARG002
        return self.reset()

    def close(self):
        pass


@pytest.mark.parametrize(("own", "words"), VECTORS, ids=range(len(VECTORS)))
def test_vector_environments(own, words):
    with pytest.raises(EnvError, match=words):
        make_from_factory(lambda: Vector(own), seeds=[0])


def test_a_vector_environment_of_another_number_or_with_keys():
    for number in (0, 2, "1", None):
        with pytest.raises(EnvError, match=rf"wanted 1 environments from .*, got {number}"):
            make_from_factory(lambda number=number: Vector(vector(), number), seeds=[0])
    with pytest.raises(EnvError, match=r"wanted no keys for a `VectorEnv`, got \('a',\)"):
        make_from_factory(lambda: Vector(vector()), seeds=[0], keys=("a",))
    with pytest.raises(EnvError, match=r"wanted no keys for an Atari game, got \('a',\)"):
        make_env(game="Pong", keys=("a",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1, 1), "seeds of at least 0, got -1"),
        (([0, -3], 2), "seeds of at least 0, got -3"),
        ((0, 0), "got 0"),
        ((0, -3), "got -3"),
        (([0, 1], 3), "a multiple of 2 agent seeds as `num_envs`, got 3"),
        (([], 1), "a multiple of 0 agent seeds"),
        ((0, 10**9), "at most 65536 environments, got 1000000000"),
    ],
)
def test_seeds(arguments, words):
    with pytest.raises(EnvError, match=words):
        env_seeds(*arguments)


# --- on the command line: modules of users, which run in this process ---
MODULES = [
    ("def make(:", "SyntaxError"),
    ("import no_such_package", "no_such_package"),
    ("raise RuntimeError('boom')", "RuntimeError: boom"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("1 / 0", "ZeroDivisionError"),
    ("make = 3", "int"),
    ("", "has no attribute 'make'"),
    ("def make(): raise ValueError('a\\nb')", "ValueError: a b (broken.py, line 1)"),
    ("def make(): return None", "NoneType"),
    ("def make(): return 'CartPole-v1'", "str"),
    ("def make(level): return level", "'level'"),
    ("import gymnasium\nmake = gymnasium.Env", "without"),
]


@pytest.mark.parametrize(("text", "words"), MODULES, ids=range(len(MODULES)))
def test_a_module_on_the_command_line(refused, empty_directory, monkeypatch, text, words):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    (empty_directory / "broken.py").write_text(text)
    sys.path.insert(0, str(empty_directory))
    line = refused("train", "--preset", "debug", "--env", "broken:make", "--run-dir", "run")
    assert words in line
    sys.modules.pop("broken", None)
