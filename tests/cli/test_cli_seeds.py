"""`--seeds`: what is taken, what is refused, what becomes of it."""

import json
from datetime import datetime

import pytest

from hieros_eqx.config import make_preset, override


@pytest.mark.parametrize(
    ("text", "seeds", "shortest"),
    [
        ("3", (3,), "3"),
        ("0,1,2,3", (0, 1, 2, 3), "0-3"),
        ("0-4", (0, 1, 2, 3, 4), "0-4"),
        ("7-7", (7,), "7"),
        ("0-2,7", (0, 1, 2, 7), "0-2,7"),
        (" 9, 3-4 ,0", (9, 3, 4, 0), "9,3-4,0"),
        ("0-999", tuple(range(1000)), "0-999"),
    ],
)
def test_lists_of_seeds(text, seeds, shortest):
    from hieros_eqx_cli.seeds import format_seeds, parse_seeds

    assert parse_seeds(text) == seeds
    assert format_seeds(seeds) == shortest
    assert parse_seeds(shortest) == seeds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["''", "0-2,7"]),
        ("a", ["'a'", "whole numbers"]),
        ("1,,2", ["'1,,2'", "whole numbers"]),
        ("-1", ["'-1'", "whole numbers"]),
        ("1.5", ["'1.5'", "whole numbers"]),
        ("0-", ["'0-'", "whole numbers"]),
        ("0--2", ["'0--2'", "whole numbers"]),
        ("²", ["whole numbers"]),
        ("4-0", ["runs backwards", "0-4"]),
        ("0-3,2,1", ["every seed once", "1-2 twice"]),
        ("0-1000", ["at most 1000"]),
        ("0-99999999999999", ["at most 1000"]),
    ],
)
def test_what_is_no_list_of_seeds_is_refused(refused, text, words):
    line = refused("train", "--preset", "debug", "--game", "Pong", "--seeds", text)
    assert all(word in line for word in ("--seeds", *words)), line


def test_seed_and_seeds_together(refused, run):
    line = refused("train", "--preset", "debug", "--game", "Pong", "--seed", 3, "--seeds", "0-2")
    assert "--seed 3 and --seeds 0-2: give one of both" in line
    # one as a variable is only weaker
    options = ("config", "--preset", "debug")
    training = json.loads(run(*options, "--seeds", "0-2", HIEROS_EQX_CONFIG_SEED="3").out)["training"]
    assert training["seeds"] == [0, 1, 2]
    training = json.loads(run(*options, "--seed", 3, HIEROS_EQX_CONFIG_SEEDS="0-2").out)["training"]
    assert (training["seed"], training["seeds"]) == (3, [])


def test_one_seed_is_a_run_of_that_seed(run):
    options = ("config", "--preset", "debug")
    assert run(*options, "--seeds", "3").out == run(*options, "--seed", 3).out


def test_auto_says_that_every_seed_takes_the_steps(run):
    result = run("config", "--seeds", "0-3", "--env-steps", 777)
    assert "777 environment steps for each of 4 seeds; the display shows" in result.err


@pytest.mark.parametrize(
    ("seeds", "part"),
    [
        ("[0, 1, 2, 3]", "seeds0-3"),
        ("[0, 1, 2, 7]", "seeds0-2_7"),
        ("[5]", "seed5"),
        (str(list(range(0, 60, 2))), "30seeds"),
    ],
)
def test_run_directories_name_their_seeds(tmp_path, seeds, part):
    from hieros_eqx_cli.train import new_run_dir

    config = override(make_preset("debug"), ["env.game=Pong", f"training.seeds={seeds}"])
    now = datetime(2026, 1, 2, 3, 4, 5)
    assert new_run_dir(config, now, tmp_path).name == f"Pong-debug-{part}-20260102-030405"
