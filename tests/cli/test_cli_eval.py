"""What `eval` plays, prints and writes, with playing itself replaced."""

import json
from types import SimpleNamespace

import pytest

import hieros_eqx
from hieros_eqx.config import make_preset, override, to_dict
from hieros_eqx.report.scores import human_normalised
from hieros_eqx.training import EvaluationResult

PLAYED = {4: (10.0, 20.0), 1: (1.0, 2.0)}  # seed -> returns


@pytest.fixture
def played(monkeypatch):
    """Return what was asked of `evaluate_seeds`; every seed plays what is written above."""
    asked = []

    def config_of(directory):
        return hieros_eqx.config.from_dict(json.loads((directory / "config.json").read_text()))

    def load_all(directory, checkpoint):
        if checkpoint is not None:
            asked.append(checkpoint)
        config = config_of(directory)
        return {seed: SimpleNamespace(config=config.for_seed(seed)) for seed in config.all_seeds}

    def evaluate_seeds(agents, env, episodes, *, backend, seed):
        asked.append((list(agents), env, episodes, backend, seed))
        return {number: EvaluationResult(PLAYED[number], (3, 4), (False, True)) for number in agents}

    monkeypatch.setattr(hieros_eqx, "load_all", load_all, raising=False)

    def load(path, checkpoint, seed):
        return load_all(path, checkpoint)[seed]

    monkeypatch.setattr(hieros_eqx, "load", load, raising=False)
    monkeypatch.setattr(hieros_eqx, "evaluate_seeds", evaluate_seeds, raising=False)
    return asked


@pytest.fixture
def directory(empty_directory):
    """Make a run directory of some seeds."""

    def make(seeds, env="env.game=Pong"):
        config = override(make_preset("debug"), [env, f"training.seeds={seeds}"])
        path = empty_directory / "run"
        path.mkdir()
        (path / "config.json").write_text(json.dumps(to_dict(config)))
        return path

    return make


def test_all_seeds_of_a_run(run, played, directory):
    path = directory([4, 1])
    result = run("eval", "run", "--episodes", 2, "--seed", 7)
    assert played == [([4, 1], None, 2, "jax", 7)]
    normal = [human_normalised("Pong", mean) for mean in (15.0, 1.5, 8.25)]
    scale = "(0: random, 1: human)"
    assert result.out.splitlines() == [
        f"seed 4: 2 episodes: mean 15, median 15, human-normalised mean {normal[0]:.3f} {scale}",
        f"seed 1: 2 episodes: mean 1.5, median 1.5, human-normalised mean {normal[1]:.3f} {scale}",
        f"mean over 2 seeds: 8.25, human-normalised mean {normal[2]:.3f} {scale}",
    ]
    record = json.loads((path / "eval-seed7-jax.json").read_text())
    assert (record["env"], record["episodes"], record["backend"], record["seed"]) == ("Pong", 2, "jax", 7)
    assert (record["mean"], record["std"], record["human_normalised"]) == (8.25, 6.75, normal[2])
    assert {seed: own["returns"] for seed, own in record["seeds"].items()} == {"4": [10, 20], "1": [1, 2]}
    assert record["seeds"]["1"]["truncated"] == [False, True]


def test_one_of_several_seeds(run, played, directory):
    path = directory([4, 1], env="env.id=probe")
    result = run("eval", "run", "--train-seed", 1, "--backend", "numpy")
    assert played == [([1], None, 10, "numpy", 0)]
    assert result.out == "2 episodes: mean 1.5, median 1.5\n"
    record = json.loads((path / "eval-train-seed1-seed0-numpy.json").read_text())
    assert (record["train_seed"], record["returns"]) == (1, [1, 2])
    assert "seeds" not in record


def test_a_run_of_one_seed(run, played, directory):
    path = directory([4])
    result = run("eval", "run", "--episodes", 2)
    assert played == [([4], None, 2, "jax", 0)]
    assert result.out.startswith("2 episodes: mean 15, median 15, human-normalised")
    record = json.loads((path / "eval-seed0-jax.json").read_text())
    assert record["returns"] == [10, 20]
    assert record.keys().isdisjoint({"seeds", "train_seed"})


def test_a_seed_that_the_run_has_not(refused, directory):
    path = directory([4, 1])
    (path / "spaces.json").write_text("{}")
    assert "wanted `seed` to be one of 4, 1, got 2" in refused("eval", "run", "--train-seed", 2)
    assert "--train-seed" in refused("eval", "run", "--train-seed", "x")


@pytest.mark.parametrize(("which", "asked"), [("best", "best"), ("250", 250)])
def test_another_checkpoint_than_the_newest(run, played, directory, which, asked):
    path = directory([4])
    assert run("eval", path, "--checkpoint", which).code == 0
    assert played == [asked, ([4], None, 10, "jax", 0)]
    assert json.loads((path / f"eval-{which}-seed0-jax.json").read_text())["checkpoint"] == asked
