"""What a state takes, what is free, and what is said and done about it."""

from pathlib import Path

import jax
import pytest

from hieros_eqx.config import make_preset, override
from hieros_eqx.errors import ConfigError
from hieros_eqx.training import free_memory, memory, train

GB = 10**9


class Device:
    def __init__(self, stats, platform="gpu"):
        self.stats, self.platform = stats, platform

    def memory_stats(self):
        return self.stats


def nbytes(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("run", ["finished", "side_by_side"])
def test_the_bytes_are_those_of_a_state(run, request):
    state = request.getfixturevalue(run)[0].state
    found = memory.state_bytes(state.config, state.spaces)
    assert found.replay == nbytes(state.replay)
    assert found.parameters == nbytes(state.params)
    assert found.optimisers == nbytes(state.learner)
    counters = len(state.config.all_seeds) * nbytes((state.env_step, state.train_step))
    assert found.acting == nbytes(state.carry) + counters
    assert found.total == sum(found)


def test_the_documented_table_is_computed():
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    assert memory.table() in text


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.50 kB"), (24_320_000, "24.3 MB"), (438 * 10**6, "438 MB")],
)
def test_sizes_in_words(size, shown):
    assert memory.show(size) == shown


def test_the_line():
    needed = memory.StateBytes(1_880_000_000, 210_000_000, 438_000_000, 81_500)
    parts = "memory: replay 1.88 GB, parameters 210 MB, optimisers 438 MB, acting 81.5 kB; 2.53 GB in all"
    assert memory.describe(needed, None) == parts
    assert memory.describe(needed, 19_800_000_000) == f"{parts} of 19.8 GB free"
    assert memory.describe(needed, 2 * GB, 4) == f"{parts}, 632 MB on each of 4 devices of 2.00 GB free"


@pytest.mark.parametrize(
    ("seeds", "devices", "free", "fits"),
    [
        (1, 1, 3.0, True),
        (1, 1, 2.5, False),
        (4, 1, 10.0, False),
        (4, 4, 2.6, True),
        (4, 2, 5.0, False),
    ],
)
def test_what_does_not_fit_is_refused(monkeypatch, seeds, devices, free, fits):
    """`atari100k` takes 2.53 GB a seed."""
    monkeypatch.setattr(memory, "free_bytes", lambda _: int(free * GB))
    config = override(make_preset("atari100k"), [f"training.seeds={list(range(seeds))}"])
    given = [Device(None)] * devices
    if fits:
        assert f"of {memory.show(int(free * GB))} free" in memory.check_memory(config, memory.ATARI, given)
        return
    with pytest.raises(ConfigError) as caught:
        memory.check_memory(config, memory.ATARI, given)
    message = str(caught.value)
    assert "\n" not in message
    for words in (
        "replay.capacity (now 100,000 entries)",
        "world_model",
        f"the {memory.show(int(free * GB))}",
    ):
        assert words in message
    assert ("training.seeds" in message) == (seeds > 1)


def test_a_run_that_does_not_fit_writes_nothing(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "free_bytes", lambda _: 10_000)
    with pytest.raises(ConfigError, match=r"does not fit into the 10\.0 kB that are free"):
        train(config, run_dir=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Files as a Linux system has them, in a folder."""
    monkeypatch.setattr(free_memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(free_memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(free_memory, "OWN_CGROUP", tmp_path / "own")

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.mark.usefixtures("host")
def test_a_host_that_does_not_tell():
    assert free_memory.free_host_bytes() is None


def test_memory_of_the_machine(host):
    host("meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n")
    assert free_memory.free_host_bytes() == 4_096_000
    host("own", "0::/\n")
    assert free_memory.free_host_bytes() == 4_096_000


def test_limits_of_control_groups(host):
    """The tightest on the way to the root counts; cached files can be dropped."""
    host("meminfo", "MemAvailable: 9000000 kB\n")
    host("own", "0::/user/app\n")
    host("cgroup/user/app/memory.max", "max\n")
    host("cgroup/user/app/memory.current", "300\n")
    host("cgroup/user/app/memory.stat", "anon 1\ninactive_file 7\n")
    host("cgroup/user/memory.max", "1000\n")
    host("cgroup/user/memory.current", "400\n")
    host("cgroup/user/memory.stat", "inactive_file 50\nactive_file 20\n")
    assert free_memory.free_host_bytes() == 650
    host("cgroup/user/memory.current", "2000\n")
    assert free_memory.free_host_bytes() == 0


def test_limits_of_control_groups_of_the_first_kind(host):
    host("meminfo", "MemAvailable: 9000000 kB\n")
    host("own", "5:cpu:/x\n4:memory:/elsewhere\n0::/\n")
    host("cgroup/memory/memory.limit_in_bytes", "5000\n")
    host("cgroup/memory/memory.usage_in_bytes", "3000\n")
    host("cgroup/memory/memory.stat", "total_inactive_file 100\n")
    assert free_memory.free_host_bytes() == 2100


def test_memory_of_accelerators(host):
    free = free_memory.free_bytes
    assert free([Device({"bytes_limit": 90, "bytes_in_use": 20}), Device({"bytes_limit": 80})]) == 70
    assert free([Device({"bytes_limit": 90}), Device(None)]) is None
    host("meminfo", "MemAvailable: 2 kB\n")
    assert free([Device(None, "cpu")] * 4) == 2048
