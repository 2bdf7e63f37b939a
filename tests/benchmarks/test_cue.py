"""A world model alone learns from every step of its environments, in order, and knows a cue that is near."""

from functools import partial

import cue
import numpy as np
import pytest
from ladder import SIZES

from hieros_eqx.config import make_preset, override
from hieros_eqx.envs import probe

LENGTH, ENVS, HINT = 7, 5, 0.25


def test_sequences_follow_each_other_without_a_gap():
    """An episode over two steps has four rows: cue, nothing, the action that counts, its reward."""
    stream = cue.sequences(probe.memory(num_envs=ENVS, delay=2, hint=HINT), LENGTH, seed=0)
    batches, ages = zip(*(next(stream) for _ in range(4)), strict=True)
    rows = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("observation", "previous_action", "reward", "is_first", "is_last")
    }
    assert rows["is_first"][::4].all() and rows["is_first"].sum() == LENGTH * ENVS
    assert rows["is_last"][3::4].all() and rows["is_last"].sum() == LENGTH * ENVS
    assert (rows["previous_action"].sum(axis=-1) == ~rows["is_first"]).all()
    assert (rows["reward"][~rows["is_last"]] == 0).all()
    np.testing.assert_array_equal(np.concatenate(ages)[:, 0], np.arange(4 * LENGTH) % 4)
    shown = rows["observation"][::4, :, 0]
    obeyed = np.where(rows["previous_action"][3::4, :, 1] == (shown > 0), 1, -1)
    np.testing.assert_allclose(rows["reward"][3::4], obeyed + HINT * shown)


def test_found_is_the_first_time_that_both_are_known():
    assert cue.found_after([0.1, 0.45, cue.FOUND, 0.3]) == 3 * cue.BLOCK
    assert cue.found_after([0.1, 0.45]) is None


def test_a_cue_seen_one_step_before_is_known():
    """Paid for the cue alone, at once: the least that a world model must find."""
    config = override(make_preset("laptop"), ["levels=1", *SIZES, "training.sequence=8"])
    make = partial(probe.observation_value, num_envs=config.training.batch)
    begin, *_, end = cue.correlations(config, make, seeds=(0, 3), updates=3 * cue.BLOCK)
    assert begin[0] != begin[1] and max(begin) < 0.8 < min(end)


def test_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(cue, "correlations", lambda *_: iter([[0.1, 0.2], [0.3, 0.75]]))
    record = cue.main(["--seeds", "4", "7", "--delay", "3", "--results", str(tmp_path)])
    assert record["seeds"] == {
        "4": {"found_after": None, "correlation": [0.1, 0.3]},
        "7": {"found_after": 2 * cue.BLOCK, "correlation": [0.2, 0.75]},
    }
    with pytest.raises(SystemExit):
        cue.main(["--updates", "1"])
    assert record["delay"] == 3 and str(tmp_path) not in (tmp_path / "cue.jsonl").read_text()
