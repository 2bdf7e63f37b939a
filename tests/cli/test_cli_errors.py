"""Wrong input: one clear line, exit code 2, no traceback, nothing written."""

import json
import sys

import pytest

TRAIN = ("train", "--preset", "debug")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (TRAIN, ["--game", "--env"]),
        (("train", "--game", "PrivatEye"), ["'PrivatEye'", "PrivateEye"]),
        (("train", "--game", "xqzw"), ["'xqzw'"]),
        ((*TRAIN, "--game", "Pong", "--env", "CartPole-v1"), ["--game", "--env", "one of both"]),
        (("train", "--preset", "fast", "--game", "Pong"), ["fast", "laptop"]),
        ((*TRAIN, "--game", "Pong", "--levels", "two"), ["--levels", "two"]),
        ((*TRAIN, "--game", "Pong", "--levels", "0"), ["levels = 0", ">= 1"]),
        ((*TRAIN, "--game", "Pong", "--seed", "-1"), ["training.seed = -1", ">= 0"]),
        ((*TRAIN, "--game", "Pong", "--env-steps", "0"), ["training.env_steps = 0", ">= 1"]),
        ((*TRAIN, "--game", "Pong", "--env-backend", "gym"), ["gym", "envpool"]),
        ((*TRAIN, "--game", "Pong", "--env-backend", "gymnasium"), ["envpool or ale"]),
        ((*TRAIN, "--game", "Pong", "--set", "level=2"), ["level: no such field", "'levels'"]),
        ((*TRAIN, "--game", "Pong", "--set", "levels"), ["path.to.field=value"]),
        ((*TRAIN, "--game", "Pong", "--set", "preset=paper"), ["--preset"]),
        ((*TRAIN, "--game", "Pong", "--set", "world_model.bins=40"), ["world_model.bins = 40", "odd"]),
        ((*TRAIN, "--env", "CartPole-v99"), ["'CartPole-v99'"]),
        ((*TRAIN, "--env", "no_such_module:make"), ["no_such_module:make"]),
        ((*TRAIN, "--env", "json:no_such_name"), ["json:no_such_name"]),
        ((*TRAIN, "--game", "Pong", "--config", "absent.json"), ["absent.json"]),
        ((*TRAIN, "--game", "Pong", "--wrong"), ["--wrong"]),
        ((*TRAIN, "--game"), ["--game"]),
        ((*TRAIN, "stray"), ["stray"]),
        (("eval",), ["RUN"]),
        (("eval", "absent"), ["absent"]),
        (("eval", "."), ["config.json"]),
        (("eval", ".", "--episodes", "0"), ["--episodes", "0"]),
        (("eval", ".", "--backend", "torch"), ["torch", "numpy"]),
        (("config", "--preset", "fast"), ["fast", "laptop"]),
        (("fly",), ["fly"]),
    ],
)
def test_one_line(refused, args, words):
    line = refused(*args)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["wanted JSON", "line 1"]),
        ("[1]", ["a JSON object", "list"]),
        ('{"levels": "3"}', ["levels = '3'", "a whole number"]),
        ('{"levels": NaN}', ["levels = nan"]),
        ('{"leevels": 3}', ["leevels: no such field", "'levels'"]),
        ('{"world_model": 3}', ["world_model = 3", "group"]),
        ('{"preset": "fast"}', ["'fast'", "laptop"]),
        ('{"preset": ["debug"]}', ["preset", "a text"]),
        ('{"preset": "debug", "env": {"game": "Pomg"}}', ["'Pomg'", "Pong"]),
        ('{"preset": "debug", "env": {"game": "Pong", "id": "CartPole-v1"}}', ["env.id", "one of both"]),
    ],
)
def test_a_bad_file(refused, tmp_path, text, words):
    (tmp_path / "bad.json").write_text(text)
    line = refused("train", "--config", "bad.json")
    assert all(word in line for word in words), line


def test_a_file_that_is_no_text(refused, tmp_path):
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused("train", "--config", "bad.json")


def test_a_bad_variable(refused):
    line = refused(*TRAIN, HIEROS_EQX_TRAIN_LEVELS="two", HIEROS_EQX_TRAIN_GAME="Pong")
    assert "two" in line
    assert "'Pomg'" in refused(*TRAIN, HIEROS_EQX_TRAIN_GAME="Pomg")


@pytest.mark.parametrize(
    ("missing", "args", "words"),
    [
        ("envpool", ("--game", "Pong", "--env-backend", "envpool"), ["envpool"]),
        ("ale_py", ("--game", "Pong", "--env-backend", "ale"), ["ale"]),
        ("gymnasium", ("--env", "CartPole-v1", "--env-backend", "gymnasium"), ["gymnasium"]),
    ],
)
def test_a_missing_package(refused, monkeypatch, missing, args, words):
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    line = refused(*TRAIN, *args)
    assert all(word in line for word in (*words, "pip install")), line


def test_missing_jax(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    assert "pip install 'hieros-eqx'" in refused("train", "--game", "Pong")


def test_no_device(refused, monkeypatch):
    import jax

    def fail():
        raise RuntimeError("Unable to initialize\nbackend 'cuda'")

    monkeypatch.setattr(jax, "default_backend", fail)
    assert "backend 'cuda'" in refused("train", "--game", "Pong")


def test_a_run_directory_with_another_configuration(refused, run, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "config.json").write_text(run("config", "--preset", "debug", "--game", "Pong").out)
    line = refused(*TRAIN, "--game", "Pong", "--levels", 2, "--set", "subgoal.beta=1", "--run-dir", directory)
    for words in ("levels: 3 -> 2", "subgoal.beta: 0.5 -> 1.0"):
        assert words in line


def test_a_damaged_run_directory(refused, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "config.json").write_text("{")
    assert "wanted JSON" in refused("train", "--run-dir", directory)


def test_a_run_directory_that_is_a_file_or_cannot_be_made(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(*TRAIN, "--game", "Pong", "--run-dir", "file")
    assert "file" in refused(*TRAIN, "--game", "Pong", "--run-dir", "file/run")


def test_an_error_of_ours_keeps_its_traceback(run, monkeypatch):
    """Only what the user can mend is shortened."""
    import hieros_eqx_cli.config as config_module

    def bug(_ctx):
        raise ZeroDivisionError

    monkeypatch.setattr(config_module, "resolve", bug)
    with pytest.raises(ZeroDivisionError):
        run("config")


def test_a_message_of_many_lines_becomes_one(refused, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps({"preset": "debug", "env": {"game": "Po\nmg"}}))
    refused("train", "--config", "bad.json")
