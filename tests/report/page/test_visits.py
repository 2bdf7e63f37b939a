from dataclasses import replace

import numpy as np
import pytest

from hieros_eqx.config import make_preset
from hieros_eqx.core import etbs
from hieros_eqx.report.page.visits import expected_visits
from hieros_eqx.training.schedule import train_steps

ENTRIES = 300


@pytest.fixture
def config():
    base = make_preset("debug")
    return replace(base, levels=1, training=replace(base.training, env_steps=ENTRIES, batch=3, sequence=5))


def replayed(config, temperature, rng, runs=40):
    """Count visits by drawing: a ring that grows by an entry a step, and the schedule's updates."""
    visits = np.zeros(ENTRIES)
    every, begin, length = config.train_period(0), config.train_start(0), config.training.sequence
    for held in range(begin + (-begin) % every, ENTRIES + 1, every):
        size = held - length + 1
        starts = etbs.index(rng.random(runs * config.training.batch), size, temperature)
        for start in starts:
            visits[start : start + length] += 1 / runs
    return visits


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_what_is_expected_is_what_draws_give(config, temperature, rng):
    updates = train_steps(config, ENTRIES)[0]
    expected = expected_visits(config, 0, ENTRIES, ENTRIES, updates, temperature)
    total = updates * config.training.batch * config.training.sequence
    assert expected.sum() == pytest.approx(total)
    counted = replayed(config, temperature, rng)
    assert counted.sum() == pytest.approx(total)
    # 12 parts of 25 entries: each has counted a thousand visits or more, so within a few percent
    parts = [x.reshape(12, 25).sum(axis=1) for x in (expected, counted)]
    np.testing.assert_allclose(*parts, rtol=0.12, atol=1.0)


def test_time_balanced_draws_take_from_the_oldest_and_give_to_the_newest(config):
    uniform, balanced = (expected_visits(config, 0, ENTRIES, ENTRIES, 64, t) for t in (0.0, 1.0))
    assert uniform[10] > 1.5 * balanced[10]
    assert balanced[-60] > 1.2 * uniform[-60]


def test_a_ring_that_wraps_forgets(config):
    wrapped = expected_visits(config, 0, ENTRIES, 50, 64, 0.0)
    whole = expected_visits(config, 0, ENTRIES, ENTRIES, 64, 0.0)
    assert wrapped.sum() == pytest.approx(whole.sum())
    assert wrapped[200] > 1.5 * whole[200]  # while it was held, it was one of 50


def test_bad_input(config):
    with pytest.raises(ValueError, match="at least 1 entry and update, got 0 and 3"):
        expected_visits(config, 0, 0, 9, 3, 0.0)
    with pytest.raises(ValueError, match="got 5 and 0"):
        expected_visits(config, 0, 5, 9, 0, 0.0)
