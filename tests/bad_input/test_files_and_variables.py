"""Configuration files of strangers: whatever is in them, the answer is one line that names file or field."""

import json
import os

import pytest

from hieros_eqx.config import make_preset, to_dict
from hieros_eqx.config.strict_json import NotJSONError, parse_json

DEBUG = to_dict(make_preset("debug"))
DEEP = '{"world_model":' * 100_000 + "1" + "}" * 100_000
FILES = [
    # what is in the file, what the line says
    (b"", ["bad.json", "wanted JSON"]),
    (b"   \n", ["bad.json", "wanted JSON"]),
    (b"\x00", ["bad.json", "wanted JSON"]),
    (b"\xff\xfe\x00", ["bad.json", "UTF-8"]),
    (b'\xef\xbb\xbf{"levels": 2}', ["bad.json", "BOM"]),
    (b"levels: 2", ["bad.json", "wanted JSON", "line 1"]),
    (b'{"levels": 2,}', ["bad.json", "wanted JSON", "line 1"]),
    (b'{"levels": 2} {"levels": 3}', ["bad.json", "wanted JSON"]),
    (b"{'levels': 2}", ["bad.json", "wanted JSON"]),
    (b"null", ["bad.json", "JSON object", "NoneType"]),
    (b"3", ["bad.json", "JSON object", "int"]),
    (b'"debug"', ["bad.json", "JSON object", "str"]),
    (b'{"levels": 2, "levels": 3}', ["bad.json", "every field once", "levels twice"]),
    (b'{"training": {"seed": 2, "seed": 3}}', ["bad.json", "every field once", "seed twice"]),
    (DEEP.encode(), ["bad.json", "too many to read"]),
    (b"[" * 100_000, ["bad.json", "too many to read"]),
    (b'{"levels": 1' + b"0" * 400 + b"}", ["levels = 1000", "<= 8"]),
    (b'{"levels": 1' + b"0" * 5000 + b"}", ["bad.json", "thousands of digits"]),
    (b'{"subgoal": {"beta": 1e400}}', ["subgoal.beta = inf", "a finite number"]),
    (b'{"subgoal": {"beta": 1' + b"0" * 400 + b"}}", ["subgoal.beta = 1000", "<= 3.4e+38"]),
    (b'{"subgoal": {"beta": NaN}}', ["subgoal.beta = nan", "a finite number"]),
    (b'{"subgoal": {"beta": -Infinity}}', ["subgoal.beta = -inf", "a finite number"]),
    (b'{"subgoal": {"beta": null}}', ["subgoal.beta = None", "a finite number"]),
    (b'{"subgoal": null}', ["subgoal = None", "group of fields"]),
    (b'{"subgoal": [0.5]}', ["subgoal = [0.5]", "group of fields"]),
    (b'{"subgoal": {"": 1}}', ["subgoal.: no such field"]),
    (b'{"": 1}', [": no such field"]),
    (b'{"env": {"game": "\\ud800"}}', ["Atari game"]),
    (b'{"env": {"game": 7}}', ["env.game = 7", "a text or null"]),
    (b'{"env": {"game": null, "id": null}}', ["--game", "--env"]),
    (b'{"preset": null}', ["preset = None", "a text"]),
    (b'{"training": {"seeds": "0-3"}}', ["training.seeds = '0-3'", "a list of a whole number"]),
    (b'{"levels": {"levels": 2}}', ["levels = {'levels': 2}", "a whole number"]),
    (json.dumps(DEBUG | {"x": 1}).encode(), ["x: no such field"]),
]


@pytest.mark.parametrize(("content", "words"), FILES, ids=range(len(FILES)))
def test_a_file(refused, tmp_path, content, words):
    (tmp_path / "bad.json").write_bytes(content)
    options = () if b"preset" in content else ("--preset", "debug")
    line = refused("train", *options, "--config", "bad.json")
    assert all(word in line for word in words), line
    assert len(line) < 1000


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(refused, tmp_path):
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "bad.json").chmod(0)
    assert "bad.json" in refused("train", "--config", "bad.json")


