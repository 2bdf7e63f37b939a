"""Environments of users that break the contract: one `EnvError` that says what was wanted and got."""

import re

import numpy as np
import pytest

from hieros_eqx.envs import make_from_factory
from hieros_eqx.errors import EnvError

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

UNIT = spaces.Box(0, 1, (2,), np.float32)
GRID = spaces.Box(0, 1, (2, 3), np.float32)
PICTURE = spaces.Box(0, 255, (64, 48, 3), np.uint8)
TWO = spaces.Discrete(2)
GOOD = np.zeros(2, np.float32)


class Custom:
    """Not even a subclass of `gymnasium.Env`; answers as told."""

    def __init__(self, observation=UNIT, action=TWO, *, reset=None, step=None, raises=None):
        self.observation_space, self.action_space = observation, action
        self._reset, self._step, self._raises = reset, step, raises

    def reset(self, *, seed=None, options=None):  # noqa: ARG002
        if self._raises == "reset":
            raise RuntimeError("boom")
        return (self.observation_space.sample(), {}) if self._reset is None else self._reset

    def step(self, action):  # noqa: ARG002
        if self._raises == "step":
            raise RuntimeError("boom")
        return self._step

    def close(self):
        if self._raises == "close":
            raise RuntimeError("boom")


def fake(kind, **attributes):
    """Return an object that calls itself a space of Gymnasium."""
    return type(kind, (), attributes)()


def backwards(low, high):
    return fake("Box", low=[low], high=[high], shape=(1,), dtype=np.float32)


SPACES = [
    # observation space, action space, what the message says
    (UNIT, spaces.MultiBinary(3), r"wanted Discrete or floating-point Box actions, got MultiBinary\(3\)"),
    (UNIT, spaces.MultiDiscrete([2, 2]), r"actions, got MultiDiscrete"),
    (UNIT, spaces.Tuple((TWO,)), r"actions, got Tuple"),
    (UNIT, spaces.Dict(a=TWO), r"actions, got Dict"),
    (UNIT, spaces.Box(0, 3, (2,), np.int32), r"floating-point Box actions, got Box\(0, 3"),
    (UNIT, spaces.Box(0, 1, (0,), np.float32), r"wanted 1 to 2147483647 continuous actions, got size 0"),
    (UNIT, spaces.Discrete(40_000), r"wanted 1 to 32767 discrete actions, got size 40000"),
    (UNIT, fake("Discrete", n=0, start=0), r"wanted 1 to 32767 discrete actions, got size 0"),
    (
        UNIT,
        backwards(1.0, -1.0),
        r"low <= high, got low=\[1.0\], high=\[-1.0\]",
    ),
    (
        UNIT,
        backwards(np.nan, 1.0),
        r"low <= high, got low=\[nan\]",
    ),
    (UNIT, None, r"actions, got None"),
    (None, TWO, r"wanted Box, Discrete, .* observations, got None"),
    (spaces.Tuple((UNIT,)), TWO, r"observations, got Tuple"),
    (spaces.Text(3), TWO, r"observations, got Text"),
    (spaces.Dict(a=spaces.Dict(b=spaces.Tuple((UNIT,)))), TWO, r"observations, got Tuple"),
    (spaces.Dict({}), TWO, r"wanted observations of at least one number"),
    (spaces.Box(0, 1, (0,), np.float32), TWO, r"wanted observations of at least one number, got Box"),
    (spaces.Box(0, 1, (3, 0), np.float32), TWO, r"wanted observations of at least one number, got Box"),
    (fake("Box", shape=(2,), dtype=np.dtype(complex)), TWO, r"wanted Box, Discrete, .* observations, got"),
    (spaces.Box(0, 255, (64, 64, 4), np.uint8), TWO, r"1 or 3 channels.*\(64, 64, 4\)"),
    (spaces.Dict(a=PICTURE, b=UNIT), TWO, r"one picture or only vectors"),
]


@pytest.mark.parametrize(("observation", "action", "words"), SPACES, ids=range(len(SPACES)))
def test_spaces(observation, action, words):
    with pytest.raises(EnvError, match=words):
        make_from_factory(lambda: Custom(observation, action), seeds=[0])


def answer(observation=GOOD, reward=0.0, terminated=False, truncated=False):
    return observation, reward, terminated, truncated, {}


