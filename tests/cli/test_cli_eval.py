"""What `eval` plays, prints and writes, with playing itself replaced."""

import json
from types import SimpleNamespace

import pytest

import hieros_eqx
from hieros_eqx.config import make_preset, override, to_dict
from hieros_eqx.report.published import human_normalised
from hieros_eqx.training import EvaluationResult

PLAYED = {4: (10.0, 20.0), 1: (1.0, 2.0)}  # seed -> returns
ENV_STEP = 100


@pytest.fixture
def asked_policies():
    """Whether modes were asked for, call by call."""
    return []


@pytest.fixture
def played(monkeypatch, asked_policies):
    """Return what was asked of `evaluate_seeds`; every seed plays what is written above."""
    asked, policies = [], asked_policies

    def config_of(directory):
        return hieros_eqx.config.from_dict(json.loads((directory / "config.json").read_text()))

    def load_all(directory, checkpoint):
        if checkpoint is not None:
            asked.append(checkpoint)
        config = config_of(directory)
        return {
            seed: SimpleNamespace(config=config.for_seed(seed), env_step=ENV_STEP)
            for seed in config.all_seeds
        }

    def evaluate_seeds(agents, env, episodes, *, backend, greedy, seed, num_envs):
        policies.append(greedy)
        asked.append((list(agents), env, episodes, backend, seed, num_envs))
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
    assert played == [([4, 1], None, 2, "jax", 7, 2)]
    normal = [human_normalised("Pong", mean) for mean in (15.0, 1.5, 8.25)]
    scale, length = "(0: random, 1: human)", "length 3.5 (3 to 4), human-normalised"
    assert result.out.splitlines() == [
        f"seed 4: 2 episodes: mean 15 [10, 20], median 15, {length} {normal[0]:.3f} {scale}",
        f"seed 1: 2 episodes: mean 1.5 [1, 2], median 1.5, {length} {normal[1]:.3f} {scale}",
        f"mean over 2 seeds: 8.25 [1.5, 15], median 8.25, human-normalised {normal[2]:.3f} {scale}",
    ]
    record = json.loads((path / "eval-seed7-jax.json").read_text())
    assert (record["env"], record["episodes"], record["backend"], record["seed"]) == ("Pong", 2, "jax", 7)
    assert (record["mean"], record["std"], record["human_normalised"]) == (8.25, 6.75, normal[2])
    assert (record["interval"], record["interval_over"]) == ([1.5, 15.0], "seeds")
    assert record["length"] == {"mean": 3.5, "min": 3, "max": 4}
    assert {seed: own["returns"] for seed, own in record["seeds"].items()} == {"4": [10, 20], "1": [1, 2]}
    assert record["seeds"]["1"]["truncated"] == [False, True]


def test_one_of_several_seeds(run, played, directory):
    path = directory([4, 1], env="env.id=probe")
    result = run("eval", "run", "--train-seed", 1, "--backend", "numpy")
    assert played == [([1], None, 10, "numpy", 0, 8)]
    assert result.out == "2 episodes: mean 1.5 [1, 2], median 1.5, length 3.5 (3 to 4)\n"
    record = json.loads((path / "eval-train-seed1-seed0-numpy.json").read_text())
    assert {seed: own["returns"] for seed, own in record["seeds"].items()} == {"1": [1, 2]}
    assert (record["interval_over"], record["human_normalised"]) == ("episodes", None)


def test_a_run_of_one_seed(run, played, directory):
    path = directory([4])
    result = run("eval", "run", "--episodes", 2)
    assert played == [([4], None, 2, "jax", 0, 2)]
    assert result.out.startswith("2 episodes: mean 15 [10, 20], median 15, length")
    record = json.loads((path / "eval-seed0-jax.json").read_text())
    assert record["seeds"]["4"]["returns"] == [10, 20]
    assert (record["mean"], record["median"], record["interval"]) == (15, 15, [10, 20])


def test_actions_are_drawn_or_the_likeliest(run, played, directory, asked_policies):
    path = directory([4])
    default = make_preset("debug").behaviour.evaluation_policy
    for options in ((), ("--policy", "mode"), ("--policy", "sample")):
        assert run("eval", path, *options).code == 0
    assert asked_policies == [default == "mode", True, False]
    names = ("eval-seed0-jax", "eval-mode-seed0-jax", "eval-sample-seed0-jax")
    policies = [json.loads((path / f"{name}.json").read_text())["policy"] for name in names]
    assert policies == [default, "mode", "sample"]
    assert len(played) == 3


def test_an_unfinished_run_is_played_and_said_to_be_one(run, played, directory):
    path = directory([4])
    steps = make_preset("debug").training.env_steps
    assert steps != ENV_STEP
    said = run("eval", path).err.splitlines()
    assert said[0] == f"note: {path} is played as it was after 100 of its {steps:,} environment steps"
    assert not json.loads((path / "eval-seed0-jax.json").read_text())["final"]
    assert len(played) == 1


def test_a_seed_that_the_run_has_not(refused, directory):
    path = directory([4, 1])
    (path / "spaces.json").write_text("{}")
    assert "wanted `seed` to be one of 4, 1, got 2" in refused("eval", "run", "--train-seed", 2)
    assert "--train-seed" in refused("eval", "run", "--train-seed", "x")


@pytest.mark.parametrize(("which", "asked"), [("best", "best"), ("250", 250)])
def test_another_checkpoint_than_the_newest(run, played, directory, which, asked):
    path = directory([4])
    assert run("eval", path, "--checkpoint", which).code == 0
    assert played == [asked, ([4], None, 10, "jax", 0, 8)]
    assert json.loads((path / f"eval-{which}-seed0-jax.json").read_text())["env_step"] == ENV_STEP
