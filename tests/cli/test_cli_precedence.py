"""Option over environment variable over file over preset."""

import json

import pytest

from hieros_eqx.config import make_preset, override, to_dict


@pytest.fixture
def resolved(run):
    def call(*args, **variables):
        result = run("config", *args, **variables)
        assert result.code == 0, result
        return json.loads(result.out)

    return call


def write(path, **fields):
    path.write_text(json.dumps(fields))
    return path


def test_a_preset_alone(resolved):
    assert resolved("--preset", "debug") == to_dict(make_preset("debug"))


def test_every_layer_beats_the_one_below(resolved, tmp_path):
    file = write(tmp_path / "file.json", levels=4, training={"seed": 5})
    assert resolved("--preset", "debug")["levels"] == 3
    assert resolved("--preset", "debug", "--config", file)["levels"] == 4
    variable = {"HIEROS_EQX_CONFIG_LEVELS": "2"}
    assert resolved("--preset", "debug", "--config", file, **variable)["levels"] == 2
    final = resolved("--preset", "debug", "--config", file, "--levels", 1, **variable)
    assert final["levels"] == 1
    assert final["training"]["seed"] == 5
    assert final["training"]["sequence"] == 8


def test_the_preset_of_a_file_gives_way_to_variable_and_option(resolved, tmp_path):
    file = write(tmp_path / "file.json", preset="debug", levels=2)
    assert resolved("--config", file)["training"]["sequence"] == 8
    variable = {"HIEROS_EQX_CONFIG_PRESET": "laptop"}
    assert resolved("--config", file, **variable)["training"]["sequence"] == 32
    final = resolved("--config", file, "--preset", "paper", **variable)
    assert (final["training"]["sequence"], final["preset"], final["levels"]) == (64, "paper", 2)


def test_the_file_itself_can_come_from_a_variable(resolved, tmp_path):
    file = write(tmp_path / "file.json", preset="debug", levels=2)
    assert resolved(HIEROS_EQX_CONFIG_CONFIG=str(file))["levels"] == 2


def test_a_set_in_a_variable_gives_way_to_a_named_option(resolved):
    variable = {"HIEROS_EQX_CONFIG_SET": "levels=4 training.batch=3"}
    final = resolved("--preset", "debug", **variable)
    assert (final["levels"], final["training"]["batch"]) == (4, 3)
    final = resolved("--preset", "debug", "--levels", 1, **variable)
    assert (final["levels"], final["training"]["batch"]) == (1, 3)


def test_a_named_option_in_a_variable_gives_way_to_a_set(resolved):
    assert resolved("--preset", "debug", "--set", "levels=4", HIEROS_EQX_CONFIG_LEVELS="2")["levels"] == 4


def test_an_environment_replaces_a_weaker_game(resolved, tmp_path):
    file = write(tmp_path / "file.json", preset="debug", env={"game": "Pong", "keys": ["a"]})
    env = resolved("--config", file, "--env", "CartPole-v1")["env"]
    assert (env["game"], env["id"], env["keys"]) == (None, "CartPole-v1", ["a"])
    env = resolved("--config", file, "--game", "alien", HIEROS_EQX_CONFIG_ENV="CartPole-v1")["env"]
    assert (env["game"], env["id"]) == ("Alien", None)


def test_all_options_reach_their_fields(resolved):
    options = "--game private_eye --levels 2 --env-steps 77 --seed 9 --env-backend ale"
    expected = override(
        make_preset("debug"),
        ["env.game=PrivateEye", "levels=2", "training.env_steps=77", "training.seed=9", "env.backend=ale"],
    )
    assert resolved("--preset", "debug", *options.split()) == to_dict(expected)


def test_all_options_exist_as_variables(resolved):
    values = {"game": "pong", "levels": "2", "env_steps": "77", "seed": "9", "env_backend": "ale"}
    variables = {f"HIEROS_EQX_CONFIG_{name.upper()}": value for name, value in values.items()}
    expected = override(
        make_preset("debug"),
        ["env.game=Pong", "levels=2", "training.env_steps=77", "training.seed=9", "env.backend=ale"],
    )
    assert resolved(HIEROS_EQX_CONFIG_PRESET="debug", **variables) == to_dict(expected)


def test_what_config_prints_is_a_configuration_file(run, tmp_path):
    first = run("config", "--preset", "laptop", "--game", "Pong", "--set", "world_model.bins=41").out
    (tmp_path / "printed.json").write_text(first)
    assert run("config", "--config", tmp_path / "printed.json").out == first


@pytest.mark.parametrize(
    "spelling", ["PrivateEye", "private_eye", "private eye", "PRIVATEEYE", "private-eye"]
)
def test_game_names_in_any_spelling(resolved, spelling):
    assert resolved("--preset", "debug", "--game", spelling)["env"]["game"] == "PrivateEye"
    assert resolved("--preset", "debug", "--set", f"env.game={spelling}")["env"]["game"] == "PrivateEye"


@pytest.mark.parametrize(
    ("platform", "preset", "words"),
    [
        ("cpu", "laptop", "no accelerator found"),
        ("gpu", "atari100k", "found H200"),
        ("tpu", "atari100k", "H200"),
    ],
)
def test_auto_goes_by_the_accelerator_and_says_so(run, monkeypatch, platform, preset, words):
    import jax

    class Device:
        device_kind = "H200"

    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(jax, "devices", lambda: [Device()])
    for options in ([], ["--preset", "auto"]):
        result = run("config", *options)
        assert json.loads(result.out) == to_dict(make_preset(preset))
        assert result.err.startswith(f"preset auto: {preset} (")
        assert words in result.err
        assert f"{make_preset(preset).training.env_steps:,} environment steps" in result.err
    assert "777 environment steps" in run("config", "--env-steps", 777).err
