"""Gymnasium environments, and environments that a user's function makes, stepped in this process."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hieros_eqx.envs.next_step import CheckedEnv, NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.spaces import ActionWriter, ObservationReader
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Spaces


def load_gymnasium() -> Any:
    """The package; `EnvError` where it is not installed."""
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise EnvError(f"wanted gymnasium, got {error}: `pip install gymnasium`") from error


def gymnasium_ids() -> list[str]:
    """Every id registered with Gymnasium."""
    return list(load_gymnasium().registry)


def make_gymnasium(
    env_id: str,
    *,
    seeds: Sequence[int],
    keys: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> VectorEnv:
    """One copy per seed of a Gymnasium id; `options` go to `gymnasium.make` as they are."""
    gymnasium = load_gymnasium()

    def make() -> Any:
        try:
            return gymnasium.make(env_id, disable_env_checker=True, **(options or {}))
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            near = difflib.get_close_matches(env_id, gymnasium_ids(), n=3)
            hint = f": did you mean {' or '.join(near)}?" if near and env_id not in near else ""
            raise EnvError(f"wanted the Gymnasium environment {env_id!r}, got {error}{hint}") from error

    return NextStepEnv(GymnasiumSimulator([make() for _ in seeds], seeds=seeds, keys=keys))


def find_factory(path: str) -> Callable[..., Any]:
    """The function or class that `module:name` points to."""
    module_name, _, name = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise EnvError(f"wanted an importable `module:factory`, got {path!r} ({error})") from error
    if not callable(factory):
        raise EnvError(f"wanted a function or class at {path!r}, got {type(factory).__name__}")
    return factory


def make_from_factory(
    factory: Callable[..., Any],
    *,
    seeds: Sequence[int],
    keys: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> VectorEnv:
    """Environments from a factory that returns a `gymnasium.Env` or a whole `VectorEnv`.

    A factory of `gymnasium.Env` is called once per seed; one of `VectorEnv` once. It receives `options`,
    and those of `num_envs`, `seed` (the first) and `seeds` (all of them) that its parameters name.
    """
    offered = {"num_envs": len(seeds), "seed": seeds[0], "seeds": list(seeds)}
    try:
        named = inspect.signature(factory).parameters
    except ValueError:  # some built-in callables have no signature
        named = {}
    arguments = {k: v for k, v in offered.items() if k in named} | dict(options or {})
    first = factory(**arguments)
    if isinstance(first, VectorEnv) or (hasattr(first, "spaces") and hasattr(first, "num_envs")):
        if first.num_envs != len(seeds):
            raise EnvError(
                f"wanted {len(seeds)} environments from {factory}, got {first.num_envs}: "
                "let it take `num_envs`, or ask for as many as it makes"
            )
        return first if isinstance(first, NextStepEnv | CheckedEnv) else CheckedEnv(first)
    if not all(hasattr(first, name) for name in ("observation_space", "action_space", "reset", "step")):
        raise EnvError(
            f"wanted a `gymnasium.Env` or a `VectorEnv` from {factory}, got {type(first).__name__}"
        )
    others = [factory(**{**arguments, **({"seed": s} if "seed" in arguments else {})}) for s in seeds[1:]]
    return NextStepEnv(GymnasiumSimulator([first, *others], seeds=seeds, keys=keys))


class GymnasiumSimulator:
    """A `Simulator` over a list of `gymnasium.Env` of equal spaces."""

    def __init__(self, envs: Sequence[Any], *, seeds: Sequence[int], keys: Sequence[str]):
        self.num_envs = len(envs)
        self._envs = list(envs)
        if len({id(env) for env in envs}) < len(envs):
            raise EnvError(
                f"wanted {len(envs)} separate environments, got one object several times: make it anew"
            )
        self._seeds: list[int | None] = [int(seed) for seed in seeds]
        self._read = ObservationReader(envs[0].observation_space, keys)
        self._write = ActionWriter(envs[0].action_space)
        self.spaces = Spaces(observation=self._read.space, action=self._write.space)
        self._answer: RawStep | None = None

    def reset(self) -> np.ndarray:
        """Start all episodes."""
        return np.concatenate([self._reset(i) for i in range(self.num_envs)])

    def send(self, action: np.ndarray, restart: np.ndarray) -> None:
        """Step one after another; where `restart`, begin a new episode."""
        written = self._write(action)
        observations, outcomes = [], []
        for i, env in enumerate(self._envs):
            if restart[i]:
                observations.append(self._reset(i))
                outcomes.append((0.0, False, False))
                continue
            answer = env.step(int(written[i]) if self.spaces.action.kind == "discrete" else written[i])
            if not isinstance(answer, tuple) or len(answer) != 5:
                raise EnvError(
                    "wanted (observation, reward, terminated, truncated, info) from `step`, "
                    f"got {type(answer).__name__}: Gymnasium's API of version 0.26 or later"
                )
            observations.append(self._one(answer[0]))
            outcomes.append(
                (_number(answer[1]), _flag(answer[2], "terminated"), _flag(answer[3], "truncated"))
            )
        reward, terminated, truncated = (np.asarray(x) for x in zip(*outcomes, strict=True))
        self._answer = RawStep(np.concatenate(observations), reward, terminated, truncated)

    def recv(self) -> RawStep:
        """The step's answer."""
        if self._answer is None:
            raise EnvError("wanted `send` before `recv`, got `recv`")
        return self._answer

    def close(self) -> None:
        """Close all."""
        for env in self._envs:
            env.close()

    def _reset(self, i: int) -> np.ndarray:
        """A new episode of environment i, seeded the first time only."""
        answer = self._envs[i].reset(seed=self._seeds[i])
        self._seeds[i] = None
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise EnvError(f"wanted (observation, info) from `reset`, got {type(answer).__name__}")
        return self._one(answer[0])

    def _one(self, observation: Any) -> np.ndarray:
        return self._read(_lead_with_env(observation), 1)


def _lead_with_env(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {key: _lead_with_env(value) for key, value in observation.items()}
    return np.asarray(observation)[None]


def _number(reward: Any) -> float:
    """A reward as a number; NumPy's scalars and arrays of one element are taken."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise EnvError(f"wanted one number as reward, got {reward!r}")
    return float(value.reshape(()))


def _flag(flag: Any, name: str) -> bool:
    if not isinstance(flag, bool | np.bool_):
        raise EnvError(f"wanted a boolean `{name}`, got {flag!r}")
    return bool(flag)
