"""The door of the protocol: actions that are not allowed, and calls out of turn."""

import numpy as np
import pytest

from hieros_eqx.envs import CheckedEnv, check_action, random_length
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace

DISCRETE = ActionSpace(kind="discrete", size=3)
CONTINUOUS = ActionSpace(kind="continuous", size=2)


@pytest.mark.parametrize(
    ("action", "space", "got"),
    [
        ([0, 1, 2], DISCRETE, r"\(3,\)"),
        ([[0], [1]], DISCRETE, r"\(2, 1\)"),
        (1, DISCRETE, r"\(\)"),
        ([0.0, 1.0], DISCRETE, "float64"),
        ([True, False], DISCRETE, "bool"),
        ([0, 3], DISCRETE, r"\[0, 3\]"),
        ([-1, 0], DISCRETE, r"\[-1, 0\]"),
        ([[0.0], [0.0]], CONTINUOUS, r"\(2, 1\)"),
        ([[0, 0], [0, 0]], CONTINUOUS, "int64"),
        ([[0.0, 1.1], [0.0, 0.0]], CONTINUOUS, r"1\.1"),
        ([[0.0, np.nan], [0.0, 0.0]], CONTINUOUS, "nan"),
        ([[0.0, -np.inf], [0.0, 0.0]], CONTINUOUS, "inf"),
    ],
)
def test_actions_that_are_not_allowed(action, space, got):
    with pytest.raises(EnvError, match=f"wanted .* got .*{got}"):
        check_action(action, space, 2)


def test_actions_that_are_allowed():
    checked = check_action(np.array([0, 2], np.uint8), DISCRETE, 2)
    assert checked.dtype == np.int32 and checked.tolist() == [0, 2]
    checked = check_action([[-1.0, 0.5], [1.000001, 0.0]], CONTINUOUS, 2)
    assert checked.dtype == np.float32 and checked.tolist() == [[-1, 0.5], [1, 0]]


@pytest.mark.parametrize("wrap", [lambda env: env, CheckedEnv])
def test_calls_out_of_turn(wrap):
    env = wrap(random_length(num_envs=2))
    action = np.zeros(2, np.int32)
    with pytest.raises(EnvError, match="reset"):
        env.step(action)
    env.reset()
    with pytest.raises(EnvError, match="wanted `send` before `recv`"):
        env.recv()
    env.send(action)
    with pytest.raises(EnvError, match="recv"):
        env.send(action)
    with pytest.raises(EnvError, match="recv"):
        env.reset()
    env.recv()
    env.reset()


def test_a_refused_action_leaves_the_environment_as_it_was():
    env = random_length(num_envs=1, lengths=[[3]])
    env.reset()
    with pytest.raises(EnvError):
        env.step(np.array([7]))
    assert env.step(np.array([0])).observation.tolist() == [[0, 1, 0]]