STEPS = [
    # space, what `step` returns, what the message says
    (UNIT, None, r"\(observation, reward, terminated, truncated, info\).* got NoneType"),
    (UNIT, "abcde", r"\(observation, .* got str"),
    (UNIT, [GOOD, 0.0, False, False, {}], r"\(observation, .* got list"),
    (UNIT, (GOOD, 0.0, False, {}), r"got tuple: Gymnasium's API of version 0.26"),
    (UNIT, (*answer(), 1), r"\(observation, .* got tuple"),
    (UNIT, answer(None), r"dtype float32 as declared, got object|shape \(2,\) as declared, got \(\)"),
    (UNIT, answer(np.zeros(3, np.float32)), r"shape \(2,\) as declared, got \(3,\)"),
    (UNIT, answer(np.zeros((2, 2), np.float32)), r"shape \(2,\) as declared, got \(2, 2\)"),
    (UNIT, answer(np.zeros(2, complex)), r"dtype float32 as declared, got complex128"),
    (UNIT, answer("ab"), r"as declared"),
    (UNIT, answer([[1], [1, 2]]), r"wanted numbers as observation, got list"),
    (UNIT, answer(np.array([object(), object()])), r"dtype float32 as declared, got object"),
    (UNIT, answer({"a": GOOD}), r"as declared"),
    (UNIT, answer(np.array([np.nan, 0], np.float32)), r"wanted finite observations"),
    (UNIT, answer(np.array([np.inf, 0], np.float32)), r"wanted finite observations"),
    (spaces.Box(-1, 1, (2,), np.float64), answer(np.full(2, 1e300)), r"wanted finite observations"),
    (GRID, answer(np.zeros((3, 2), np.float32)), r"shape \(2, 3\) as declared, got \(3, 2\)"),
    (GRID, answer(np.zeros(6, np.float32)), r"shape \(2, 3\) as declared, got \(6,\)"),
    (PICTURE, answer(np.zeros((48, 64, 3), np.uint8)), r"\(64, 48, 3\) as declared, got \(48, 64, 3\)"),
    (PICTURE, answer(np.zeros((64, 48, 3), np.float32)), r"dtype uint8 as declared, got float32"),
    (PICTURE, answer(np.zeros((64, 48, 3), np.int64)), r"dtype uint8 as declared, got int64"),
    (spaces.Discrete(3), answer(3), r"wanted an observation in Discrete\(3\), got \[3\]"),
    (spaces.Discrete(3), answer(-1), r"wanted an observation in Discrete\(3\), got \[-1\]"),
    (spaces.Discrete(3), answer(1.5), r"dtype int64 as declared, got float64"),
    (spaces.MultiBinary(3), answer(np.zeros(4, np.int8)), r"shape \(3,\) as declared, got \(4,\)"),
    (spaces.Dict(a=UNIT), answer({"b": GOOD}), r"observation with entry 'a', got dict"),
    (spaces.Dict(a=UNIT), answer(GOOD), r"observation with entry 'a', got ndarray"),
    *[
        (UNIT, answer(reward=reward), words)
        for reward, words in (
            (float("nan"), r"wanted rewards that are finite in float32, got \[nan\]"),
            (float("-inf"), r"finite in float32, got \[-inf\]"),
            (1e300, r"finite in float32, got \[1e\+300\]"),
            (10**400, r"wanted one number as reward"),
            (np.zeros(2), r"wanted one number as reward, got array"),
            ("1", r"wanted one number as reward, got '1'"),
            (None, r"wanted one number as reward, got None"),
            (1j, r"wanted one number as reward, got 1j"),
            ({}, r"wanted one number as reward, got {}"),
            ([[1], [1, 2]], r"wanted numbers as reward, got list"),
        )
    ],
    *[
        (UNIT, answer(**{name: flag}), rf"wanted a boolean `{name}`, got {re.escape(repr(flag))}")
        for name in ("terminated", "truncated")
        for flag in (1, 0.0, None, "False", float("nan"), [True])
    ],
]


@pytest.mark.parametrize(("space", "answered", "words"), STEPS, ids=range(len(STEPS)))
def test_steps(space, answered, words):
    env = make_from_factory(lambda: Custom(space, step=answered), seeds=[0])
    env.reset()
    with pytest.raises(EnvError, match=words):
        env.step(np.zeros(1, np.int32))


def test_a_shape_that_changes_in_the_middle():
    custom = Custom(step=answer())
    env = make_from_factory(lambda: custom, seeds=[0])
    env.reset()
    for _ in range(3):
        env.step(np.zeros(1, np.int32))
    custom._step = answer(np.zeros(5, np.float32))
    with pytest.raises(EnvError, match=r"\(2,\) as declared, got \(5,\)"):
        env.step(np.zeros(1, np.int32))


@pytest.mark.parametrize(
    ("reset", "words"),
    [
        (GOOD, r"\(observation, info\) from `reset`, got ndarray"),
        ((GOOD, {}, 1), r"\(observation, info\) from `reset`, got tuple"),
        ([GOOD, {}], r"\(observation, info\) from `reset`, got list"),
        ((np.zeros(3, np.float32), {}), r"shape \(2,\) as declared, got \(3,\)"),
        ((np.full(2, np.nan, np.float32), {}), r"wanted finite observations"),
    ],
)
def test_resets(reset, words):
    with pytest.raises(EnvError, match=words):
        make_from_factory(lambda: Custom(reset=reset), seeds=[0]).reset()


@pytest.mark.parametrize("where", ["reset", "step", "close"])
def test_what_an_environment_raises_is_told_with_its_place(where):
    env = make_from_factory(lambda: Custom(raises=where, step=answer()), seeds=[0])
    words = rf"`{where}` of the environment, got RuntimeError: boom \(test_custom_environments.py, line \d+\)"
    with pytest.raises(EnvError, match=words) as caught:
        env.reset()
        env.step(np.zeros(1, np.int32))
        env.close()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_what_stops_a_program_stays_as_it_is():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_from_factory(stop, seeds=[0])
