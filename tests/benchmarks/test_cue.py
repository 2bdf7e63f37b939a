"""A world model alone learns from every step of its environments, in order, and knows a cue that is near."""

import cue
import numpy as np
import pytest

from hieros_eqx.envs import probe

LENGTH, ENVS, HINT = 7, 5, 0.25


def test_sequences_follow_each_other_without_a_gap():
    """An episode over two steps has four rows: cue, nothing, the action that counts, its reward."""
    stream = cue.sequences(probe.memory(num_envs=ENVS, delay=2, hint=HINT), LENGTH, seed=0)
    first, *others = (next(stream) for _ in range(4))
    rows = {
        name: np.concatenate([getattr(batch, name) for batch in (first, *others)])
        for name in ("observation", "previous_action", "reward", "is_first", "is_last")
    }
    assert rows["is_first"][::4].all() and rows["is_first"].sum() == LENGTH * ENVS
    assert rows["is_last"][3::4].all() and rows["is_last"].sum() == LENGTH * ENVS
    assert (rows["previous_action"].sum(axis=-1) == ~rows["is_first"]).all()
    assert (rows["reward"][~rows["is_last"]] == 0).all()
    shown = rows["observation"][::4, :, 0]
    obeyed = np.where(rows["previous_action"][3::4, :, 1] == (shown > 0), 1, -1)
    np.testing.assert_allclose(rows["reward"][3::4], obeyed + HINT * shown)


def test_found_is_the_first_time_that_both_are_known():
    assert cue.found_after([0.1, 0.45, cue.FOUND, 0.3]) == 3 * cue.BLOCK
    assert cue.found_after([0.1, 0.45]) is None


def test_a_cue_seen_one_step_before_is_known(tmp_path, monkeypatch):
    """Paid for the cue alone, at once: the least that a world model must find."""
    monkeypatch.setattr(cue.probe, "memory", lambda delay, hint, **kwargs: probe.observation_value(**kwargs))
    arguments = ["--seeds", "0", "3", "--updates", "150", "--set", "training.sequence=8"]
    record = cue.main([*arguments, "--results", str(tmp_path)])
    seeds = record["seeds"]
    assert list(seeds) == ["0", "3"] and seeds["0"]["correlation"] != seeds["3"]["correlation"]
    for found in seeds.values():
        assert len(found["correlation"]) == 3 and found["correlation"][-1] > 0.8
    assert str(tmp_path) not in (tmp_path / "cue.jsonl").read_text()
    with pytest.raises(SystemExit):
        cue.main(["--delay", "many"])
