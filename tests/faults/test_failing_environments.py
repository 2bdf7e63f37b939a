"""Environments and callbacks that raise, and environments that are not what they were."""

import pytest

from hieros_eqx.envs.probe import memory
from hieros_eqx.errors import EnvError
from tests.faults.running import Run, assert_same_run


class Raising:
    """A probe that raises once, at one of its steps."""

    def __init__(self, env, where, step):
        self.env, self.where, self.step_, self.steps = env, where, step, 0
        self.spaces, self.num_envs = env.spaces, env.num_envs

    def reset(self):
        return self.env.reset()

    def send(self, action):
        self.steps += 1
        if self.where == "send" and self.steps == self.step_:
            raise ValueError("the emulator is on fire")
        self.env.send(action)

    def recv(self):
        if self.where == "recv" and self.steps == self.step_:
            raise ValueError("the emulator is on fire")
        return self.env.recv()

    def step(self, action):
        self.send(action)
        return self.recv()

    def close(self):
        self.env.close()


@pytest.mark.parametrize("where", ["send", "recv"])
@pytest.mark.parametrize("step", [1, 12, 30])  # the first, the end of an episode, that of a log line
def test_an_environment_that_raises(finished, again, where, step):
    """The run is saved as it was when the action had been sent; a sound environment answers it."""

    def faulty(*, num_envs, seed):
        return Raising(memory(num_envs=num_envs, seed=seed), where, step)

    with pytest.raises(EnvError, match=rf"`{where}`, got ValueError: the emulator is on fire") as error:
        again.go_on(env=faulty)
    assert error.value.__notes__ == [f"The run is saved at step {2 * step}; the same command continues it."]
    assert again.steps[-1] == 2 * step
    again.go_on()
    assert_same_run(again, finished)


def test_an_environment_that_raises_again_and_again(finished, again):
    """Nothing is lost by trying: the checkpoint stays the one before the step that cannot be made."""
    for _ in range(2):
        with pytest.raises(EnvError, match="on fire"):
            again.go_on(
                env=lambda *, num_envs, seed: Raising(memory(num_envs=num_envs, seed=seed), "recv", 9)
            )
        assert again.steps == [18]
    again.go_on()
    assert_same_run(again, finished)


def test_a_callback_that_raises(finished, again):
    def callback(_state, record):
        if record["env_step"] == 40:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        again.go_on(callbacks=[callback])
    assert "saved at step 40" in error.value.__notes__[0]
    again.go_on()
    assert_same_run(again, finished)


def changed(*, num_envs, seed):
    """Another version of the probe: its cues are others."""
    return memory(num_envs=num_envs, seed=seed + 1)


def test_an_environment_that_is_another_now(config, tmp_path):
    """New episodes begin, are told, and can be brought back themselves."""
    whole, stopped = Run(config, tmp_path / "whole"), Run(config, tmp_path / "stopped")
    for run in (whole, stopped):
        run.go_on(stop_after=10)
    whole.go_on(env=changed)
    for steps in (1, 7, None):
        stopped.go_on(stop_after=steps, env=changed)
    assert_same_run(stopped, whole)
    assert [line["env_step"] for line in whole.run_json()["resumed"]] == [20]
    first, *later = stopped.run_json()["resumed"]
    assert first["environments"] == "new episodes"
    assert "did not repeat itself at step" in first["reason"]
    assert [line["environments"] for line in later] == ["actions", "actions"]
    assert any("New episodes begin" in text for text in stopped.said)
    assert len(whole.lines("metrics")) == 4
