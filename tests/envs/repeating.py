"""Random play, and what it takes for environments to have been brought back to a point of it."""

import numpy as np

from hieros_eqx.envs import History
from hieros_eqx.types import Timestep


def play(env, steps, seed=0):
    """All timesteps of random play; one more than `steps`."""
    rng, space = np.random.default_rng(seed), env.spaces.action
    seen = [env.reset()]
    for _ in range(steps):
        discrete = space.kind == "discrete"
        shape = (env.num_envs,) if discrete else (env.num_envs, space.size)
        seen.append(env.step(rng.integers(0, space.size, shape) if discrete else rng.uniform(-1, 1, shape)))
    return seen


def until(history, known, *, unanswered=False):
    """The history as it was after `known` timesteps."""
    return History(history.actions[: known - 1 + unanswered], history.checks[:known], history.first[:known])


def assert_same(got, wanted):
    for name, x, y in zip(Timestep._fields, got, wanted, strict=True):
        assert x.dtype == y.dtype, name
        np.testing.assert_array_equal(x, y, err_msg=name)


def assert_goes_on(env, timestep, history, seen, at, steps=200):
    """`timestep` is the one seen at `at`, those after it follow, and so does the record of all of it."""
    assert_same(timestep, seen[at])
    stop = min(at + steps, len(seen) - 1)
    for t in range(at, stop):
        assert_same(env.step(history.actions[t]), seen[t + 1])
    for x, y in zip(env.history(), until(history, stop + 1), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
