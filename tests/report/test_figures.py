import sys

import jax
import numpy as np
import pytest

from hieros_eqx.report import figures
from hieros_eqx.report.open_loop import predict
from hieros_eqx.report.open_loop_errors import open_loop
from hieros_eqx.report.return_curve import moving_means
from tests.report.toy_world_model import ToyWorldModel, play

LARGEST = 300_000
STARTS = np.array([[0, 3], [1, 8], [0, 9]])


def check(path):
    """A PNG that is neither empty nor large."""
    assert path.read_bytes().startswith(b"\x89PNG")
    assert 2_000 < path.stat().st_size < LARGEST


def test_training_curves(tmp_path, rng):
    lines = []
    for step in range(40):
        counts = {f"level{i}/train_step": 16 * step // 4**i for i in range(3)}
        names = [f"level{i}/{name}" for i in range(3) for name, _, _ in figures.PANELS]
        lines.append({"env_step": 64 * step, **counts, **{name: float(rng.random()) for name in names}})
    episodes = [{"env_step": 100 * i, "return": float(i)} for i in range(5)]
    figures.training_curves(lines, episodes, tmp_path / "new" / "curves.png")
    check(tmp_path / "new" / "curves.png")


def test_training_curves_of_an_untrained_run(tmp_path):
    lines = [{"env_step": 5, "level0/train_step": 0}]
    figures.training_curves(lines, [], tmp_path / "curves.png")
    check(tmp_path / "curves.png")


def test_open_loop_errors(tmp_path):
    result = open_loop(ToyWorldModel(), play([20, 30]), STARTS, 6, jax.random.key(0), samples=2)
    figures.open_loop_errors(result, tmp_path / "errors.png", samples=2)
    check(tmp_path / "errors.png")


def test_open_loop_pictures(tmp_path):
    predicted = next(predict(ToyWorldModel(), play([20, 30]), STARTS, 6, jax.random.key(0), samples=1))
    figures.open_loop_pictures(predicted, (1, 3, 6), tmp_path / "pictures.png")
    check(tmp_path / "pictures.png")


def test_values_against_what_states_are_worth(tmp_path, rng):
    worth = {seed: np.repeat([0.0, 0.81], 20) for seed in (0, 2)}
    told = {seed: own + 0.05 * rng.standard_normal(40) for seed, own in worth.items()}
    figures.values(told, worth, tmp_path / "values.png", title="ladder")
    check(tmp_path / "values.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'hieros-eqx\[report\]'"):
        figures.training_curves([{"env_step": 5, "level0/train_step": 0}], [], tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


def test_return_curves_of_seeds(tmp_path, rng):
    episodes = [
        {"seed": seed, "env_step": 10 * i, "return": float(rng.random())}
        for seed in (3, 1)
        for i in range(25)
    ]
    episodes.append({"seed": 7, "env_step": 5, "return": 0.5})  # a single episode is a curve, too
    figures.return_curves(episodes, tmp_path / "returns.png", title="a game", asked=0.9)
    check(tmp_path / "returns.png")
    with pytest.raises(ValueError, match="at least one finished episode"):
        figures.return_curves([], tmp_path / "none.png", title="a game")


def test_returns_by_cost(tmp_path, rng):
    def run(seeds):
        lines = [
            {"seed": seed, "env_step": 10 * i, "return": float(rng.random())}
            for seed in seeds
            for i in range(25)
        ]
        return moving_means(lines)

    path, labels = tmp_path / "cost.png", ("1 level", "2 levels")
    figures.returns_by_cost(labels, [run([0, 1, 2]), run([0])], [1e9, 2e9], path, title="a task")
    check(path)
    with pytest.raises(ValueError, match="finished episode of 2 levels"):
        figures.returns_by_cost(labels, [run([0]), {}], [1e9, 2e9], tmp_path / "none.png", title="a task")
