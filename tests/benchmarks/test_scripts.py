"""The scripts run, leave a record of what they measured, and one that fails takes no other with it."""

import json
import subprocess
import sys
import zipfile

import accelerator
import bench_act
import bench_replay
import bench_scan
import bench_trace
import bench_update
import checks
import machine
import predict
import pytest

TINY = ["--preset", "debug", "--set", "levels=1", "--repeats", "2"]


def record_of(script, arguments, tmp_path):
    """Run a script and return the line that it has appended."""
    script.main([*arguments, "--results", str(tmp_path)])
    (line,) = (tmp_path / f"{script.__name__}.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["command"].startswith(f"python benchmarks/{script.__name__}.py --preset debug")
    assert str(tmp_path) not in line
    assert record["device"]["platform"] == "cpu" and record["versions"]["jax"]
    return record


def test_bench_update(tmp_path):
    record = record_of(bench_update, [*TINY, "--parts"], tmp_path)
    level0 = record["updates"]["level0"]
    assert 0 < level0["min_ms"] <= level0["median_ms"] <= level0["max_ms"]
    assert level0["gflops"] == pytest.approx(level0["flops"] / level0["median_ms"] / 1e6)
    assert 0 < level0["share_of_peak"] < 1
    assert level0["memory"]["total_mb"] > level0["memory"]["temporary_mb"] > 0
    assert record["per_env_step"]["flops"] == level0["flops"] / 4  # trained every fourth step
    assert record["memory_after_updates"]["host_peak_mb"] > level0["memory"]["total_mb"]


def test_bench_trace(tmp_path):
    record = record_of(bench_trace, [*TINY, "--keep", str(tmp_path / "kept")], tmp_path)
    level0 = record["programs"]["level0"]
    assert level0["launches"] > 100 and 0 < level0["busy_ms"] < level0["traced_ms"]
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["level0.xplane.pb"]


def test_time_busy_is_the_union_of_all_operations():
    events = [("fusion.12", 0, 3e6), ("fusion_3", 1e6, 2e6), ("copy", 2e6, 5e6), ("copy", 7e6, 8e6)]
    found = bench_trace.account(events)
    assert found["launches"] == 4 and found["busy_ms"] == 6
    assert found["operations"][0] == {"name": "fusion", "launches": 2, "ms": 4}
    kernel = bench_trace.account([("void a::(anonymous namespace)::Gemm_2<float, (T)2>(float*)", 0, 1)])
    assert kernel["operations"][0]["name"] == "void a::(anonymous namespace)::Gemm_2"


def test_bench_act(tmp_path):
    record = record_of(bench_act, [*TINY, "--envs", "2"], tmp_path)
    assert record["act"]["envs_2"]["median_ms"] > 0
    assert record["act"]["envs_2"]["flops_all_levels"] > 0


def test_bench_replay(tmp_path):
    record = record_of(bench_replay, [*TINY, "--sizes", "300", "30000000"], tmp_path)
    assert record["left_out"] == [30_000_000]
    times = {name: row["median_ms"] for name, row in record["by_size"]["300"].items()}
    assert min(times["append"], times["draw"], times["gather"], times["draw_gather_write_back"]) > 0


def test_bench_scan(tmp_path):
    record = record_of(bench_scan, [*TINY, "--lengths", "3"], tmp_path)
    rows = record["by_length"]["3"]
    assert set(rows) >= {"sequential", "parallel_gradient", "agent", "stack_gradient"}
    assert all(row["median_ms"] > 0 for row in rows.values())


def test_a_table_is_aligned():
    text = machine.table([["name", "ms"], ["a", 1.0], ["longer", 12345.6]])
    assert text.splitlines() == ["name        ms", "a         1.00", "longer  12,346"]


def test_numbers_that_differ_are_named(tmp_path, monkeypatch, capsys):
    numbers = tmp_path / "numbers.json"
    measured = {"debug": {"loss": 2.0, "norm": 5.0}}
    monkeypatch.setattr(checks, "numbers", lambda size: measured[size])
    arguments = ["reference", "--sizes", "debug", "--numbers", str(numbers)]
    assert checks.main([*arguments, "--record"]) == 0
    measured["debug"] = {"loss": 2.0 * (1 + 5e-4), "norm": 5.0}
    assert checks.main(arguments) == 0
    measured["debug"] = {"loss": 2.0 * (1 + 2e-3), "norm": 5.0}
    assert checks.main(arguments) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["wrong"] == ["debug/loss: wanted 2, got 2.004"]
    measured["debug"] = {"loss": float("nan"), "norm": 5.0}
    assert checks.main(arguments) == 1


def test_the_recorded_numbers_are_those_of_a_cpu():
    held = json.loads(checks.NUMBERS.read_text(encoding="utf-8"))
    assert held["platform"] == "cpu" and set(held["numbers"]) == set(checks.SIZES)
    for group in held["numbers"].values():
        assert {name.split("/")[0] for name in group} == {"acting", "level0", "level1", "level2"}


@pytest.fixture
def three_sections(tmp_path, monkeypatch):
    """Put three scripts in the place of the benchmarks: one that works, one that fails, one that hangs."""
    (tmp_path / "works.py").write_text(
        "import os, pathlib, sys\n"
        "import carried\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--results') + 1])\n"
        "(folder / 'works.jsonl').write_text('{\"value\": %d}' % carried.VALUE)\n"
    )
    (tmp_path / "fails.py").write_text("raise SystemExit('no such device')\n")
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(accelerator, "HERE", tmp_path)
    made = {
        name: accelerator.Section(f"{name}.py", "", "", share, lambda record: f"value {record['value']}")
        for name, share in (("hangs", 1), ("fails", 10), ("works", 10))
    }
    monkeypatch.setattr(accelerator, "SECTIONS", made)


@pytest.mark.usefixtures("three_sections")
def test_a_section_that_fails_or_hangs_takes_no_other_with_it(tmp_path, capsys):
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "carried-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried.py", "VALUE = 7\n")
    arguments = ["--seconds", "40", "--wheels", str(tmp_path / "wheels"), "--results", str(tmp_path)]
    assert accelerator.main(arguments) == 1
    *_, hangs, fails, works = capsys.readouterr().out.splitlines()
    assert hangs.split()[:2] == ["hangs", "FAILED"] and "not done after 4 s" in hangs
    assert fails.split()[:2] == ["fails", "FAILED"] and "no such device" in fails
    assert works.split()[:2] == ["works", "ok"] and works.endswith("value 7")
    record = json.loads((tmp_path / "accelerator.jsonl").read_text())
    assert [section["ok"] for section in record["sections"].values()] == [False, False, True]


