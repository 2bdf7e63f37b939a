"""The sink for Weights & Biases, against a made-up package: what it is told, and what is refused."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from hieros_eqx.config import make_preset, to_dict
from hieros_eqx.errors import ConfigError
from hieros_eqx.training import WeightsAndBiases

CONFIG = make_preset("debug")
SEVERAL = replace(CONFIG, training=replace(CONFIG.training, seeds=(3, 0)))


class Wandb(ModuleType):
    """What we use of the package; keeps what it was told."""

    def __init__(self):
        super().__init__("wandb")
        self.begun, self.defined, self.logged, self.finished = [], [], [], 0

    def Settings(self, **chosen):  # noqa: N802
        return chosen

    def Image(self, picture):  # noqa: N802
        return ("image", picture.shape)

    def Video(self, file, format):  # noqa: N802
        return ("video", file.read(6), format)

    def init(self, **chosen):
        self.begun.append(chosen)
        return SimpleNamespace(
            define_metric=lambda name, **how: self.defined.append((name, how)),
            log=self.logged.append,
            finish=lambda: setattr(self, "finished", self.finished + 1),
        )


@pytest.fixture
def wandb(monkeypatch):
    fake = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_what_is_logged(wandb, tmp_path):
    sink = WeightsAndBiases("hieros")
    assert wandb.begun == [], "nothing before training begins"
    sink.open(tmp_path / "pong-0", CONFIG, 0)
    sink.write(20, 0, {"level0/world_model/loss": 1.5})
    sink.pictures(20, 0, {"still": np.zeros((2, 4, 3), np.uint8), "moving": np.zeros((3, 2, 4, 3), np.uint8)})
    sink.close()
    (begun,) = wandb.begun
    assert begun == {
        "project": "hieros",
        "dir": str(tmp_path / "pong-0"),
        "group": "pong-0",
        "name": "pong-0",
        "config": to_dict(CONFIG),
        "settings": {"console": "off"},
    }
    assert wandb.defined == [("env_step", {}), ("*", {"step_metric": "env_step"})]
    assert wandb.logged == [
        {"env_step": 20, "level0/world_model/loss": 1.5},
        {"env_step": 20, "still": ("image", (2, 4, 3)), "moving": ("video", b"GIF89a", "gif")},
    ]
    assert wandb.finished == 1


def test_a_run_that_goes_on_is_another_run_of_the_same_group(wandb, tmp_path):
    WeightsAndBiases("hieros").open(tmp_path / "pong-0", CONFIG, 500)
    assert (wandb.begun[0]["group"], wandb.begun[0]["name"]) == ("pong-0", "pong-0-from-500")
    WeightsAndBiases("hieros").open(None, CONFIG, 0)
    assert (wandb.begun[1]["group"], wandb.begun[1]["dir"]) == (None, None)


def test_seeds_have_prefixes(wandb, tmp_path):
    sink = WeightsAndBiases("hieros")
    sink.open(tmp_path, SEVERAL, 0)
    sink.write(20, 3, {"train_step": 1.0})
    sink.write(20, 0, {"train_step": 1.0})
    assert wandb.logged == [{"env_step": 20, "seed3/train_step": 1}, {"env_step": 20, "seed0/train_step": 1}]


@pytest.mark.usefixtures("wandb")
@pytest.mark.parametrize("project", ["", "  ", "a/b", "50%", "x" * 129, "two\nlines"])
def test_what_can_be_no_project(project):
    with pytest.raises(ConfigError, match=r"wandb project = .*: wanted the name of a project, up to 128"):
        WeightsAndBiases(project)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ModuleNotFoundError) as error:
        WeightsAndBiases("hieros")
    assert error.value.name == "wandb"
