"""The soak and the benchmark of checkpoints run, and a leak does not pass for noise."""

import json
import random

import bench_checkpoint
import pytest
import soak
from machine import table

TINY = ["--preset", "debug", "--set", "levels=1"]


def record_of(script, arguments, tmp_path):
    """Run a script and return the line that it has appended."""
    script.main([*TINY, *arguments, "--results", str(tmp_path)])
    (line,) = (tmp_path / f"{script.__name__}.jsonl").read_text().splitlines()
    assert str(tmp_path) not in line
    return json.loads(line)


def test_bench_checkpoint(tmp_path, monkeypatch):
    """Without the updates, which take no time but that to compile them."""
    monkeypatch.setattr("hieros_eqx.update", lambda state, _depth: (state, {}), raising=False)
    record = record_of(bench_checkpoint, ["--entries", "200", "--new", "8", "--repeats", "1"], tmp_path)
    found = record["by_entries"]["200"]
    first, later = found["saves"]["first"]["idle"], found["saves"]["after 8 steps"]
    pictures = 200 * 64 * 64 * 3 / 1e6
    assert first["new_mb"] > pictures > first["new_mb"] - later["idle"]["new_mb"] > 0.9 * pictures
    assert later["while updating"]["whole_mb"] > pictures
    assert min(first["held_s"], first["write_s"], found["verify_s"], found["restore_s"]) > 0
    assert 0 < later["overhead"] < later["from_signal_to_exit_s"]
    assert later["from_signal_to_exit_s"] > later["idle"]["held_s"] + later["idle"]["write_s"]


@pytest.mark.slow
def test_soak(tmp_path):
    arguments = ["--minutes", "0", "--warm-up", "0", "--sample-seconds", "1", "--save-seconds", "0.5"]
    record = record_of(soak, [*arguments, "--set", "training.log_every=10"], tmp_path)
    held = {name: values[0] for name, values in record["series"].items()}
    assert held["device_mb"] > 30 and held["resident_mb"] > held["device_mb"]
    assert min(held[f"{kind}_kb"] for kind in ("logs", "agent", "rest", "replay", "environments")) > 0
    assert held["cpu_ms_per_step"] > 0 and held["threads"] > 1
    assert set(record["by_series"]) == set(soak.SHOWN)


def test_what_a_run_directory_holds_is_counted_by_kind(tmp_path):
    sizes = {
        "metrics.jsonl": 1,
        "agents/seed_0/checkpoints/3/manifest.json": 2,
        "agents/seed_0/checkpoints/3/agent/d/x": 4,
        "checkpoints/3/agent/x": 8,
        "checkpoints/3/rest/x": 16,
        "checkpoints/3/replay/x": 32,
        "checkpoints/3/environments/x": 64,
        "checkpoints/3/manifest.json": 128,
        "checkpoints/.saving-4/replay/y": 256,
        "config.json": 512,
    }
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(1024 * size))
    (tmp_path / "checkpoints/5/replay").mkdir(parents=True)
    (tmp_path / "checkpoints/5/replay/x").hardlink_to(tmp_path / "checkpoints/3/replay/x")
    found = soak.files(tmp_path)
    assert found.pop("file_count") == 10
    kinds = {
        "logs": 1,
        "agent": 12,
        "rest": 16,
        "replay": 32,
        "environments": 64,
        "manifest": 130,
        "other": 512,
    }
    assert found == {f"{name}_kb": size for name, size in kinds.items()}


def test_the_watch_samples_and_stops(tmp_path):
    watch = soak.Watch(tmp_path, 0.0, 0.0)
    watch(None, {"env_step": 50})
    with pytest.raises(KeyboardInterrupt):
        watch(None, {"env_step": 60})
    (sample,) = watch.samples
    assert sample["env_step"] == 60 and set(soak.SHOWN) < set(sample)
    assert (
        sample["resident_mb"] > sample["own_mb"] > 50 and sample["mappings"] > 50 and sample["threads"] >= 1
    )


def series(growth):
    """Noisy series of 70 minutes, of which those in `growth` grow by a share per hour."""
    noise = random.Random(0)
    minutes = [0.5 * i for i in range(140)]
    steps = [1000.0 * at for at in minutes]
    made = {"minutes": minutes, "env_step": steps}
    for name in soak.SHOWN:
        share = growth.get(name, 0.0)
        made[name] = [100 * (1 + share * at / 60) + noise.choice([0, 0, 0, 40]) for at in minutes]
    return made


def test_a_leak_does_not_pass_for_noise():
    flat = {name: own["flat"] for name, own in soak.judge(series({}), 10).items() if "flat" in own}
    assert all(flat.values())
    leaking = series({name: 3 * limit for name, limit in soak.FLAT.items()})
    flat = {name: own["flat"] for name, own in soak.judge(leaking, 10).items() if "flat" in own}
    assert not any(flat.values())


def test_what_the_history_takes_is_no_leak():
    """1,000 steps a minute of 9 bytes are half a megabyte in an hour."""
    made = series({})
    made["own_mb"] = [10 + 60_000 * 9 / 2**20 * at / 60 for at in made["minutes"]]
    found = soak.judge(made, 10)["own_mb"]
    assert found["per_hour"] == pytest.approx(found["history_per_hour"]) and found["flat"]


def test_a_slope_is_not_misled_by_outliers():
    x = [float(i) for i in range(40)]
    assert soak.slope(x, [2 * at + (500 if at in (3, 30, 39) else 0) for at in x]) == (2, 2, 2)
    noise = random.Random(1)
    middle, low, high = soak.slope(x, [2 * at + noise.gauss(0, 3) for at in x])
    assert low < 2 < high and low < middle < high and high - low < 0.5
    assert soak.slope([1.0], [1.0]) == (0, 0, 0)


def test_a_series_is_thinned_evenly():
    values = soak.thinned([float(i) for i in range(1000)])
    assert len(values) == soak.POINTS and (values[0], values[-1]) == (0, 999)
    assert soak.thinned([1 / 3]) == [0.333333]


def test_the_table_has_a_line_for_every_series():
    minutes = [0.0, 1.0, 2.0]
    series = {name: [1.0, 1.0, 2.0] for name in soak.SHOWN} | {"minutes": minutes, "env_step": [1, 2, 3]}
    lines = table(soak.rows(soak.judge(series, 0))).splitlines()
    assert [line.split()[0] for line in lines] == ["series", *soak.SHOWN]
