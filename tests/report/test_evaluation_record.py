"""Evaluations written and read again, and which of several counts."""

import json

import numpy as np
import pytest

from hieros_eqx.config import make_preset, override
from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.evaluation_record import (
    describe,
    final_evaluations,
    make_record,
    read_all,
    read_evaluations,
)
from hieros_eqx.training import EvaluationResult

CONFIG = override(make_preset("debug"), ["env.game=Boxing", "training.env_steps=1000"])


def played(*returns):
    count = len(returns)
    return EvaluationResult(tuple(returns), tuple(range(1, count + 1)), (False,) * count)


def record(results, env_step=1000, when="2026-01-01T00:00:00.000+00:00"):
    made = make_record(
        CONFIG, results, env_step=env_step, policy="sample", backend="jax", seed=0, num_envs=1, seconds=1.5
    )
    return made | {"evaluated": when}


@pytest.fixture
def write(tmp_path):
    def call(name, content):
        (tmp_path / f"eval-{name}.json").write_text(json.dumps(content))
        return tmp_path

    return call


def test_one_seed(rng):
    returns = rng.normal(6.0, 2.0, size=100)
    made = record({3: played(*returns)})
    assert made["mean"] == pytest.approx(returns.mean())
    assert made["human_normalised"] == pytest.approx(returns.mean() / 12), "Boxing: random 0, human 12"
    half = 1.96 * returns.std() / 10
    np.testing.assert_allclose(np.array(made["interval"]) - returns.mean(), [-half, half], atol=0.1 * half)
    assert made["length"] == {"mean": 50.5, "min": 1, "max": 100}
    (line,) = describe(made)
    assert line.startswith(f"100 episodes: mean {returns.mean():.6g} [{made['interval'][0]:.6g}, ")


def test_the_interval_of_several_seeds_is_over_seeds():
    made = record({0: played(0.0, 100.0), 1: played(40.0, 60.0)})
    assert (made["mean"], made["interval"], made["interval_over"]) == (50.0, [50.0, 50.0], "seeds")


def test_one_episode_has_no_interval(write):
    made = record({0: played(4.0)})
    assert made["interval"] is None
    assert describe(made) == [
        "1 episode: mean 4, median 4, length 1 (1 to 1), human-normalised 0.333 (0: random, 1: human)"
    ]
    (own,) = read_all(write("x", made))
    assert (own.mean, own.interval, own.episodes) == (4.0, None, 1)


def test_what_is_written_is_read_again(write):
    path = write("x", record({4: played(1.0, 3.0), 0: played(2.0, 8.0)}))
    zero, four = read_evaluations(path)
    assert (zero.train_seed, four.train_seed) == (0, 4)
    assert (four.returns, four.lengths, four.mean, four.median) == ((1.0, 3.0), (1, 2), 2.0, 2.0)
    assert (four.env, four.env_step, four.final, four.policy) == ("Boxing", 1000, True, "sample")
    assert four.path == path / "eval-x.json"
    assert zero.interval == (2.0, 8.0)


def test_the_newest_of_a_seed_and_checkpoint(write):
    write("a", record({0: played(1.0), 1: played(5.0)}, when="2026-01-03T00:00:00.000+00:00"))
    write("b", record({0: played(2.0)}, when="2026-01-02T00:00:00.000+00:00"))
    path = write("c", record({0: played(3.0)}, env_step=500))
    found = [(own.env_step, own.train_seed, own.mean) for own in read_evaluations(path)]
    assert found == [(500, 0, 3.0), (1000, 0, 1.0), (1000, 1, 5.0)]


def test_the_longest_of_a_finished_agent_counts(write):
    write("a", record({0: played(1.0, 1.0), 1: played(7.0)}, when="2026-01-01T00:00:00.000+00:00"))
    write("b", record({0: played(2.0, 2.0)}, when="2026-01-02T00:00:00.000+00:00"))
    write("c", record({0: played(3.0)}, when="2026-01-03T00:00:00.000+00:00"))
    path = write("d", record({0: played(4.0, 4.0, 4.0)}, env_step=500))
    assert {seed: own.mean for seed, own in final_evaluations(path).items()} == {0: 2.0, 1: 7.0}


def test_a_run_without_evaluations(tmp_path):
    assert read_evaluations(tmp_path) == []
    assert final_evaluations(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"mean": 2.0, "returns": [2.0]},
        {"seeds": {"0": {}}},
        {"seeds": {"x": {}}},
        record({0: played(1.0)}) | {"env_step": "last"},
        record({0: played(1.0)}) | {"seeds": {"0": {"returns": [], "lengths": []}}},
    ],
    ids=range(7),
)
def test_a_file_of_another_kind(write, content):
    with pytest.raises(CheckpointError, match=r"eval-x\.json: wanted an evaluation as `hieros-eqx eval`"):
        read_evaluations(write("x", content))
