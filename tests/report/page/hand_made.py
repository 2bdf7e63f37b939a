"""Hand-made predictions and episodes, as the page shows them, without an agent."""

import numpy as np

from hieros_eqx.report.page.dreams import Dream
from hieros_eqx.report.watch.subgoals import WatchedEpisode


def make_dream(rng, shape=(64, 64, 3), horizon=6, starts=3):
    """Return predictions of pictures, or of vectors where the shape has one axis."""
    whole = (horizon + 1, starts, *shape)
    values = rng.integers(0, 256, (2, *whole), np.uint8) if len(shape) == 3 else rng.normal(size=(2, *whole))
    return Dream(
        truth=values[0],
        predicted=values[1],
        model=np.linspace(0.01, 0.02, horizon),
        repeat=np.linspace(0.02, 0.04, horizon),
        posterior=np.full(horizon, 0.005),
        starts=starts,
    )


def make_episode(rng, shape=(64, 64, 3), levels=3, length=12):
    """Return an episode of pictures, or of vectors where the shape has one axis."""
    whole = (levels, length, *shape)
    seen = (
        rng.integers(0, 256, whole, np.uint8)
        if len(shape) == 3
        else rng.normal(size=whole).astype(np.float32)
    )
    return WatchedEpisode(
        observation=seen[0],
        reward=rng.normal(size=length).astype(np.float32),
        action=np.zeros((length, 4), np.float32),
        complete=False,
        terminal=False,
        due=np.ones((length, levels), np.bool_),
        code=np.zeros((length, levels - 1, 8), np.int32),
        subgoals=tuple(seen[1:]),
        reward_parts=rng.uniform(0.1, 2, (length, levels, 3)),
        value=np.zeros((length, levels, 3)),
        entropy=np.ones((length, levels)),
        probability=np.full((length, 4), 0.25),
    )
