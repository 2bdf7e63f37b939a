"""MiniGrid's cells come one-hot, and nothing else of a step changes."""

import minigrid
import numpy as np

from hieros_eqx.envs import CheckedEnv, make_env

NAME, ENVS, STEPS = "MiniGrid-MemoryS7-v0", 8, 60


def test_codes_come_back_from_what_is_shown(rng):
    plain = make_env(env_id=NAME, keys=("direction", "image"), num_envs=ENVS, seed=4)
    shown = CheckedEnv(minigrid.one_hot(NAME, num_envs=ENVS, seed=4))
    assert shown.spaces.action == plain.spaces.action
    a, b = plain.reset(), shown.reset()
    for _ in range(STEPS):
        direction, cells = b.observation[:, :4], b.observation[:, 4:].reshape(ENVS, 49, 20)
        parts = np.split(cells, [11, 17], axis=-1)
        assert all((part.sum(axis=-1) == 1).all() for part in parts)
        codes = np.stack([part.argmax(axis=-1) for part in parts], axis=-1).reshape(ENVS, -1)
        np.testing.assert_array_equal(np.concatenate([direction, codes], axis=1), a.observation)
        for x, y in zip(a[1:], b[1:], strict=True):
            np.testing.assert_array_equal(x, y)
        action = rng.integers(shown.spaces.action.size, size=ENVS)
        a, b = plain.step(action), shown.step(action)
