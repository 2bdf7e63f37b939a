"""Gymnasium environments, and environments that a user's function makes, stepped in this process."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hieros_eqx.envs.foreign import Asking
from hieros_eqx.envs.joined import JoinedEnv
from hieros_eqx.envs.next_step import CheckedEnv, NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.spaces import ActionWriter, ObservationReader, check_spaces
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Spaces

GYMNASIUM = ("observation_space", "action_space", "reset", "step", "close")


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
    with Asking(f"importing {module_name!r}"):
        try:  # a relative name is a TypeError
            factory = getattr(importlib.import_module(module_name), name)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise EnvError(f"wanted an importable `module:factory`, got {path!r} ({error})") from error
    if not callable(factory):
        raise EnvError(f"wanted a function or class at {path!r}, got {type(factory).__name__}")
    return factory


def make_from_factory(
    factory: Callable[..., Any],
    *,
    seeds: Sequence[int],
    agents: int = 1,
    keys: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> VectorEnv:
    """Environments from a factory that returns a `gymnasium.Env` or a whole `VectorEnv`.

    A factory of `gymnasium.Env` is called once per seed; one of `VectorEnv` once for each of `agents`, which
    share the seeds evenly. It receives `options`, and those of `num_envs` (of one agent), `seed` (the first
    of them) and `seeds` (all of them) that its parameters name: an agent alone would get the same.
    """
    if not callable(factory):
        raise EnvError(f"wanted a function or class as factory, got {type(factory).__name__}")
    if agents < 1 or not len(seeds) or len(seeds) % agents:
        raise EnvError(f"wanted seeds in equal shares for the agents, got {len(seeds)} for {agents}")
    share = len(seeds) // agents
    own = [list(seeds[i * share : (i + 1) * share]) for i in range(agents)]
    arguments = [_offer(factory, part, options) for part in own]
    make = partial(_made, factory)
    first = make(**arguments[0])
    if _is_vector(first):
        if keys:
            raise EnvError(f"wanted no keys for a `VectorEnv`, got {tuple(keys)}: leave keys out")
        made = [first, *(make(**given) for given in arguments[1:])]
        _check_separate(made)
        parts = [_checked(env, share, factory) for env in made]
        return parts[0] if agents == 1 else JoinedEnv(parts)
    each = [
        {**given, **({"seed": seed} if "seed" in given else {})}
        for given, part in zip(arguments, own, strict=True)
        for seed in part
    ]
    envs = [first, *(make(**given) for given in each[1:])]
    for env in envs:
        missing = [name for name in GYMNASIUM if not hasattr(env, name)]
        if missing or isinstance(env, type):
            got = f"the class {env.__name__}" if isinstance(env, type) else f"{type(env).__name__}"
            lacks = f" without {', '.join(missing)}" if missing else ": make an object of it"
            raise EnvError(f"wanted a `gymnasium.Env` or a `VectorEnv` from {factory}, got {got}{lacks}")
    return NextStepEnv(GymnasiumSimulator(envs, seeds=seeds, keys=keys))


def _made(factory: Callable[..., Any], **arguments: Any) -> Any:
    with Asking(f"{factory} with {', '.join(arguments) or 'no arguments'}"):
        return factory(**arguments)


def _offer(
    factory: Callable[..., Any], seeds: list[int], options: Mapping[str, Any] | None
) -> dict[str, Any]:
    if options is not None and not isinstance(options, Mapping):
        raise EnvError(f"wanted `options` as names and values, got {type(options).__name__}")
    offered = {"num_envs": len(seeds), "seed": seeds[0], "seeds": seeds}
    try:
        named = inspect.signature(factory).parameters
    except ValueError:  # some built-in callables have no signature
        named = {}
    return {k: v for k, v in offered.items() if k in named} | dict(options or {})


def _check_separate(envs: Sequence[Any]) -> None:
    if len({id(env) for env in envs}) < len(envs):
        raise EnvError(
            f"wanted {len(envs)} separate environments, got one object several times: make it anew"
        )


def _is_vector(env: Any) -> bool:
    return isinstance(env, VectorEnv) or (hasattr(env, "spaces") and hasattr(env, "num_envs"))


def _checked(env: Any, num_envs: int, factory: Callable[..., Any]) -> VectorEnv:
    check_spaces(env.spaces)
    if env.num_envs != num_envs:
        raise EnvError(
            f"wanted {num_envs} environments from {factory}, got {env.num_envs}: "
            "let it take `num_envs`, or ask for as many as it makes"
        )
    return env if isinstance(env, NextStepEnv | CheckedEnv) else CheckedEnv(env)


class GymnasiumSimulator:
    """A `Simulator` over a list of `gymnasium.Env` of equal spaces."""

    def __init__(self, envs: Sequence[Any], *, seeds: Sequence[int], keys: Sequence[str]):
        self.num_envs = len(envs)
        self._envs = list(envs)
        _check_separate(envs)
        self._seeds: list[int | None] = [int(seed) for seed in seeds]
        self._read = ObservationReader(envs[0].observation_space, keys)
        self._write = ActionWriter(envs[0].action_space)
        self.spaces = Spaces(observation=self._read.space, action=self._write.space)
        for env in envs[1:]:
            own = _spaces(env, keys)
            if own != self.spaces:
                raise EnvError(f"wanted environments of equal spaces, got {self.spaces} and {own}")
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
            with Asking("`step` of the environment"):
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
            with Asking("`close` of the environment"):
                env.close()

    def _reset(self, i: int) -> np.ndarray:
        """A new episode of environment i, seeded the first time only."""
        with Asking("`reset` of the environment"):
            answer = self._envs[i].reset(seed=self._seeds[i])
        self._seeds[i] = None
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise EnvError(f"wanted (observation, info) from `reset`, got {type(answer).__name__}")
        return self._one(answer[0])

    def _one(self, observation: Any) -> np.ndarray:
        return self._read(_lead_with_env(observation), 1)


def _spaces(env: Any, keys: Sequence[str]) -> Spaces:
    read = ObservationReader(env.observation_space, keys)
    return Spaces(observation=read.space, action=ActionWriter(env.action_space).space)


def _lead_with_env(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {key: _lead_with_env(value) for key, value in observation.items()}
    return _array(observation, "observation")[None]


def _array(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise EnvError(f"wanted numbers as {name}, got {type(value).__name__} ({error})") from error


def _number(reward: Any) -> float:
    """A reward as a number; NumPy's scalars and arrays of one element are taken."""
    value = _array(reward, "reward")
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise EnvError(f"wanted one number as reward, got {reward!r}")
    return float(value.reshape(()))


def _flag(flag: Any, name: str) -> bool:
    if not isinstance(flag, bool | np.bool_):
        raise EnvError(f"wanted a boolean `{name}`, got {flag!r}")
    return bool(flag)
