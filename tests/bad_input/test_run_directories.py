"""Run directories that are none, or that somebody has damaged: named, left as they are, and no traceback."""

import json

import pytest

from hieros_eqx.config import make_preset, override, to_dict

CONFIG = to_dict(override(make_preset("debug"), ["env.id=hieros_eqx.envs.probe:memory"]))
SPACES = {"observation": {"kind": "vector", "shape": [2]}, "action": {"kind": "discrete", "size": 2}}
DEEP = "[" * 100_000
COMMANDS = {
    "continue": ("train", "--run-dir", "run"),
    "train": ("train", "--preset", "debug", "--env", "hieros_eqx.envs.probe:memory", "--run-dir", "run"),
    "eval": ("eval", "run"),
    "play": ("play", "run", "--out", "episode.mp4"),
}
CONFIGS = [
    ("", ["config.json"]),
    ("{", ["config.json"]),
    ("null", ["object"]),
    ("[1]", ["object"]),
    (b"\xff\xfe", ["config.json"]),
    (DEEP, ["config.json"]),
    ('{"levels": 1' + "0" * 5000 + "}", ["config.json"]),
    ('{"levels": 2, "levels": 3}', ["config.json", "levels twice"]),
    (json.dumps(CONFIG | {"no_such": 1}), ["no_such: no such field"]),
    (json.dumps(CONFIG | {"levels": "3"}), ["levels = '3'", "a whole number"]),
    (json.dumps(CONFIG | {"levels": None}), ["levels = None", "a whole number"]),
    (json.dumps(CONFIG | {"training": 3}), ["training = 3", "group of fields"]),
    (json.dumps(CONFIG).replace("0.997", "NaN"), ["behaviour.discount = nan"]),
]


@pytest.fixture
def directory(empty_directory):
    """Make a run directory as training leaves one, with one file replaced or missing."""

    def make(**files):
        path = empty_directory / "run"
        path.mkdir()
        for name, content in {"config": json.dumps(CONFIG), "spaces": json.dumps(SPACES), **files}.items():
            if content is not None:
                content = content if isinstance(content, bytes) else content.encode()
                (path / f"{name}.json").write_bytes(content)
        return path

    return make


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("content", "words"), CONFIGS, ids=range(len(CONFIGS)))
def test_a_damaged_configuration(refused, directory, command, content, words):
    directory(config=content)
    line = refused(*COMMANDS[command])
    assert all(word in line for word in words), line


SHAPES = {
    "text": "",
    "cut": "{",
    "null": "null",
    "list": "[1]",
    "bytes": b"\xff",
    "deep": DEEP,
    "empty": "{}",
    "flat": '{"observation": 1, "action": 2}',
    "kind": json.dumps(SPACES | {"observation": {"kind": "sound", "shape": [2]}}),
    "shape": json.dumps(SPACES | {"observation": {"kind": "vector", "shape": "ab"}}),
    "negative": json.dumps(SPACES | {"observation": {"kind": "vector", "shape": [-2]}}),
    "size": json.dumps(SPACES | {"action": {"kind": "discrete", "size": "2"}}),
    "none": json.dumps(SPACES | {"action": {"kind": "discrete"}}),
    "missing": None,
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_damaged_spaces_of_a_run_that_is_played(refused, directory, content):
    directory(spaces=content)
    assert "run" in refused("eval", "run")


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_damaged_spaces_of_a_run_that_goes_on(refused, directory, content):
    directory(spaces=content)
    assert "run" in refused("train", "--run-dir", "run")


def test_directories_of_others(refused, empty_directory):
    (empty_directory / "thesis").mkdir()
    (empty_directory / "thesis" / "chapter.tex").write_text("precious")
    assert "chapter.tex" in refused(*COMMANDS["train"][:-1], "thesis")
    assert "config.json" in refused("eval", "thesis")
    (empty_directory / "run").mkdir()
    assert "config.json" in refused("eval", "run")
    (empty_directory / "run" / "config.json").mkdir()
    for arguments in COMMANDS.values():
        assert "config.json" in refused(*arguments)


@pytest.mark.parametrize("checkpoints", [None, "empty", "file", "foreign", "named like a step"])
def test_a_run_that_has_saved_nothing_is_not_played(refused, directory, checkpoints):
    path = directory()
    if checkpoints == "file":
        (path / "checkpoints").write_text("")
    elif checkpoints:
        (path / "checkpoints").mkdir()
    if checkpoints == "foreign":
        (path / "checkpoints" / "notes.txt").write_text("")
    elif checkpoints == "named like a step":
        (path / "checkpoints" / "100").mkdir()
    assert "checkpoint" in refused("eval", "run")
    assert "seed" in refused("eval", "run", "--train-seed", 5)
