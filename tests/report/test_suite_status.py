"""How far runs are by their files, and how long the rest takes."""

import json

import pytest

from hieros_eqx.config import make_preset, override
from hieros_eqx.report.suite_status import Status, describe_status, read_status, seconds_left
from hieros_eqx.training.suite import plan
from tests.report.made_runs import make_run

CONFIG = override(make_preset("debug"), ["training.seeds=[0, 1]", "training.env_steps=1000", "env.game=Pong"])
STEPS = ["training.env_steps=1000"]


def status(step=0, *, evaluated=False, rate=None, evaluation=None):
    return Status(step, 1000, evaluated, rate, evaluation)


def write_metrics(run, *records, tail=""):
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (run / "metrics.jsonl").write_text(lines + tail)


def test_nothing_is_there(tmp_path):
    own = read_status(tmp_path / "none", CONFIG, 100)
    assert own == status()
    assert describe_status(own) == "not begun"


def test_a_run_on_its_way(tmp_path):
    run = make_run(tmp_path / "r", "Pong", {0: None, 1: None}, changes=STEPS, env_step=400)
    write_metrics(run, {"env_step": 200, "seconds": 90.0}, {"env_step": 500, "seconds": 100.0}, tail='{"env')
    own = read_status(run, CONFIG, 100)
    assert own == status(400, rate=0.2)
    assert describe_status(own) == "at step 400 of 1,000"
    (run / "metrics.jsonl").write_text("{]\n")
    assert read_status(run, CONFIG, 100) == status(400)


def test_a_trained_run(tmp_path):
    run = make_run(tmp_path / "r", "Pong", {0: 1.0, 1: None}, changes=STEPS)
    own = read_status(run, CONFIG, 100)
    assert own == status(1000, evaluation=2.0), "one of two seeds is not evaluated"
    assert describe_status(own) == "trained, not evaluated"
    train, evaluate = plan([CONFIG], tmp_path, 100)
    assert own.finished(train)
    assert not own.finished(evaluate)


def test_a_run_that_is_done(tmp_path):
    run = make_run(tmp_path / "r", "Pong", {0: 1.0, 1: 2.0}, changes=STEPS, episodes=10)
    assert not read_status(run, CONFIG, 11).done, "too few episodes"
    own = read_status(run, CONFIG, 10)
    assert own.done
    assert describe_status(own) == "done"
    assert all(own.finished(job) for job in plan([CONFIG], tmp_path, 10))


def test_the_evaluation_of_an_earlier_checkpoint_does_not_count(tmp_path):
    run = make_run(tmp_path / "r", "Pong", {0: 1.0, 1: 2.0}, changes=STEPS, env_step=400)
    (run / "checkpoints" / "1000").mkdir()
    assert describe_status(read_status(run, CONFIG, 100)) == "trained, not evaluated"


def test_how_long_the_rest_takes():
    done = status(1000, evaluated=True, rate=2.0, evaluation=60.0)
    begun, fresh = status(400, rate=10.0), status()
    assert seconds_left({"a": fresh}) is None
    assert seconds_left({"a": done}) == 0.0
    assert seconds_left({"a": begun, "b": fresh}) == pytest.approx(600 * 10 + 1000 * 10)
    assert seconds_left({"a": done, "b": begun, "c": fresh}) == pytest.approx(1600 * 2.0 + 2 * 60.0)
    assert seconds_left({"a": done, "b": status(1000)}) == 60.0
