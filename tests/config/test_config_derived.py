"""Sizes and dates that follow from a configuration, by hand-computed numbers."""

from dataclasses import replace

import pytest

from hieros_eqx.config import HierosConfig, override
from hieros_eqx.errors import ConfigError


def test_periods_and_training_dates():
    config = HierosConfig()
    assert [config.period(level) for level in range(3)] == [1, 4, 16]
    assert [config.train_start(level) for level in range(3)] == [80, 320, 1280]
    assert [config.train_period(level) for level in range(3)] == [1, 4, 16]
    config = override(config, ["training.train_every=4", "env.num_envs=3", "macro_length=5"])
    assert [config.period(level) for level in range(3)] == [1, 5, 25]
    assert [config.train_start(level) for level in range(3)] == [240, 1200, 6000]
    assert [config.train_period(level) for level in range(3)] == [4, 20, 100]


def test_capacity_is_the_run_over_the_period_plus_slack():
    config = HierosConfig()
    assert config.capacity(0) == 100_000
    assert config.capacity(1) == 25_000 + 6_250 + 128
    assert config.capacity(2) == 6_250 + 1_562 + 128
    assert override(config, ["replay.capacity=1000", "env.num_envs=3"]).capacity(0) == 334


def test_discount_per_macro_step_or_per_environment_step():
    config = HierosConfig()
    assert [config.discount(level) for level in (0, 2)] == [0.997, 0.997]
    config = override(config, ["behaviour.discount_time=environment"])
    assert config.discount(0) == 0.997
    assert config.discount(2) == pytest.approx(0.997**16, rel=1e-12)


def test_the_window_is_k_latents_or_one():
    assert HierosConfig().window == 4
    assert replace(HierosConfig(), intermediate_states=False).window == 1


def test_a_replay_without_room_for_one_sequence_is_refused():
    for wanted, envs in ((65, 1), (130, 2)):
        assert override(HierosConfig(), [f"replay.capacity={wanted}", f"env.num_envs={envs}"])
        with pytest.raises(ConfigError, match=rf"^replay.capacity = {wanted - 1}: wanted >= {wanted}"):
            override(HierosConfig(), [f"replay.capacity={wanted - 1}", f"env.num_envs={envs}"])


def test_a_short_run_has_room_for_a_sequence_on_every_level():
    config = override(HierosConfig(), ["training.env_steps=1"])
    assert all(config.capacity(level) > config.training.sequence for level in range(3))


def test_the_seeds_of_a_run():
    config = override(HierosConfig(), ["training.seed=5"])
    assert config.all_seeds == (5,)
    several = override(config, ["training.seeds=[4, 0, 2]"])
    assert several.all_seeds == (4, 0, 2)
    for seed in several.all_seeds:
        assert several.for_seed(seed) == override(HierosConfig(), [f"training.seed={seed}"])


def test_a_run_of_one_seed_has_one_configuration():
    assert override(HierosConfig(), ["training.seeds=[3]"]) == override(HierosConfig(), ["training.seed=3"])


def test_levels_above_may_be_surer_than_the_worker():
    config = override(HierosConfig(), ["behaviour.entropy_scale=0.01"])
    assert config.of_upper == config
    config = override(config, ["behaviour.upper_entropy_scale=0"])
    assert config.of_upper.behaviour.entropy_scale == 0
    assert config.behaviour.entropy_scale == 0.01
    assert override(config.of_upper, ["behaviour.entropy_scale=0.01"]) == config
