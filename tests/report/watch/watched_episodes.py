"""Watched episodes made by hand, for what draws them: nothing is compiled."""

import numpy as np

from hieros_eqx.report.watch.subgoals import WatchedEpisode, WatchedStep

SIDE, ACTIONS = 16, 3


def make_episode(levels: int, length: int, *, images: bool = True, discrete: bool = True) -> WatchedEpisode:
    """An episode in which all has a colour or a number that tells where it belongs.

    The picture at time t is (10 t, 0, 0), what level i wants (0, 60 i, 10 (t // 2**i)).
    """
    times = np.arange(length)
    if images:
        observation = np.zeros((length, SIDE, SIDE, 3), np.uint8)
        observation[..., 0] = 10 * times[:, None, None]
    else:
        observation = np.stack([times, -times], axis=1).astype(np.float32)
    subgoals = []
    for level in range(1, levels):
        wanted = np.zeros_like(observation)
        if images:
            wanted[..., 1], wanted[..., 2] = 60 * level, 10 * (times // 2**level)[:, None, None]
        subgoals.append(wanted)
    due = np.stack([times % 2**level == 0 for level in range(levels)], axis=1)
    action = np.zeros((length, ACTIONS), np.float32)
    action[times[:-1], times[:-1] % ACTIONS] = 1
    probability = np.full((length, ACTIONS), 0.2, np.float32)
    probability[times, times % ACTIONS] = 0.6
    return WatchedEpisode(
        observation=observation,
        reward=(times % 3 == 2).astype(np.float32),
        action=action if discrete else action - 0.5,
        complete=True,
        terminal=True,
        due=due,
        code=np.zeros((length, levels - 1, 2), np.int32) + (times // 2 % 4)[:, None, None].astype(np.int32),
        subgoals=tuple(subgoals),
        reward_parts=np.ones((length, levels, 3)) * np.array([0.1, 0.2, 0.3]),
        value=np.ones((length, levels, 3)) * 10.0 ** np.arange(levels)[:, None],
        entropy=np.ones((length, levels)),
        probability=probability if discrete else np.zeros((length, 0), np.float32),
    )


def steps_of(episode: WatchedEpisode) -> list[WatchedStep]:
    """The same, as it comes while it is played."""
    last = np.arange(len(episode.reward)) == len(episode.reward) - 1
    columns = {"is_last": last, "is_terminal": last}
    names = [name for name in WatchedStep._fields if name not in columns]
    columns |= {name: getattr(episode, name) for name in names}
    return [
        WatchedStep(**{name: column[t] for name, column in columns.items()})
        for t in range(len(episode.reward))
    ]