def test_an_accelerators_host_needs_no_more_than_it_is_said_to(folder):
    """Without what development, reports and other environments need, scripts import and runs tell lines."""
    missing = ["beartype", "rich", "tensorboardX", "matplotlib", "imageio", "jinja2"]
    missing += ["envpool", "ale_py", "gymnasium", "hypothesis", "pytest"]
    others = ("first_run", "bench_logging")  # which need what reports, and terminals, do
    scripts = sorted(path.stem for path in folder.glob("*.py") if path.stem not in others)
    code = f"""
import sys, io
sys.modules |= dict.fromkeys({missing})
sys.path.insert(0, {str(folder)!r})
for name in {scripts}:
    __import__(name)
import bench_loop, hieros_eqx
from hieros_eqx.training.progress import Lines, make_progress
assert isinstance(make_progress(9, 0, shown=True, stream=sys.__stderr__), Lines)
config, env = bench_loop.with_env(hieros_eqx.make_preset("debug"), "Pong")
assert config.env.game is None and env().spaces.observation.shape == (64, 64, 3)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_everything_at_the_smallest_sizes(folder, tmp_path):
    script = str(folder / "accelerator.py")
    result = subprocess.run(
        [sys.executable, script, "--quick", "--seconds", "3000", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=3100,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.slow
def test_predict(tmp_path):
    arguments = ["--preset", "debug", "--set", "levels=2", "--seeds", "1"]
    found = record_of(predict, arguments, tmp_path)["by_seeds"]["1"]
    costs, programs = found["per_env_step"], found["programs"]
    assert 0 < costs["least_bytes"] < costs["bytes"]
    assert costs["launches"] > programs["act"]["launches"] > 100
    assert 0 < found["at_best"]["ms"] < found["at_worst"]["ms"]


@pytest.mark.slow
def test_the_recorded_numbers_hold_here():
    assert checks.main(["reference"]) == 0
