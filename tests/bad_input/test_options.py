"""Every option of every command, typed and as an environment variable, with values that are not allowed."""

import click
import pytest
from hieros_eqx_cli.main import main

GAME = ("--preset", "debug", "--game", "Pong")
HUGE = "1" + "0" * 400
LONG = "9" * 5000  # more digits than Python reads
CONFIGURATION = {  # option -> (value, what the line says)
    "game": [
        ("PrivatEye", ["'PrivatEye'", "PrivateEye"]),
        ("", ["''", "Atari game"]),
        ("  ", ["Atari game"]),
        ("Pøng", ["'Pøng'", "Atari game"]),
        ("Pong\nBoxing", ["Atari game"]),
        ("Pong-v9", ["'Pong-v9'", "did you mean Pong"]),
    ],
    "preset": [("fast", ["'fast'", "laptop"]), ("", ["''", "laptop"]), ("DEBUG", ["'DEBUG'", "debug"])],
    "levels": [
        ("0", ["levels = 0", ">= 1 and <= 8"]),
        ("9", ["levels = 9", ">= 1 and <= 8"]),
        ("-1", ["levels = -1", ">= 1"]),
        ("2.0", ["--levels", "'2.0'", "integer"]),
        ("", ["--levels", "''", "integer"]),
        ("two", ["--levels", "'two'", "integer"]),
        (HUGE, ["levels = 1000", "<= 8", "characters)"]),
        (LONG, ["--levels", "integer"]),  # click repeats all of it
    ],
    "env_steps": [
        ("0", ["training.env_steps = 0", ">= 1"]),
        ("-5", ["training.env_steps = -5", ">= 1"]),
        ("1e5", ["--env-steps", "'1e5'", "integer"]),
        ("nan", ["--env-steps", "'nan'", "integer"]),
        (str(2**31), ["training.env_steps = 2147483648", "<= 2147483647"]),
        (HUGE, ["training.env_steps = 1000", "<= 2147483647"]),
    ],
    "seed": [
        ("-1", ["training.seed = -1", ">= 0"]),
        ("x", ["--seed", "'x'", "integer"]),
        ("0,1", ["--seed", "'0,1'", "integer"]),
        (str(2**32), ["training.seed = 4294967296", "<= 2147483647"]),
        (HUGE, ["training.seed = 1000", "<= 2147483647"]),
    ],
    "seeds": [
        ("3-1", ["--seeds", "'3-1'", "runs backwards"]),
        ("", ["--seeds", "''", "whole numbers"]),
        ("0,0", ["--seeds", "'0,0'", "every seed once"]),
        ("0-2147483648", ["--seeds", "at most 1000"]),
        (f"0,{2**31}", ["training.seeds = (0, 2147483648)", "<= 2147483647"]),
        (LONG, ["--seeds", "whole numbers", "characters)"]),
    ],
    "env_backend": [("gym", ["'gym'", "envpool"]), ("", ["''", "envpool"]), ("ENVPOOL", ["envpool"])],
    "config": [
        ("absent.json", ["--config", "absent.json", "does not exist"]),
        (".", ["--config", "is a directory"]),
        ("", ["--config", "''", "does not exist"]),
        ("x" * 300, ["--config", "x" * 300]),
    ],
    "set": [
        ("levels", ["'levels'", "path.to.field=value"]),
        ("", ["''", "path.to.field=value"]),
        ("=1", ["'=1'", "path.to.field=value"]),
        (".=1", ["'.=1'", "path.to.field=value"]),
        ("training..seed=1", ["'training..seed=1'", "path.to.field=value"]),
        ("level=2", ["level: no such field", "'levels'"]),
        ("training." + "x" * 500 + "=1", ["training.xxx", "no such field", "(509 characters)"]),
        ("training.seed.x=1", ["training.seed", "{'x': 1}", "a whole number"]),
        ("world_model=1", ["world_model = 1", "group of fields"]),
        ("world_model.s5=null", ["world_model.s5 = None", "group of fields"]),
        ("preset=paper", ["--preset"]),
        ("subgoal.beta=1e400", ["subgoal.beta = inf", "a finite number"]),
        ("subgoal.beta=NaN", ["subgoal.beta = nan", "a finite number"]),
        ("subgoal.beta=" + HUGE, ["subgoal.beta = 1000", "<= 3.4e+38"]),
        ("levels=" + LONG, ["levels = '9999", "thousands of digits"]),
        ("levels=" + "[" * 100_000, ["levels = '[[[", "too many to read"]),
        ('training={"seed": 1, "seed": 2}', ["training = ", "every field once", "seed twice"]),
        ("training.seeds=[[1]]", ["training.seeds = ([1],)", "a list of a whole number"]),
        ("env.keys=[null]", ["env.keys = (None,)", "a list of a text"]),
    ],
}
TRAINING = {
    "env": [
        ("", ["''", "module:factory"]),
        ("CartPole-v99", ["'CartPole-v99'"]),
        (":", ["':'", "module:factory"]),
        ("json:", ["'json:'", "module:factory"]),
        (":make", ["':make'", "module:factory"]),
        (".relative:make", ["'.relative:make'", "module:factory"]),
        ("math:pi", ["'math:pi'", "float"]),
        ("math:sin", ["sin", "TypeError"]),
        ("os:getcwd", ["getcwd", "gymnasium.Env", "str"]),
        ("gymnasium:Env", ["observation_space"]),
    ],
    "run_dir": [("file", ["--run-dir", "'file'", "is a file"]), ("file/run", ["file"]), ("x" * 300, ["xxx"])],
    "wandb": [
        ("", ["wandb project", "''", "the name of a project"]),
        ("a/b", ["wandb project", "'a/b'", "none of"]),
        ("x" * 129, ["wandb project", "up to 128 characters"]),
    ],
    "from_checkpoint": [("absent", ["absent"]), ("file", ["file"])],
}
EVALUATION = {
    "run": [("absent", ["RUN", "'absent'", "does not exist"]), ("", ["RUN", "''"]), ("file", ["is a file"])],
    "episodes": [
        ("0", ["--episodes", "0", ">=1"]),
        ("1.5", ["--episodes", "'1.5'"]),
        ("", ["--episodes", "''"]),
    ],
    "backend": [("torch", ["'torch'", "numpy"]), ("", ["''", "numpy"])],
    "seed": [("-1", ["--seed", "-1", ">=0"]), ("x", ["--seed", "'x'"])],
    "policy": [("greedy", ["'greedy'", "mode"]), ("", ["''", "mode"])],
    "num_envs": [("0", ["--num-envs", "0", ">=1"]), ("many", ["--num-envs", "'many'"])],
    "train_seed": [("-1", ["--train-seed", "-1", ">=0"]), ("0-1", ["--train-seed", "'0-1'"])],
    "checkpoint": [
        ("oldest", ["--checkpoint", "'oldest'", "best"]),
        ("-1", ["--checkpoint", "'-1'"]),
        ("", ["--checkpoint", "''"]),
        (LONG, ["--checkpoint", "characters)", "best"]),
    ],
}
REPORT = {
    "runs": EVALUATION["run"],
    "out": [
        (".", ["--out", "is a directory"]),
        ("absent/page.html", ["absent/page.html", "directory that exists"]),
    ],
}
SCORES = {
    "runs": [
        ("absent", ["RUN", "'absent'", "does not exist"]),
        ("file", ["is a file"]),
        (".", ["config.json"]),
    ],
    "format": [("excel", ["'excel'", "latex"]), ("", ["''", "latex"])],
    "out": [
        (".", ["--out", "is a directory"]),
        ("absent/table.csv", ["absent/table.csv", "folder that exists"]),
    ],
}
PLAY = {name: EVALUATION[name] for name in ("run", "seed", "train_seed", "checkpoint", "policy")} | {
    "out": [
        ("video.avi", ["--out", "'video.avi'", ".mp4"]),
        ("absent/video.mp4", ["--out", "'absent/video.mp4'", "directory that exists"]),
        (".", ["--out", "is a directory"]),
        ("file/video.mp4", ["--out", "'file/video.mp4'", "directory that exists"]),
    ],
    "max_steps": [("0", ["--max-steps", "0", ">=1"]), ("all", ["--max-steps", "'all'"])],
    "fps": [
        ("0", ["--fps", "0"]),
        ("nan", ["--fps", "nan"]),
        ("1001", ["--fps", "1001"]),
        ("fast", ["--fps", "'fast'"]),
    ],
}
SUITE = {name: cases for name, cases in CONFIGURATION.items() if name not in ("game", "seed")} | {
    "games": [
        ("PrivatEye", ["--games", "'PrivatEye'", "PrivateEye"]),
        ("Pong,", ["--games", "''", "slides"]),
        ("pong,Pong", ["every game once", "Pong twice"]),
        ("", ["--games", "''"]),
    ],
    "out": [("file", ["--out", "'file'", "is a file"])],
    "episodes": EVALUATION["episodes"],
}
TABLE = {
    "train": CONFIGURATION | TRAINING,
    "config": CONFIGURATION | {"env": [("CartPole-v1", ["--game Pong", "--env CartPole-v1", "one of both"])]},
    "eval": EVALUATION,
    "play": PLAY,
    "scores": SCORES,
    "suite": SUITE,
    "report": REPORT,
}
CASES = [
    pytest.param(command, name, value, words, id=f"{command}-{name}-{i}")
    for command, options in TABLE.items()
    for name, cases in options.items()
    for i, (value, words) in enumerate(cases)
]


