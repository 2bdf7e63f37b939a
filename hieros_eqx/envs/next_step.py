"""Turns a simulator into a `VectorEnv`: next-step reset, flags and checks, written once for all backends."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from hieros_eqx.envs.foreign import Asking
from hieros_eqx.envs.protocol import (
    VectorEnv,
    check_action,
    check_flag,
    check_observation,
    check_reward,
    describe,
)
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Spaces, Timestep


class RawStep(NamedTuple):
    """What a simulator answers. All fields lead with `env`."""

    observation: np.ndarray  # uint8 [env height width channels] | float32 [env feature]
    reward: np.ndarray  # numbers [env]
    terminated: np.ndarray  # bool [env]: the episode is over
    truncated: np.ndarray  # bool [env]: it was only cut short; both may hold


@runtime_checkable
class Simulator(Protocol):
    """What a backend has to bring. Its actions have been checked: int32 `[env]` or float32 `[env size]`."""

    spaces: Spaces
    num_envs: int

    def reset(self) -> np.ndarray:
        """Start all episodes; the first observations."""
        ...

    def send(self, action: np.ndarray, restart: np.ndarray) -> None:
        """Begin a step. Where `restart` (bool `[env]`), begin a new episode in place of acting."""
        ...

    def recv(self) -> RawStep:
        """Finish the step; where it restarted, only the observation is read."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


@runtime_checkable
class SelectiveSimulator(Simulator, Protocol):
    """A `Simulator` that can also move some environments, by index, while the others stand still."""

    independent_episodes: bool  # as far as is known, an episode changes nothing in those after it
    hidden: np.ndarray | None  # [env byte]: state behind the last answer's observations, to notice otherwise

    def reset_some(self, envs: np.ndarray) -> np.ndarray:
        """Start the next episode of `envs`; their first observations, in that order."""
        ...

    def step_some(self, envs: np.ndarray, action: np.ndarray) -> RawStep:
        """Step `envs`, none of which has ended."""
        ...


class NextStepEnv(VectorEnv):
    """A `Simulator` as a `VectorEnv`, with every action and every answer checked."""

    def __init__(self, simulator: Simulator):
        self.spaces, self.num_envs = simulator.spaces, simulator.num_envs
        self._simulator = simulator
        self._ended: np.ndarray | None = (
            None  # bool [env]: the last timestep was `is_last`; None before reset
        )
        self._under_way = False

    def reset(self) -> Timestep:
        """Start all environments anew."""
        if self._under_way:
            raise EnvError("wanted `recv` after `send`, got `reset`: finish the step first")
        timestep = self._first(self._simulator.reset(), self.num_envs)
        self._ended = timestep.is_last.copy()
        return timestep

    def send(self, action: object) -> None:
        """Begin a step."""
        if self._ended is None:
            raise EnvError("wanted `reset` before the first step, got `send`")
        if self._under_way:
            raise EnvError("wanted `recv` after `send`, got `send` again")
        self._simulator.send(check_action(action, self.spaces.action, self.num_envs), self._ended)
        self._under_way = True

    def recv(self) -> Timestep:
        """Finish the step begun by `send`."""
        if not self._under_way or self._ended is None:
            raise EnvError("wanted `send` before `recv`, got `recv`")
        raw, is_first = self._simulator.recv(), self._ended
        self._under_way = False
        timestep = self._answer(raw, is_first)
        self._ended = timestep.is_last.copy()
        return timestep

    def step(self, action: object) -> Timestep:
        """`send`, then `recv`."""
        self.send(action)
        return self.recv()

    def close(self) -> None:
        """Free the simulator."""
        self._simulator.close()

    @property
    def can_skip(self) -> bool:
        """Whether episodes may be left out by resets, as far as is known without a change to later ones."""
        simulator = self._simulator
        return isinstance(simulator, SelectiveSimulator) and simulator.independent_episodes

    @property
    def hidden(self) -> np.ndarray | None:
        """State behind the last observations, bytes `[env byte]`; None if the simulator does not tell."""
        return getattr(self._simulator, "hidden", None)

    def reset_some(self, envs: np.ndarray) -> Timestep:
        """Start the next episode of environments `envs`, wherever they are; answers are in that order."""
        simulator, ended = self._selective("reset_some")
        observation = simulator.reset_some(envs)
        ended[envs] = False
        return self._first(observation, len(envs))

    def step_some(self, envs: np.ndarray, action: np.ndarray) -> Timestep:
        """Step environments `envs`, none of which has ended; answers are in that order."""
        simulator, ended = self._selective("step_some")
        if ended[envs].any():
            raise EnvError(
                f"wanted environments within an episode, got {envs[ended[envs]]}, which have ended"
            )
        raw = simulator.step_some(envs, check_action(action, self.spaces.action, len(envs)))
        timestep = self._answer(raw, np.zeros(len(envs), np.bool_))
        ended[envs] = timestep.is_last
        return timestep

    def _selective(self, call: str) -> tuple[SelectiveSimulator, np.ndarray]:
        if not isinstance(self._simulator, SelectiveSimulator):
            raise EnvError(f"wanted a simulator with `{call}`, got {type(self._simulator).__name__} without")
        if self._ended is None or self._under_way:
            raise EnvError(f"wanted `{call}` after `reset` and between steps")
        return self._simulator, self._ended

    def _first(self, observation: np.ndarray, count: int) -> Timestep:
        no = np.zeros(count, np.bool_)
        checked = check_observation(observation, self.spaces.observation, count)
        return Timestep(checked, np.zeros(count, np.float32), ~no, no, no.copy())

    def _answer(self, raw: RawStep, is_first: np.ndarray) -> Timestep:
        """What was begun as a step, or where `is_first` as a new episode."""
        count = len(is_first)
        reward = check_reward(raw.reward, count)
        terminated = check_flag(raw.terminated, "terminated", count)
        truncated = check_flag(raw.truncated, "truncated", count)
        return Timestep(
            observation=check_observation(raw.observation, self.spaces.observation, count),
            reward=np.where(is_first, np.float32(0), reward),
            is_first=is_first,
            is_last=(terminated | truncated) & ~is_first,
            is_terminal=terminated & ~is_first,
        )


