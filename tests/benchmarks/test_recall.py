"""What h keeps of a cue is told from what the world model observes of whole episodes."""

import jax
import numpy as np
import pytest
import recall
from ladder import LADDER

from hieros_eqx.agent import init_params
from hieros_eqx.training.agents import Agent

EPISODES, STEPS, SIZE = 200, 12, 6


def test_a_cue_that_fades(monkeypatch, rng):
    """By step 10 it is a three-hundredth of what h varies by otherwise, and gone for the probe."""
    cue = rng.choice((-1, 1), EPISODES)
    fading = 0.5 ** np.arange(STEPS)[:, None, None] * cue[:, None]
    noise = 0.3 * rng.standard_normal((STEPS, EPISODES, SIZE))
    monkeypatch.setattr(recall, "observe", lambda *_: (cue, fading + noise))
    found = recall.recall(None, None, 1)
    assert list(found) == ["step_1", "step_2", "step_5", "step_10"], "steps there are not are left out"
    assert found["step_1"]["r2"] > 0.9 and found["step_10"]["r2"] < 0.1
    assert found["step_1"]["moved"] == pytest.approx(0.5, rel=0.1)
    assert found["step_10"]["varies"] == pytest.approx(0.3, rel=0.1)


def test_an_untrained_model_knows_the_cue_one_step_later(tmp_path, monkeypatch):
    rung = LADDER["memory_4"]
    config = rung.config([0])
    spaces = rung.make(num_envs=1).spaces
    agent = Agent(init_params(config, spaces, jax.random.key(0)), config, spaces)
    cue, h = recall.observe(rung, agent, 1)
    assert set(cue) == {-1, 1} and h.shape == (6, len(cue), config.world_model.deter)
    assert (h[0] == h[0, 0]).all(), "before the first input there is nothing to tell episodes apart"

    monkeypatch.setattr(recall.agents, "load_all", lambda _: {7: agent})
    record = recall.main(["memory_4", str(tmp_path / "some_run"), "--results", str(tmp_path)])
    assert record["seeds"]["7"]["step_1"]["r2"] > 0.5 > record["seeds"]["7"]["step_5"]["r2"]
    assert str(tmp_path) not in (tmp_path / "recall.jsonl").read_text()
