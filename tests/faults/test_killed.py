"""A process killed at any moment leaves a whole checkpoint; the run goes on as if it had not been."""

import time

import numpy as np
import pytest

from tests.faults import killing

STEPS = 40
LEVELS = 1  # half the time to compile


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    digest = killing.whole_run(folder / "whole", folder / "cache", LEVELS, STEPS)
    return folder / "whole", folder / "cache", digest


def test_killed_three_times(reference, tmp_path):
    """While each process lives a second one is refused, and the next after the kill is not."""
    whole, cache, digest = reference
    run, rng = tmp_path / "run", np.random.default_rng(int(time.time()))
    kills = []
    while len(kills) < 3:
        kill = killing.kill_once(run, cache, LEVELS, STEPS, int(rng.integers(4)), rng.uniform(0.0, 0.3))
        assert kill is not None, f"done after {kills}"
        kills.append(kill)
    with killing.process(run, cache, LEVELS, STEPS) as own:
        assert own.rest()[-1] == f"ended {digest}", (kills, own.errors())
    killing.assert_same_files(run, whole)
