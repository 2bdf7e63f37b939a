"""Seeds spread over four CPU devices: the numbers of one device, and not a word between devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found():
    """Return what `seeds_on_devices.py` finds, in a process of its own: devices are made but once."""
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "4",
        "JAX_PLATFORMS": "cpu",
        "JAX_LOG_COMPILES": "1",
    }
    result = subprocess.run(
        [sys.executable, "-m", "tests.agent.seeds_on_devices"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def test_a_mesh_has_the_most_devices_that_share_seeds_evenly(found):
    wanted = {1: None, 2: 2, 3: 3, 4: 4, 5: None, 6: 3, 8: 4}
    assert {n: found[f"mesh_of_{n}"] for n in wanted} == wanted
    assert found["mesh_of_two_devices"] == 2


def test_seeds_begin_where_they_belong_as_they_would_alone(found):
    assert found["fresh_lies_on_its_devices"]
    assert found["fresh_as_alone"]
    assert found["devices_of_selected"] == [1, 2]


def test_seeds_act_as_they_would_alone_on_one_device(found):
    assert found["actions_as_alone"]
    assert found["actions_differ"]


@pytest.mark.parametrize("what", ["metrics", "params", "learner"])
def test_an_update_agrees_in_float32_with_one_device(found, what):
    """Sums in another order: one part in 10^7 each, a few parts in 10^6 where many of them cancel."""
    assert len(found[what]) == 2 and max(found[what]) < 1e-4


def test_the_state_is_donated_and_stays_where_it_is(found):
    assert found["act_donates"] and found["update_donates"]
    assert found["stays_on_its_devices"]
    assert found["counters"] == [2 * 60 * 3, 2, 2]


def test_devices_do_not_talk(found):
    assert found["collectives"] == [[], []]


def test_each_program_is_compiled_once_spread_and_once_alone(found):
    wanted = {"_init_learned": 1, "_act": 2, "_update_worker": 2, "_update_upper": 2}
    assert found["compilations"] == wanted