class CheckedEnv(VectorEnv):
    """Somebody else's `VectorEnv`, with every action and answer checked against the protocol.

    `send` and `recv` need not exist there; `step` then runs at `recv`.
    """

    def __init__(self, env: Any):
        missing = [n for n in ("spaces", "num_envs", "reset", "step", "close") if not hasattr(env, n)]
        if missing:
            raise EnvError(f"wanted a `VectorEnv`, got {type(env).__name__} without {', '.join(missing)}")
        self.spaces, self.num_envs = env.spaces, env.num_envs
        self._env = env
        self._split = hasattr(env, "send") and hasattr(env, "recv")
        self._action: np.ndarray | None = None
        self._ended: np.ndarray | None = None

    def reset(self) -> Timestep:
        """Start all environments anew."""
        if self._action is not None:
            raise EnvError("wanted `recv` after `send`, got `reset`: finish the step first")
        self._ended = np.ones(self.num_envs, np.bool_)
        with Asking("`reset`"):
            timestep = self._env.reset()
        return self._checked(timestep, self._ended)

    def send(self, action: object) -> None:
        """Begin a step."""
        if self._ended is None or self._action is not None:
            raise EnvError("wanted `reset`, then `send` and `recv` in turns, got `send`")
        self._action = check_action(action, self.spaces.action, self.num_envs)
        if self._split:
            with Asking("`send`"):
                self._env.send(self._action)

    def recv(self) -> Timestep:
        """Finish the step begun by `send`."""
        if self._action is None or self._ended is None:
            raise EnvError("wanted `send` before `recv`, got `recv`")
        action, self._action = self._action, None
        with Asking("`recv`" if self._split else "`step`"):
            timestep = self._env.recv() if self._split else self._env.step(action)
        return self._checked(timestep, self._ended)

    def step(self, action: object) -> Timestep:
        """`send`, then `recv`."""
        self.send(action)
        return self.recv()

    def close(self) -> None:
        """Free the environments."""
        with Asking("`close`"):
            self._env.close()

    def _checked(self, timestep: Timestep, ended: np.ndarray) -> Timestep:
        n = self.num_envs
        if not isinstance(timestep, Timestep):
            raise EnvError(f"wanted a `Timestep` from `reset` and `step`, got {describe(timestep)}")
        flags = {name: check_flag(getattr(timestep, name), name, n) for name in Timestep._fields[2:]}
        reward = check_reward(timestep.reward, n)
        first, last, terminal = flags.values()
        if not np.array_equal(first, ended):
            raise EnvError(f"wanted `is_first` at `reset` and right after `is_last`, {ended}, got {first}")
        if (first & last).any() or (terminal & ~last).any():
            raise EnvError("wanted `is_terminal` only with `is_last`, and `is_last` never with `is_first`")
        if reward[first].any():
            raise EnvError(f"wanted reward 0 where `is_first`, got {reward[first].tolist()}")
        self._ended = last.copy()
        observation = check_observation(timestep.observation, self.spaces.observation, n)
        return Timestep(observation, reward, first, last, terminal)
