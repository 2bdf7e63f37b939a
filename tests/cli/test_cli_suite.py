"""`suite`: what it plans, skips, refuses and tells, with a stand-in for the program that it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.report.made_runs import make_run

DEBUG = ("--preset", "debug", "--levels", "1", "--env-steps", "500")
STAND_IN = """
import os, pathlib, sys
words = sys.argv[1:]
with open("called", "a") as file:
    file.write(" ".join(words[:4]) + "\\n")
if words[0] == "train":
    run = pathlib.Path(words[words.index("--run-dir") + 1])
    sys.exit({codes}.get(run.name, 0))
"""


@pytest.fixture
def stand_in(monkeypatch, empty_directory):
    """Return what lets jobs end with codes by game, 0 for others; nothing becomes done by them."""
    from hieros_eqx_cli import suite

    def make(**codes):
        (empty_directory / "program.py").write_text(STAND_IN.format(codes=codes))
        monkeypatch.setattr(suite, "program", lambda: (sys.executable, "program.py"))
        return empty_directory / "called"

    return make


def made(path, game, scores, **options):
    changes = ("training.env_steps=500", "levels=1")
    return make_run(path / game, game, scores, changes=changes, **options)


def test_a_plan_is_one_line_a_game(run):
    result = run("suite", "--out", "out", "--games", "26", *DEBUG, "--dry-run")
    lines = result.out.splitlines()
    assert (result.code, len(lines)) == (0, 26)
    assert lines[-1] == (
        "hieros-eqx train --game UpNDown --preset debug --seeds 0,1,2,3,4 --set levels=1 "
        "--set training.env_steps=500 --run-dir out/UpNDown && hieros-eqx eval out/UpNDown --episodes 100"
    )
    assert result.err.splitlines()[0].split() == ["Alien", "not", "begun"]
    assert not Path("out").exists()
    assert len(run("suite", "--out", "out", *DEBUG, "--plan").out.splitlines()) == 25


def test_options_of_the_jobs(run):
    plan = run(
        *("suite", "--out", "out", "--games", "pong,ms_pacman", "--seeds", "3", "--episodes", "7"),
        *("--preset", "debug", "--set", "subgoal.beta=0.25", "--dry-run"),
        HIEROS_EQX_SUITE_LEVELS="2",
    ).out
    assert plan.splitlines()[1] == (
        "hieros-eqx train --game MsPacman --preset debug --seeds 3 --set levels=2 --set subgoal.beta=0.25 "
        "--run-dir out/MsPacman && hieros-eqx eval out/MsPacman --episodes 7"
    )


def test_what_is_finished_is_not_planned(run, empty_directory):
    out = empty_directory / "out"
    made(out, "Pong", {0: 1.0, 1: 2.0})
    made(out, "Krull", {0: 1.0, 1: None})
    made(out, "Boxing", {0: None, 1: None}, env_step=200)
    options = ("--games", "Pong,Krull,Boxing,Hero", "--seeds", "0-1", *DEBUG, "--dry-run")
    result = run("suite", "--out", "out", *options)
    krull, boxing, hero = result.out.splitlines()
    assert krull == "hieros-eqx eval out/Krull --episodes 100"
    assert boxing.startswith("hieros-eqx train --game Boxing ")
    assert hero.startswith("hieros-eqx train --game Hero ")
    assert [line.split(maxsplit=1)[1] for line in result.err.splitlines()] == [
        "done",
        "trained, not evaluated",
        "at step 200 of 500",
        "not begun",
    ]


def test_runs_of_another_configuration_are_refused(refused, empty_directory):
    made(empty_directory / "out", "Pong", {0: 1.0, 1: 2.0})
    line = refused("suite", "--out", "out", "--games", "Pong", "--seeds", "0-2", *DEBUG)
    assert "out/Pong holds a run with another configuration (training.seeds: [0, 1] -> [0, 1, 2])" in line


def test_variables_that_would_change_the_jobs_are_refused(refused):
    line = refused("suite", "--out", "out", *DEBUG, HIEROS_EQX_TRAIN_LEVELS="2")
    assert line.startswith("HIEROS_EQX_TRAIN_LEVELS: would change what the jobs do")


def test_a_failed_job_does_not_stop_the_others(run, stand_in, empty_directory):
    called = stand_in(Krull=7)
    made(empty_directory / "out", "Hero", {0: None, 1: None})
    result = run("suite", "--out", "out", "--games", "Krull,Pong,Hero", "--seeds", "0-1", *DEBUG)
    assert result.code == 1
    assert called.read_text().splitlines() == [
        "train --game Krull --preset",
        "train --game Pong --preset",
        "eval out/Hero --episodes 100",
    ]
    failed = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert failed[0].startswith("failed: Krull, train (exit code 7): hieros-eqx train --game Krull ")
    assert failed[1].startswith("failed: Pong, train (it ended well, and yet is not done): ")
    assert failed[3] == "failed: Krull, Pong, Hero; the same command tries again"


def test_a_stopped_job_ends_the_suite(run, stand_in):
    called = stand_in(Krull=130)
    result = run("suite", "--out", "out", "--games", "Krull,Pong", *DEBUG)
    assert result.code == 130
    assert called.read_text().splitlines() == ["train --game Krull --preset"]
    assert result.err.splitlines()[-1] == "stopped; the same command goes on"


def test_a_suite_that_is_done(run, stand_in, empty_directory):
    called = stand_in()
    made(empty_directory / "out", "Pong", {0: 1.0, 1: 2.0})
    result = run("suite", "--out", "out", "--games", "Pong", "--seeds", "0-1", *DEBUG)
    assert result.code == 0
    assert not called.exists()
    assert result.err.splitlines()[-2:] == [
        "1 of 1 games done",
        "show the table: hieros-eqx scores out",
    ]


def test_when_it_ends():
    from hieros_eqx_cli.suite import progress

    from hieros_eqx.report.suite_status import Status

    now = datetime(2026, 1, 30, 23, 0)
    done, fresh = Status(400, 400, True, 9.0, 600.0), Status(0, 400, False, None, None)
    (line,) = progress({"a": done, "b": fresh}, now)
    assert line == "1 of 2 games done, 1 left: about 70 min, until Sat 31 Jan 00:10"
    (line,) = progress({"b": fresh}, now)
    assert line == "0 of 1 games done, 1 left; how long it takes is told when something was measured"


@pytest.mark.slow
def test_two_games_of_atari(tmp_path):
    """Train, Ctrl-C, go on, evaluate, skip what is done, show the table: all in processes of their own."""
    program = Path(sys.executable).with_name("hieros-eqx")
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "HIEROS_EQX_COMPILATION_CACHE": str(tmp_path / "c")}
    environment.pop("JAX_ENABLE_X64", None)
    options = ("--games", "Boxing,Krull", "--seeds", "0-1", "--out", "out", "--episodes", "3", *DEBUG)
    sets = ("env.max_episode_frames=400", "training.log_every=20")  # both games have 18 actions
    command = [program, "suite", *options, *(word for own in sets for word in ("--set", own))]

    def start(*words):
        pipe = subprocess.PIPE
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True)

    first = start(*command)
    metrics, deadline = tmp_path / "out" / "Boxing" / "metrics.jsonl", time.monotonic() + 300
    while not metrics.exists() and first.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=300)
    assert first.returncode == 130, err
    assert "stopped; the same command goes on" in err
    assert "Traceback" not in err
    (step,) = (int(path.name) for path in (tmp_path / "out" / "Boxing" / "checkpoints").iterdir())
    assert 0 < step < 500

    second = start(*command)
    _, err = second.communicate(timeout=500)
    assert second.returncode == 0, err
    assert f"Boxing          at step {step} of 500" in err
    assert "1 of 2 games done, 1 left: about " in err
    assert "2 of 2 games done" in err
    for game in ("Boxing", "Krull"):
        record = json.loads((tmp_path / "out" / game / "eval-seed0-jax.json").read_text())
        assert (record["env_step"], record["final"], record["episodes"]) == (500, True, 3)
        assert set(record["seeds"]) == {"0", "1"}
        assert record["length"]["max"] == 100

    third = start(*command)
    _, err = third.communicate(timeout=300)
    assert third.returncode == 0, err
    assert "run: " not in err

    table = start(program, "scores", "out", "--format", "markdown")
    out, err = table.communicate(timeout=300)
    assert table.returncode == 0, err
    assert "recomputed over 2 of 25 games" in out
    assert "not the benchmark's 100,000 environment steps: Boxing 500, Krull 500" in out
