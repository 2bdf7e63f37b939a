from dataclasses import replace

import pytest

from hieros_eqx.config import make_preset
from hieros_eqx.training import schedule


def configs():
    base = make_preset("debug")
    for levels, macro, every, num_envs in [
        (1, 4, 1, 1),
        (3, 4, 4, 1),
        (3, 2, 3, 2),
        (4, 3, 1, 5),
        (2, 2, 5, 8),
    ]:
        yield replace(
            base,
            levels=levels,
            macro_length=macro,
            env=replace(base.env, num_envs=num_envs),
            training=replace(base.training, train_every=every, batch=2, sequence=3, env_steps=2_000),
        )


def oracle(config, before, after):
    """The definition, one environment step and one level at a time."""
    depths = []
    for env_step in range(before + 1, after + 1):
        due = [
            env_step % (config.macro_length**level * config.training.train_every) == 0
            and env_step >= config.macro_length**level * 5 * config.env.num_envs
            for level in range(config.levels)
        ]
        assert sorted(due, reverse=True) == due, "levels due are a prefix"
        if any(due):
            depths.append(sum(due))
    return depths


@pytest.mark.parametrize("config", list(configs()))
def test_due_depths_and_train_steps_against_oracle(config):
    counts = [0] * config.levels
    for before in range(0, 700, config.env.num_envs):
        after = before + config.env.num_envs
        depths = schedule.due_depths(config, before, after)
        assert depths == oracle(config, before, after)
        for depth in depths:
            for level in range(depth):
                counts[level] += 1
        assert schedule.train_steps(config, after) == tuple(counts)
    assert all(counts), "every level was trained"


@pytest.mark.parametrize("every", [1, 3, 10])
def test_crosses(every):
    for before in range(30):
        for after in range(before, 40):
            assert schedule.crosses(before, after, every) == any(
                s % every == 0 for s in range(before + 1, after + 1)
            )
