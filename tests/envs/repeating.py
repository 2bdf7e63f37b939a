"""What tests of repetition share: environments of which everything is known, random play, comparisons."""

import numpy as np

from hieros_eqx.envs import History, NextStepEnv, RawStep
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep

SEEDS = (7, 2, 9)


class Walk:
    """A `SelectiveSimulator`: each action moves that far; the draw at each reset is how far the way is.

    `leftover`: an episode begins where the one before has ended, which only `hidden` shows at once, as some
    Atari games do. `falter` (env, step): there the answer depends on no seed. `breaks` (call, step): this
    `send` or `recv` raises.
    """

    spaces = Spaces(
        observation=ObservationSpace(kind="vector", shape=(2,)), action=ActionSpace(kind="discrete", size=3)
    )
    independent_episodes = True
    hidden: np.ndarray | None = None

    def __init__(self, seeds=SEEDS, *, leftover=False, falter=None, breaks=None):
        self.num_envs = len(seeds)
        self.random = [np.random.default_rng(seed) for seed in seeds]
        self.end, self.at, self.left = (np.zeros(self.num_envs, np.int64) for _ in range(3))
        self.leftover, self.falter, self.breaks = leftover, falter, breaks
        self.resets, self.steps = np.zeros(self.num_envs, int), np.zeros(self.num_envs, int)
        self.calls, self.closed = 0, False

    def begin(self, envs):
        self.resets[envs] += 1
        if self.leftover:
            self.left[envs] = self.at[envs]
        self.at[envs] = 0
        self.end[envs] = [self.random[i].integers(4, 30) for i in envs]

    def move(self, envs, action):
        self.steps[envs] += 1
        self.at[envs] += action + 1
        wobble = np.zeros(self.num_envs)
        if self.falter is not None and self.calls == self.falter[1]:
            wobble[self.falter[0]] = 1
        return wobble

    def see(self, envs, wobble=0.0):
        self.hidden = np.stack([self.left, self.left + 1], axis=1).astype(np.uint8)[envs]
        shown = np.where(self.at >= 3, self.at + 100 * self.left, self.at) + wobble
        return np.stack([shown, self.end], axis=1).astype(np.float32)[envs]

    def answer(self, envs, wobble):
        over = (self.at >= self.end)[envs]
        observation = self.see(envs, wobble)
        return RawStep(observation, observation[:, 0], over & (self.end % 2 == 0)[envs], over)

    def reset(self):
        return self.reset_some(np.arange(self.num_envs))

    def send(self, action, restart):
        self.calls += 1
        self.may_break("send")
        self.sent = action, restart

    def may_break(self, call):
        if (call, self.calls) == self.breaks:
            raise RuntimeError("the emulator is gone")

    def recv(self):
        self.may_break("recv")
        action, restart = self.sent
        everyone = np.arange(self.num_envs)
        self.begin(everyone[restart])
        wobble = self.move(everyone[~restart], action[~restart])
        return self.answer(everyone, wobble)

    def reset_some(self, envs):
        self.begin(envs)
        return self.see(envs)

    def step_some(self, envs, action):
        return self.answer(envs, self.move(envs, action))

    def close(self):
        self.closed = True


def walk(**arguments):
    return NextStepEnv(Walk(**arguments))


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
