"""Environments as users write them, good and broken, for `module:factory`."""

from types import SimpleNamespace

import gymnasium
import numpy as np

from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces, Timestep

not_callable = 3


class Corridor(gymnasium.Env):
    """Walk right three times; the reward is a boolean, the observation where one is."""

    observation_space = gymnasium.spaces.Box(0, 9, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):  # noqa: ARG002
        super().reset(seed=seed)
        self.at, self.time = 0, 0
        return self.seen(), {}

    def step(self, action):
        assert type(action) is int
        self.at, self.time = self.at + action, self.time + 1
        return self.seen(), self.at == 3, self.at == 3, self.time == 5, {}

    def seen(self):
        return np.array([self.at, self.time], np.float32)


class Broken(Corridor):
    """A corridor that answers wrongly, as told."""

    def __init__(self, **wrong):
        self.wrong = SimpleNamespace(**wrong)

    def step(self, action):
        names = ("observation", "reward", "terminated", "truncated", "info")
        good = dict(zip(names, super().step(action), strict=True))
        answer = tuple({**good, **vars(self.wrong)}.values())
        return answer[:4] if "old" in vars(self.wrong) else answer


class OwnVectorEnv:
    """The protocol by hand, without `send` and `recv`: counts to 2, then ends; `wrong` replaces fields."""

    def __init__(self, num_envs=1, wrong=None):
        self.num_envs = num_envs
        self.spaces = Spaces(
            observation=ObservationSpace(kind="vector", shape=(1,)),
            action=ActionSpace(kind="continuous", size=2),
        )
        self.wrong = wrong or {}
        self.time = 0
        self.closed = False

    def reset(self):
        self.time = 0
        return self.timestep()

    def step(self, action):
        assert action.dtype == np.float32
        self.time = (self.time + 1) % 3
        return self.timestep()._replace(**self.wrong)

    def timestep(self):
        ones = np.ones(self.num_envs, bool)
        return Timestep(
            observation=np.full((self.num_envs, 1), self.time, np.float32),
            reward=np.full(self.num_envs, self.time, np.float32),
            is_first=ones & (self.time == 0),
            is_last=ones & (self.time == 2),
            is_terminal=ones & (self.time == 2),
        )

    def close(self):
        self.closed = True


def corridor():
    return Corridor()


def own_vector_env(num_envs):
    return OwnVectorEnv(num_envs)
