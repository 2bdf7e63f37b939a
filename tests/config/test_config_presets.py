import dataclasses
import json

import pytest

from hieros_eqx.config import PRESETS, HierosConfig, differences, from_dict, make_preset, to_dict
from hieros_eqx.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_and_is_named_after_itself(name):
    config = make_preset(name)
    assert config.preset == name
    assert hash(config) == hash(make_preset(name))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json_and_is_not_modified(name):
    config = make_preset(name)
    before = to_dict(config)
    text = json.dumps(to_dict(config), allow_nan=False)
    assert from_dict(json.loads(text)) == config
    assert to_dict(config) == before
    assert differences(config, make_preset(name)) == []


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_preset_allows_other_depths(name, levels):
    config = dataclasses.replace(make_preset(name), levels=levels)
    assert config.has_upper == (levels > 1)
    assert config.capacity(levels - 1) > config.training.sequence


def test_an_unknown_preset_is_answered_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"preset = 'fast'.*atari100k, paper, laptop, debug"):
        make_preset("fast")


def test_the_tree_is_frozen_all_the_way_down():
    def check(node):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(node, dataclasses.fields(node)[0].name, None)
        for spec in dataclasses.fields(node):
            value = getattr(node, spec.name)
            if dataclasses.is_dataclass(value):
                check(value)

    check(HierosConfig())


def test_atari100k_has_the_sizes_of_the_paper():
    config = make_preset("atari100k")
    assert (config.levels, config.macro_length, config.training.env_steps) == (3, 4, 100_000)
    assert (config.training.batch, config.training.sequence, config.behaviour.horizon) == (16, 64, 16)
    model = config.world_model
    assert (model.stoch, model.classes, model.deter, model.hidden, model.cnn_depth) == (32, 32, 256, 256, 24)
    assert (model.s5.width, model.s5.state, model.s5.num_blocks, model.s5.double) == (256, 128, 4, True)
    assert model.state_size == 8 * 2 * 128
    assert (config.subgoal.factors, config.subgoal.classes, config.subgoal.layers) == (8, 8, 3)
    assert (config.reward.subgoal_weight, config.reward.novelty_weight) == (0.3, 0.1)


def test_paper_takes_the_variants_of_the_paper_and_nothing_else():
    """The list of docs/decisions/001; a variant that is added or dropped must be decided there."""
    assert differences(make_preset("atari100k"), make_preset("paper")) == [
        "preset: 'atari100k' -> 'paper'",
        "world_model.posterior_scale: 4.0 -> 1.0",
        "world_model.bin_space: 'symexp' -> 'symlog'",
        "world_model.upper_loss: 'latent' -> 'symlog_mse'",
        "reward.subgoal_norm: 'squared' -> 'plain'",
        "reward.extrinsic_levels: 'all' -> 'worker'",
        "behaviour.code_log_prob: 'sum' -> 'mean'",
        "behaviour.evaluation_policy: 'sample' -> 'mode'",
        "replay.latents: 'refreshed' -> 'frozen'",
        "replay.sequence_start: 'stored' -> 'reset'",
    ]
