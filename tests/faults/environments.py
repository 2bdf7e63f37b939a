"""An environment with continuous actions, by `module:factory`."""

import gymnasium
import numpy as np


class Pendulum(gymnasium.Env):
    """Two numbers pushed to and fro for some steps; the reward is how near they are to zero."""

    observation_space = gymnasium.spaces.Box(-10, 10, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):  # noqa: ARG002
        super().reset(seed=seed)
        self.at, self.left = self.np_random.normal(size=2), int(self.np_random.integers(3, 9))
        return self.seen(), {}

    def step(self, action):
        self.at, self.left = np.clip(self.at + 0.3 * action, -9, 9), self.left - 1
        return self.seen(), -float(np.abs(self.at).sum()), self.left == 0, False, {}

    def seen(self):
        return np.array([*self.at, self.left], np.float32)


def pendulum():
    """Return a pendulum."""
    return Pendulum()
