"""MiniGrid's objects come one-hot, and nothing else of a step changes."""

import minigrid
import numpy as np

from hieros_eqx.envs import CheckedEnv, make_env

NAME, ENVS, STEPS = "MiniGrid-MemoryS7-v0", 8, 60


def test_objects_come_back_from_what_is_shown(rng):
    plain = make_env(env_id=NAME, keys=("direction", "image"), num_envs=ENVS, seed=4)
    shown = CheckedEnv(minigrid.objects(NAME, num_envs=ENVS, seed=4))
    assert shown.spaces.action == plain.spaces.action
    a, b = plain.reset(), shown.reset()
    for _ in range(STEPS):
        direction, cells = b.observation[:, :4], b.observation[:, 4:].reshape(ENVS, 49, 11)
        assert set(np.unique(b.observation)) == {0, minigrid.SIZE}
        assert (np.count_nonzero(cells, axis=-1) == 1).all()
        np.testing.assert_array_equal(direction, minigrid.SIZE * a.observation[:, :4])
        kinds = a.observation[:, 4:].reshape(ENVS, 49, 3)[..., 0]
        np.testing.assert_array_equal(cells.argmax(axis=-1), kinds)
        for x, y in zip(a[1:], b[1:], strict=True):
            np.testing.assert_array_equal(x, y)
        action = rng.integers(shown.spaces.action.size, size=ENVS)
        a, b = plain.step(action), shown.step(action)


def test_colour_and_state_follow_from_the_object_in_memory(rng):
    """What is left out tells nothing more."""
    env = make_env(env_id=NAME, keys=("direction", "image"), num_envs=ENVS, seed=4)
    step, told = env.reset(), {}
    for _ in range(STEPS):
        for kind, colour, state in step.observation[:, 4:].reshape(-1, 3).astype(int).tolist():
            assert told.setdefault(kind, (colour, state)) == (colour, state)
        step = env.step(rng.integers(env.spaces.action.size, size=ENVS))
    assert {5, 6} <= set(told)  # a key and a ball
