"""Which sinks `train` hands over, and what is said where one cannot be had. Nothing is trained."""

import sys

import pytest

import hieros_eqx
from hieros_eqx.training import TensorBoard

ARGUMENTS = ("train", "--env", "hieros_eqx.envs.probe:memory", "--preset", "debug", "--run-dir", "run")


@pytest.fixture
def handed(monkeypatch):
    """Keep what `train` is called with, instead of training."""
    calls = []

    class Result:
        interrupted, signal = False, None

    monkeypatch.setattr(hieros_eqx, "train", lambda *_, **told: calls.append(told) or Result())
    return calls


def test_event_files_are_written_unless_they_are_not_wanted(run, handed):
    assert run(*ARGUMENTS).code == 0
    assert run(*ARGUMENTS, "--no-tensorboard").code == 0
    assert run(*ARGUMENTS, HIEROS_EQX_TRAIN_TENSORBOARD="no").code == 0
    first, *others = handed
    (sink,) = first["sinks"]
    assert isinstance(sink, TensorBoard) and callable(first["pictures"])
    assert [(told["sinks"], told["pictures"]) for told in others] == [([], None)] * 2


def test_without_what_writes_pictures_there_are_none(run, handed, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio", None)
    result = run(*ARGUMENTS)
    assert (result.code, handed[0]["pictures"]) == (0, None)
    assert "no pictures for TensorBoard: they need pip install 'hieros-eqx[report]'" in result.err


def test_without_its_package_there_is_no_weights_and_biases(refused, handed, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = refused(*ARGUMENTS, "--wandb", "project")
    assert line == "the package 'wandb' is missing; install it with: pip install 'hieros-eqx[wandb]'"
    assert handed == []
