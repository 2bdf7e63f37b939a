"""Returns and lengths of episodes, from the timesteps that pass by. NumPy only."""

from typing import NamedTuple

import numpy as np

from hieros_eqx.types import Timestep


class Episode(NamedTuple):
    """One finished episode."""

    env: int
    """Which of the environments played it."""
    episode_return: float
    """Sum of rewards, undiscounted."""
    length: int
    """Actions taken."""
    truncated: bool
    """Cut short rather than ended by the environment."""


class OpenEpisodes(NamedTuple):
    """What has been seen of the episodes under way. Both lead with `env`."""

    total: np.ndarray  # float64 [env]
    length: np.ndarray  # int64 [env]


def open_episodes(num_envs: int) -> OpenEpisodes:
    """Return the counters before the first timestep."""
    return OpenEpisodes(np.zeros(num_envs, np.float64), np.zeros(num_envs, np.int64))


def observe(episodes: OpenEpisodes, timestep: Timestep) -> tuple[OpenEpisodes, list[Episode]]:
    """Return the counters after one timestep and the episodes that it ended."""
    first, last = np.asarray(timestep.is_first), np.asarray(timestep.is_last)
    terminal, reward = np.asarray(timestep.is_terminal), np.asarray(timestep.reward, np.float64)
    total = np.where(first, 0.0, episodes.total + reward)
    length = np.where(first, 0, episodes.length + 1)
    ended = [
        Episode(int(env), float(total[env]), int(length[env]), not bool(terminal[env]))
        for env in np.flatnonzero(last)
    ]
    return OpenEpisodes(total, length), ended
