"""Every wrong value is answered with the path of its field, the value, and what is wanted."""

import math
import re

import pytest

from hieros_eqx.config import HierosConfig, assignments, differences, from_dict, override, to_dict
from hieros_eqx.errors import ConfigError

BAD_VALUES = [
    # path, value, what the message says is wanted
    ("levels", 0, ">= 1"),
    ("levels", 9, "<= 8"),
    ("levels", 2.0, "a whole number"),
    ("levels", True, "a whole number"),
    ("levels", "3", "a whole number"),
    ("levels", None, "a whole number"),
    ("macro_length", 1, ">= 2"),
    ("intermediate_states", 1, "true or false"),
    ("preset", 3, "a text"),
    ("env.backend", "gym", "'auto' or 'envpool' or 'ale' or 'gymnasium'"),
    ("env.game", 5, "a text or null"),
    ("env.keys", "position", "a list of a text"),
    ("env.keys", [1], "a list of a text"),
    ("env.num_envs", 0, ">= 1"),
    ("env.threads", 0, ">= 1"),
    ("env.max_episode_frames", 3, ">= 4"),
    ("world_model", 3, "a group of fields"),
    ("world_model.s5.state", 0, ">= 1"),
    ("world_model.s5.init_blocks", 3, "a divisor of state = 128"),
    ("world_model.s5.discretization", "euler", "'zoh' or 'bilinear'"),
    ("world_model.s5.step_min", 0.0, "> 0"),
    ("world_model.s5.step_min", 0.5, "at most step_max"),
    ("world_model.classes", 257, "<= 256"),
    ("world_model.classes", 1, ">= 2"),
    ("world_model.bins", 254, "an odd number"),
    ("world_model.unimix", 1.5, "<= 1"),
    ("world_model.unimix", math.nan, "a finite number"),
    ("world_model.free_nats", math.inf, "a finite number"),
    ("world_model.free_nats", -1, ">= 0"),
    ("subgoal.code", "soft", "'argmax' or 'sample'"),
    ("subgoal.beta", "0.5", "a finite number"),
    ("subgoal.target_kl", 0, "> 0"),
    ("reward.subgoal_norm", "cosine", "'squared' or 'plain'"),
    ("reward.novelty_weight", -0.1, ">= 0"),
    ("behaviour.discount", 1.01, "<= 1"),
    ("behaviour.horizon", 1, ">= 2"),
    ("behaviour.normalize_returns", "true", "true or false"),
    ("replay.temperature", -0.1, ">= 0"),
    ("replay.capacity", 1, ">= 2"),
    ("optimizer.world_model_eps", 0, ">= 1e-20"),
    ("optimizer.warmup", -1, ">= 0"),
    ("training.env_steps", 0, ">= 1"),
    ("training.seed", -1, ">= 0"),
    ("training.seeds", 3, "a list of a whole number"),
    ("training.seeds", [0, "1"], "a list of a whole number"),
    ("training.seeds", [0, 1, 0], "different whole numbers >= 0"),
    ("training.seeds", [2, -1], "different whole numbers >= 0"),
    ("training.sequence", 1, ">= 2"),
]


def nested(path, value):
    *parents, leaf = path.split(".")
    tree = {leaf: value}
    for name in reversed(parents):
        tree = {name: tree}
    return tree


@pytest.mark.parametrize(("path", "value", "wanted"), BAD_VALUES)
def test_a_bad_value(path, value, wanted):
    with pytest.raises(ConfigError) as caught:
        from_dict(nested(path, value))
    message = str(caught.value)
    shown = tuple(value) if isinstance(value, list) else value
    assert message.startswith(f"{path} = {shown!r}: wanted "), message
    assert wanted in message
    assert "\n" not in message


def test_every_number_has_bounds():
    """So that a new field is not forgotten: zero, a huge negative number or a text must fail somewhere."""

    def check(tree, path):
        for name, value in tree.items():
            full = f"{path}.{name}".lstrip(".")
            if isinstance(value, dict):
                check(value, full)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                with pytest.raises(ConfigError, match=re.escape(full)):
                    from_dict(nested(full, -(10**9)))

    check(to_dict(HierosConfig()), "")


@pytest.mark.parametrize(
    ("path", "near"),
    [("level", "levels"), ("world_model.s5.num_block", "num_blocks"), ("behaviour.lambda", "lambda_")],
)
def test_an_unknown_field_is_answered_with_the_nearest(path, near):
    with pytest.raises(ConfigError, match=rf"^{re.escape(path)}: no such field.*Did you mean '{near}'\?"):
        override(HierosConfig(), [f"{path}=1"])


@pytest.mark.parametrize("assignment", ["levels", "=3", "", "  =1"])
def test_an_assignment_needs_a_path_and_a_value(assignment):
    with pytest.raises(ConfigError, match=re.escape("wanted path.to.field=value")):
        override(HierosConfig(), [assignment])


def test_a_field_cannot_be_a_group_at_once():
    with pytest.raises(ConfigError, match="already set"):
        override(HierosConfig(), ["world_model=1", "world_model.bins=41"])
    with pytest.raises(ConfigError, match=r"levels"):
        override(HierosConfig(), ["levels.x=1"])


def test_game_and_id_exclude_each_other():
    with pytest.raises(ConfigError, match=r"^env.id = 'CartPole-v1': .*env.game = 'Pong'"):
        override(HierosConfig(), ["env.game=Pong", "env.id=CartPole-v1"])


def test_overrides_are_json_or_text_and_leave_the_rest_alone():
    base = HierosConfig()
    config = override(
        base,
        [
            "levels=2",
            "env.game=Pong",
            'env.keys=["a", "b"]',
            "world_model.s5.double=false",
            "replay.capacity=null",
        ],
    )
    assert differences(base, config) == [
        "levels: 3 -> 2",
        "env.game: None -> 'Pong'",
        "env.keys: [] -> ['a', 'b']",
        "world_model.s5.double: True -> False",
    ]
    assert override(base, assignments(base, config)) == config
    assert assignments(base, base) == []
    assert base == HierosConfig()


def test_a_later_override_wins_and_a_value_may_hold_equal_signs():
    config = override(HierosConfig(), ["levels=2", "levels=4", "env.id=my.module:make=x"])
    assert (config.levels, config.env.id) == (4, "my.module:make=x")


def test_one_and_one_point_zero_are_the_same_configuration():
    assert override(HierosConfig(), ["subgoal.beta=1"]) == override(HierosConfig(), ["subgoal.beta=1.0"])
