"""ale-py's own vector environment as a simulator: Atari without envpool, a download of 3 MB.

Its pictures are those of envpool, byte for byte, given equal actions and an equal number of idle frames at
the start of an episode; that number is drawn by another generator, so equal seeds do not give equal
streams.
"""

import importlib
import os
from collections.abc import Sequence

import numpy as np

from hieros_eqx.envs.envpool import check_atari_options
from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.names import canonical_game, rom_name
from hieros_eqx.envs.next_step import NextStepEnv, RawStep
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces


def make_ale_atari(
    game: str,
    *,
    seeds: Sequence[int],
    threads: int | None = None,
    frame_skip: int = 4,
    noop_max: int = 30,
    repeat_action_probability: float = 0.0,
    max_episode_frames: int = 108_000,
) -> VectorEnv:
    """One environment per seed of an Atari game, as in Atari100k; options as in `make_envpool_atari`."""
    check_atari_options(frame_skip, noop_max, repeat_action_probability, max_episode_frames)
    if not seeds:
        raise EnvError("wanted a seed for each environment, got none")
    return NextStepEnv(
        AleSimulator(
            canonical_game(game),
            seeds=seeds,
            threads=threads,
            frame_skip=frame_skip,
            noop_max=noop_max,
            repeat_action_probability=repeat_action_probability,
            max_episode_frames=max_episode_frames,
        )
    )


class AleSimulator:
    """A `Simulator` over `AtariVectorEnv`, which restarts by itself at the step after an end."""

    def __init__(
        self,
        game: str,
        *,
        seeds: Sequence[int],
        threads: int | None,
        frame_skip: int,
        noop_max: int,
        repeat_action_probability: float,
        max_episode_frames: int,
    ):
        try:
            vector_env = importlib.import_module("ale_py.vector_env")
        except ImportError as error:
            raise EnvError(f"wanted ale-py, got {error}: `pip install hieros-eqx[ale]`") from error
        self.num_envs = len(seeds)
        self._seeds: np.ndarray | None = np.asarray(seeds, np.int64)
        self._env = vector_env.AtariVectorEnv(
            rom_name(game),
            self.num_envs,
            num_threads=threads or min(self.num_envs, os.cpu_count() or 1),
            max_num_frames_per_episode=max_episode_frames,
            repeat_action_probability=repeat_action_probability,
            full_action_space=False,
            autoreset_mode="NextStep",
            img_height=SIDE,
            img_width=SIDE,
            grayscale=False,
            stack_num=1,
            frameskip=frame_skip,
            maxpool=True,
            noop_max=noop_max,
            use_fire_reset=False,
            episodic_life=False,
            life_loss_info=False,
            reward_clipping=False,
        )
        self.spaces = Spaces(
            observation=ObservationSpace(kind="image", shape=(SIDE, SIDE, 3)),
            action=ActionSpace(kind="discrete", size=int(self._env.single_action_space.n)),
        )

    def reset(self) -> np.ndarray:
        """Start all episodes; only the first call seeds."""
        observation, _ = self._env.reset(seed=self._seeds)
        self._seeds = None
        return observation[:, 0].copy()

    def send(self, action: np.ndarray, restart: np.ndarray) -> None:  # noqa: ARG002
        """Begin a step."""
        self._env.send(action)

    def recv(self) -> RawStep:
        """Finish it."""
        observation, reward, terminated, truncated, _ = self._env.recv()
        return RawStep(observation[:, 0].copy(), reward, terminated, truncated)

    def close(self) -> None:
        """Free the emulators."""
        self._env.close()
