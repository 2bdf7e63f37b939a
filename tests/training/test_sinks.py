"""Sinks are told of everything, and none can stop a run or another sink."""

import jax
import numpy as np
import pytest

from hieros_eqx.agent import init
from hieros_eqx.config import make_preset, override
from hieros_eqx.errors import ConfigError
from hieros_eqx.training import records
from hieros_eqx.training.sinks import Sinks, check_sinks
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

METRICS = [{"seed": 3, "env_step": 20, "train_step": 5, "level0/world_model/loss": 1.5}]
EPISODE = {"seed": 3, "env_step": 12, "episode": 1, "env": 0, "return": 2.0, "length": 7, "truncated": True}
CONFIG = override(make_preset("debug"), ["levels=1", "training.seed=3"])
SPACES = Spaces(
    observation=ObservationSpace(kind="vector", shape=(2,)), action=ActionSpace(kind="discrete", size=2)
)
PICTURE = np.zeros((2, 2, 3), np.uint8)


class Kept:
    """A sink that keeps what it is told, and fails in one call if it is to."""

    def __init__(self, fails=None):
        self.calls, self.fails = [], fails

    def open(self, _run_dir, _config, env_step):
        self.note("open", env_step)

    def write(self, env_step, seed, scalars):
        self.note("write", env_step, seed, dict(scalars))

    def pictures(self, env_step, seed, pictures):
        self.note("pictures", env_step, seed, list(pictures))

    def close(self):
        self.note("close")

    def note(self, call, *told):
        self.calls.append((call, *told))
        if call == self.fails:
            raise RuntimeError("no room\nleft")


def tell(*sinks, draw=lambda *_: {"picture": PICTURE}):
    """Tell some sinks of a whole run; return what was said."""
    state = jax.eval_shape(lambda: init(CONFIG, SPACES, jax.random.key(0)))  # shapes alone
    said = []
    told = Sinks(sinks, draw, said.append)
    told.open(None, CONFIG, 10)
    told.episodes([EPISODE])
    told.metrics(METRICS)
    for env_step in (20, 40, 40):
        told.checkpoint(state, env_step)
    told.close()
    return said


def test_what_a_sink_is_told():
    sink = Kept()
    assert tell(sink) == []
    assert sink.calls == [
        ("open", 10),
        ("write", 12, 3, {"episode/return": 2.0, "episode/length": 7.0, "episode/truncated": 1.0}),
        ("write", 20, 3, {"train_step": 5, "level0/world_model/loss": 1.5}),
        ("pictures", 20, 3, ["picture"]),
        ("pictures", 40, 3, ["picture"]),
        ("close",),
    ]


@pytest.mark.parametrize(("call", "heard"), [("open", 1), ("write", 2), ("pictures", 4), ("close", 6)])
def test_one_that_fails_is_told_of_once_and_left_out(call, heard):
    failing, healthy = Kept(fails=call), Kept()
    said = tell(failing, healthy)
    assert said == [f"Kept.{call} failed (RuntimeError: no room left); training goes on without it"]
    assert len(failing.calls) == heard
    assert len(healthy.calls) == 6


def test_pictures_that_fail_are_told_of_once_and_left_out():
    drawn = []

    def draw(_state, env_step):
        drawn.append(env_step)
        raise MemoryError("too large")

    sink = Kept()
    said = tell(sink, draw=draw)
    assert said == ["the pictures failed (MemoryError: too large); training goes on without pictures"]
    assert drawn == [20]
    assert [call for call, *_ in sink.calls] == ["open", "write", "write", "close"]


def test_nothing_is_drawn_where_nobody_sees_it():
    drawn = []
    tell(draw=lambda *_: drawn.append(1))
    tell(Kept(fails="open"), draw=lambda *_: drawn.append(1))
    assert drawn == []
    sink = Kept()
    tell(sink, draw=lambda *_: {})
    assert all(call != "pictures" for call, *_ in sink.calls)


def test_an_error_of_ours_refuses_the_run():
    sink = Kept()
    sink.open = lambda *_: (_ for _ in ()).throw(ConfigError("wanted a directory"))
    with pytest.raises(ConfigError, match="wanted a directory"):
        tell(sink)


@pytest.mark.parametrize(
    ("sinks", "draw", "words"),
    [
        ([3], None, "sinks: wanted objects with open, write, pictures and close, got 3"),
        ([Kept], None, "got <class"),
        ("tensorboard", None, "sinks: wanted a list of them, got 'tensorboard'"),
        (3, None, "sinks: wanted a list of them, got 3"),
        ([], 3, "pictures: wanted a function of state and environment step, got 3"),
    ],
)
def test_what_is_no_sink(sinks, draw, words):
    with pytest.raises(ConfigError, match=words):
        check_sinks.__wrapped__(sinks, draw)  # as in production, where no types are checked


def test_highlights_are_means_over_seeds():
    lines = [
        {"seed": 3, "env_step": 9, "train_step": 2, "episodes": 4, "level0/train_step": 2, "level0/a/b": 1.0},
        {"seed": 0, "env_step": 9, "train_step": 2, "episodes": 1, "level0/train_step": 2, "level0/a/b": 4.0},
    ]
    found = records.highlights(lines, {3: (1.0, 3.0), 0: ()}, {3: 8.0})
    assert found == (2, 2, 5, 3.0, 2.0, 8.0, ({"train_step": 2.0, "a/b": 2.5},))
    none = records.highlights(lines, {3: (), 0: ()}, {})
    assert (none.last, none.mean, none.best) == (None, None, None)


def test_the_best_return_of_each_seed():
    ended = [{"seed": 3, "return": -2.0}, {"seed": 0, "return": None}, {"seed": 3, "return": -5.0}]
    assert records.best({}, ended) == {3: -2.0}
    assert records.best({3: 1.0, 0: -7.0}, [*ended, {"seed": 0, "return": -6.0}]) == {3: 1.0, 0: -6.0}