POSITIONAL = ("run", "runs")
OF_RUNS = ("eval", "play", "report", "scores")


def call(command, name, value):
    """Return the arguments that give one value, beside others that are allowed."""
    if command in OF_RUNS:
        return (
            (command, value) if name in POSITIONAL else (command, ".", f"--{name.replace('_', '-')}={value}")
        )
    if command == "suite":
        preset = [] if name == "preset" else ["--preset", "debug"]
        out = [] if name == "out" else ["--out", "out"]
        return (command, *preset, *out, f"--{name.replace('_', '-')}={value}")
    chosen = [] if name == "game" or (command == "train" and name == "env") else ["--game", "Pong"]
    preset = [] if name == "preset" else ["--preset", "debug"]
    return (command, *preset, *chosen, f"--{name.replace('_', '-')}={value}")


@pytest.fixture
def file(empty_directory):
    (empty_directory / "file").write_text("")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(("command", "name", "value", "words"), CASES)
def test_an_option(refused, command, name, value, words):
    line = refused(*call(command, name, value))
    assert all(word in line for word in words), line
    assert len(line) < 1000 or value == LONG


def means_the_same_as_a_variable(command, name, value):
    """An empty variable is one that is not set; in that of `--set` white space is between assignments."""
    split = name == "set" and " " in value
    return value.strip() and name not in POSITIONAL and not split and (command, name) != ("config", "env")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("command", "name", "value", "words"),
    [case for case in CASES if means_the_same_as_a_variable(*case.values[:3])],
)
def test_the_same_as_a_variable(refused, command, name, value, words):
    arguments = call(command, name, value)[:-1]
    line = refused(*arguments, **{f"HIEROS_EQX_{command.upper()}_{name.upper()}": value})
    assert all(word in line for word in words), line


@pytest.mark.parametrize(("words", "got"), [("maybe", "'maybe'"), ("2", "'2'")])
def test_a_flag_as_a_variable(refused, words, got):
    assert got in refused("games", HIEROS_EQX_GAMES_ALL=words)
    assert got in refused("train", *GAME, HIEROS_EQX_TRAIN_DETERMINISTIC=words)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("games", "--all=yes"), "--all"),
        (("games", "Pong"), "Pong"),
        (("doctor", "--fast"), "--fast"),
        (("train", *GAME, "--level", "2"), "--levels"),
        (("config", "stray"), "stray"),
        (("eval", ".", "stray"), "stray"),
        (("--wrong", "train"), "--wrong"),
        (("",), "''"),
    ],
)
def test_what_no_command_knows(refused, args, word):
    assert word in refused(*args)


def test_every_option_has_a_bad_value():
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    wanted = {
        (name, parameter.name)
        for name, command in commands.items()
        for parameter in command.params
        if not getattr(parameter, "is_flag", False)
    }
    assert {(command, name) for command, options in TABLE.items() for name in options} == wanted