def test_an_option_does_not_excuse_the_file(refused, tmp_path):
    """A file is checked even where an option would replace what is wrong in it."""
    (tmp_path / "bad.json").write_text('{"levels": 99}')
    assert "levels = 99" in refused("config", "--preset", "debug", "--levels", 2, "--config", "bad.json")


def test_a_variable_names_the_file(refused, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json" in refused("config", "--preset", "debug", HIEROS_EQX_CONFIG_CONFIG="bad.json")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--env-steps", 5], ["training.env_steps = 5", ">= 12", "trained at all"]),
        (["--set", "training.train_every=1000"], ["training.env_steps = 400", ">= 1000", "train_every"]),
        (["--set", "env.num_envs=64"], ["training.env_steps = 400", ">= 640", "env.num_envs"]),
        (["--set", "training.sequence=4000"], ["training.env_steps = 400", "training.sequence"]),
        (["--set", "replay.capacity=8"], ["replay.capacity = 8", ">= 9", "training.sequence"]),
        (["--set", "replay.capacity=20", "--set", "env.num_envs=4"], ["replay.capacity = 20", ">= 36"]),
        (["--set", "world_model.s5.init_blocks=3"], ["world_model.s5.init_blocks = 3", "state = 8"]),
        (["--set", "world_model.s5.step_max=1e-9"], ["world_model.s5.step_min", "step_max"]),
        (["--set", "env.id=CartPole-v1"], ["env.id = 'CartPole-v1'", "one of both"]),
        (["--env", "CartPole-v1"], ["--game", "--env", "one of both"]),
        (["--seed", 1, "--seeds", "0-2"], ["--seed 1", "--seeds 0-2"]),
        (["--env-backend", "gymnasium"], ["envpool or ale"]),
    ],
)
def test_fields_that_do_not_go_together(refused, options, words):
    line = refused("train", "--preset", "debug", "--game", "Pong", *options)
    assert all(word in line for word in words), line


PROBE = ("train", "--preset", "debug", "--env", "hieros_eqx.envs.probe:memory", "--run-dir", "run")
LARGE = [  # a field, what the line says
    ("env.num_envs=2147483647", ["2147483647"]),
    ("env.num_envs=60000", ["training.env_steps", "env.num_envs"]),
    ("env.threads=100000", ["1024", "100000"]),
    ("world_model.hidden=1000000000", ["memory", "do not fit", "world_model"]),
    ("world_model.s5.num_blocks=1000000000", ["world_model.s5.num_blocks", "<= 64"]),
    ("world_model.mlp_layers=1000000000", ["world_model.mlp_layers", "<= 64"]),
    ("behaviour.layers=1000000000", ["behaviour.layers", "<= 64"]),
    ("subgoal.classes=2147483647", ["memory"]),
    ("training.batch=2147483647", ["training.env_steps"]),
    ("training.env_steps=2147483647", ["memory", "training.env_steps"]),
    ('env.keys=["position"]', ["position", "leave keys out"]),
]


@pytest.mark.parametrize(("assignment", "words"), LARGE)
def test_what_no_machine_can_hold(refused, assignment, words):
    line = refused(*PROBE, "--set", assignment)
    assert all(word in line.replace("That does not fit", "do not fit") for word in words), line


def test_levels_that_are_never_trained_are_named(run):
    """They act all the same, so that is allowed; the error is of an environment that does not exist."""
    result = run("train", "--preset", "debug", "--levels", 8, "--env", "absent:make")
    note, error = result.err.splitlines()
    assert note.startswith("note: level 3 is not trained, it would begin at step 768 of 400;")
    assert "'absent:make'" in error and result.code == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", NotJSONError),
        (b"\xff", NotJSONError),
        ('{"a": 1, "a": 1}', ValueError),
        ("[" * 10**6, ValueError),
        ("1" * 10**4, ValueError),
    ],
)
def test_strict_json(text, error):
    with pytest.raises(ValueError, match="wanted") as caught:
        parse_json(text)
    assert type(caught.value) is error
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}
