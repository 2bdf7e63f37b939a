"""envpool as a simulator: Atari under the Atari100k protocol, and every other id that fits."""

import difflib
import importlib
import os
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.names import canonical_game
from hieros_eqx.envs.next_step import NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.spaces import ActionWriter, ObservationReader
from hieros_eqx.errors import EnvError
from hieros_eqx.types import Spaces


def load_envpool() -> ModuleType:
    """The package; `EnvError` where it is not installed."""
    try:
        return importlib.import_module("envpool")
    except ImportError as error:
        raise EnvError(
            f"wanted envpool, got {error}: `pip install envpool`, or choose backend 'ale'"
        ) from error


def envpool_ids() -> list[str]:
    """Every id that the installed envpool knows."""
    return load_envpool().list_all_envs()


def make_envpool_atari(
    game: str,
    *,
    seeds: Sequence[int],
    threads: int | None = None,
    frame_skip: int = 4,
    noop_max: int = 30,
    repeat_action_probability: float = 0.0,
    max_episode_frames: int = 108_000,
) -> VectorEnv:
    """One environment per seed of an Atari game, as in Atari100k.

    64 x 64 RGB by area averaging, the maximum of the last two of `frame_skip` frames, up to `noop_max` (at
    least 1) idle frames at the start, the minimal action set, rewards unclipped; losing a life ends
    nothing; `max_episode_frames` frames truncate.
    """
    check_atari_options(frame_skip, noop_max, repeat_action_probability, max_episode_frames)
    options = {
        "stack_num": 1,
        "gray_scale": False,
        "img_height": SIDE,
        "img_width": SIDE,
        "use_inter_area_resize": True,
        "frame_skip": frame_skip,
        "noop_max": noop_max,
        "use_fire_reset": False,  # envpool presses FIRE by default
        "repeat_action_probability": repeat_action_probability,
        "full_action_space": False,
        "episodic_life": False,
        "zero_discount_on_life_loss": False,
        "reward_clip": False,
        "max_episode_steps": max_episode_frames // frame_skip,
    }
    return NextStepEnv(
        EnvPoolSimulator(
            f"{canonical_game(game)}-v5",
            seeds=seeds,
            keys=(),
            threads=threads,
            options=options,
            # Without sticky actions, random numbers are drawn at resets alone. But some games find in memory
            # at a reset what was left there by the episode before, which `hidden` shows.
            independent_episodes=repeat_action_probability == 0,
        )
    )


def check_atari_options(
    frame_skip: int, noop_max: int, repeat_action_probability: float, max_episode_frames: int
) -> None:
    """Raise `EnvError` for options on which the Atari backends misbehave or crash."""
    if frame_skip < 1 or noop_max < 1:
        raise EnvError(f"wanted `frame_skip` and `noop_max` of at least 1, got {frame_skip} and {noop_max}")
    if not 0 <= repeat_action_probability <= 1:
        raise EnvError(f"wanted `repeat_action_probability` in [0, 1], got {repeat_action_probability}")
    if max_episode_frames < frame_skip or max_episode_frames % frame_skip:
        raise EnvError(f"wanted `max_episode_frames` as a multiple of {frame_skip}, got {max_episode_frames}")


def make_envpool(
    env_id: str,
    *,
    seeds: Sequence[int],
    keys: Sequence[str] = (),
    threads: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> VectorEnv:
    """One environment per seed of any envpool id; `options` go to `envpool.make` as they are."""
    known = envpool_ids()
    if env_id not in known:
        near = difflib.get_close_matches(env_id, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`envpool.list_all_envs()` lists all of them"
        raise EnvError(f"wanted an id that envpool knows, got {env_id!r}: {hint}")
    return NextStepEnv(
        EnvPoolSimulator(env_id, seeds=seeds, keys=keys, threads=threads, options=options or {})
    )


class EnvPoolSimulator:
    """A `Simulator` over envpool, which restarts by itself at the step after an end."""

    def __init__(
        self,
        env_id: str,
        *,
        seeds: Sequence[int],
        keys: Sequence[str],
        threads: int | None,
        options: Mapping[str, Any],
        independent_episodes: bool = False,
    ):
        self.num_envs = len(seeds)
        self.independent_episodes = independent_episodes
        self.hidden: np.ndarray | None = None
        threads = threads or min(self.num_envs, os.cpu_count() or 1)
        make = load_envpool().make
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Gymnasium on envpool's float64 bounds
            try:
                self._env = make(
                    env_id,
                    env_type="gymnasium",
                    num_envs=self.num_envs,
                    num_threads=threads,
                    seed=list(seeds),  # a single number would count upwards from environment to environment
                    **options,
                )
            except (ImportError, RuntimeError, TypeError, ValueError, KeyError, AssertionError) as error:
                raise EnvError(f"wanted envpool's {env_id} with {dict(options)}, got {error}") from error
            self._read = ObservationReader(self._env.single_observation_space, keys)
            self._write = ActionWriter(self._env.single_action_space)
        self.spaces = Spaces(observation=self._read.space, action=self._write.space)

    def reset(self) -> np.ndarray:
        """Start all episodes."""
        return self._first(self._env.reset(), self.num_envs)

    def send(self, action: np.ndarray, restart: np.ndarray) -> None:  # noqa: ARG002
        """Begin a step."""
        self._env.send(self._write(action))

    def recv(self) -> RawStep:
        """Finish it."""
        return self._answer(self._env.recv(), self.num_envs)

    def close(self) -> None:
        """Stop its threads."""
        self._env.close()

    def reset_some(self, envs: np.ndarray) -> np.ndarray:
        """Start the next episode of `envs`; the pool waits for these alone."""
        return self._first(self._env.reset(envs.astype(np.int32)), len(envs))

    def step_some(self, envs: np.ndarray, action: np.ndarray) -> RawStep:
        """Step `envs`."""
        return self._answer(self._env.step(self._write(action), envs), len(envs))

    def _first(self, answer: tuple[Any, ...], count: int) -> np.ndarray:
        observation, info = answer
        self.hidden = info.get("ram")
        return self._read(observation, count)

    def _answer(self, answer: tuple[Any, ...], count: int) -> RawStep:
        observation, reward, terminated, truncated, info = answer
        self.hidden = info.get("ram")  # of Atari alone
        if "lives" in info:  # Atari: a game that is over at the very frame limit is over
            terminated = terminated | (truncated & info["terminated"].astype(np.bool_))
        return RawStep(self._read(observation, count), reward, terminated, truncated)
