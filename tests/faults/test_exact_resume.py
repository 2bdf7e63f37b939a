"""A run stopped after any step and continued becomes, bit for bit, what it would have become."""

from types import SimpleNamespace

import pytest

from hieros_eqx.config import override
from hieros_eqx.training import saver
from tests.faults.running import Run, assert_same_run

STEPS = 40  # of the loop, in a run of 80 environment steps


def test_stopped_after_every_step(finished, again):
    """Each of forty runs begins where the last one stopped."""
    for step in range(1, STEPS):
        stopped = again.go_on(stop_after=1)
        assert (stopped.env_step, stopped.interrupted, again.steps[-1]) == (2 * step, True, 2 * step)
    again.go_on()
    assert_same_run(again, finished)
    assert [path.name for path in again.path.rglob(".*")] == [".lock"], "nothing half written is left"


def test_a_directory_whose_name_is_a_pattern(finished, tmp_path):
    """`glob` reads it as one, and so would whoever looks for files by it."""
    run = Run(finished.config, tmp_path / "seeds[0,1] *?")
    for stop_after in (30, None):
        run.go_on(stop_after)
    assert_same_run(run, finished)
    assert [path.name for path in tmp_path.iterdir()] == ["seeds[0,1] *?"]


def test_checkpoints_by_the_clock(finished, again, monkeypatch):
    """Ten minutes pass at every look at the clock: every step is saved, whatever its number."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now.append(now[-1] + 600) or now[-1])
    monkeypatch.setattr(saver, "time", clock)
    again.go_on(stop_after=3, checkpoint_minutes=5.0, checkpoint_every=10**6, keep_checkpoints=100)
    assert again.steps == [2, 4, 6]
    monkeypatch.undo()
    again.go_on(checkpoint_minutes=60.0, checkpoint_every=10**6)
    assert again.steps == [6, 80], "an hour has not passed"
    assert_same_run(again, finished)


@pytest.fixture(scope="module")
def every_step(finished, tmp_path_factory):
    """The same run, saved after every step, with all checkpoints."""
    run = Run(finished.config, tmp_path_factory.mktemp("faults") / "every_step")
    run.go_on(checkpoint_every=1, keep_checkpoints=1000)
    return run


@pytest.mark.slow
def test_saving_changes_nothing(finished, every_step):
    assert every_step.steps == list(range(2, 82, 2))
    assert_same_run(every_step, finished)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopped_once(every_step, finished, tmp_path, step):
    """From one of the checkpoints to the end."""
    run = every_step.copy(tmp_path / "run", keep=[2 * step])
    run.go_on()
    assert_same_run(run, finished)


PENDULUM = "env.id=tests.faults.environments:pendulum"
ATARI = [
    *("env.id=null", "env.game=Breakout", "env.max_episode_frames=64", "training.env_steps=80"),
    *("training.batch=2", "training.sequence=4"),
]
OTHER_KINDS = {
    "two seeds": ["training.seeds=[3,0]"],
    "RSSM": ["world_model.kind=rssm"],
    "continuous": [PENDULUM],
    "continuous, two seeds": [PENDULUM, "training.seeds=[3,0]"],
    "Atari": ATARI,
    "Atari, all actions once more": [*ATARI, "env.game=HauntedHouse"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_kinds_of_run(config, tmp_path, kind):
    """Stopped within episodes and at their ends, one and several steps after another."""
    if kind.startswith("Atari"):
        pytest.importorskip("envpool")
    config = override(config, OTHER_KINDS[kind])
    whole, stopped = Run(config, tmp_path / "whole"), Run(config, tmp_path / "stopped")
    whole.go_on()
    for steps in (1, 9, 1, 1, 8, 11):
        stopped.go_on(stop_after=steps)
    stopped.go_on()
    assert_same_run(stopped, whole)
    assert len(whole.lines("episodes")) >= 4
    if kind.startswith("Atari"):
        ways = [line["environments"] for line in stopped.run_json()["resumed"]]
        assert ways[-1] == ("actions" if "actions" in kind else "resets")
