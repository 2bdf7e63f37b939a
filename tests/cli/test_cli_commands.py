"""What the commands show, in this process and as installed."""

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hieros_eqx_cli.main import COMMANDS

import hieros_eqx
from hieros_eqx.config import make_preset, override
from hieros_eqx.report.published import human_normalised, published_scores

PROGRAM = Path(sys.executable).with_name("hieros-eqx")


def installed(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_program_shows_its_help_without_jax():
    result = installed("--help")
    assert result.returncode == 0
    assert all(name in result.stdout for name in ("train", "eval", "config", "games", "doctor"))
    code = (
        "import sys; from hieros_eqx_cli.main import main\n"
        "try: main(['games'])\nexcept SystemExit: pass\n"
        "try: main(['config', '--preset', 'debug'])\nexcept SystemExit: pass\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "assert 'jax' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_installed_program_ends_wrong_input_with_one_line_and_two():
    result = installed("train", "--preset", "debug", "--game", "privat_eye")
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "PrivateEye" in result.stderr


def test_a_reader_that_leaves_is_no_error():
    result = subprocess.run(
        f"'{PROGRAM}' games | head -n 1", shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stderr == ""


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_of_every_command(run, command):
    for flag in ("--help", "-h"):
        result = run(*command, flag)
        assert result.code == 0
        assert result.out.startswith("Usage: hieros-eqx")


def test_no_command_shows_the_help(run):
    result = run()
    assert "doctor" in result.out + result.err


def test_games_lists_the_table(run):
    lines = run("games").out.splitlines()
    assert len(lines) == 26
    assert lines[0].split() == ["game", "random", "human", "simple", "twm", "iris", "dreamerv3", "hieros"]
    row = next(line for line in lines if line.startswith("PrivateEye"))
    assert row.split()[1:] == ["25", "69571", "35", "86", "100", "882", "1507"]
    assert "MontezumaRevenge" in run("games", "--all").out
    assert "MontezumaRevenge" in run("games", HIEROS_EQX_GAMES_ALL="1").out


def test_scores():
    assert len(published_scores()) == 25
    assert human_normalised("Pong", -21.0) == 0
    assert human_normalised("Pong", 15.0) == 1
    assert human_normalised("Breakout", 16.0) == 0.5
    assert human_normalised("UpNDown", 533.4) == 0
    assert human_normalised("Tetris", 1.0) is None


def test_doctor_tells_what_is_there(run):
    result = run("doctor")
    assert result.code == 0
    for words in (
        "hieros-eqx",
        "jax",
        "CPU cores",
        "memory",
        "JAX device 0",
        "envpool",
        "nothing is missing",
    ):
        assert words in result.out


def test_doctor_tells_what_is_missing(run, monkeypatch):
    for name in ("envpool", "ale_py", "gymnasium"):
        monkeypatch.setitem(sys.modules, name, None)
    import hieros_eqx_cli.doctor as doctor

    found = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda name: None if name in ("optax", "matplotlib") else found(name)
    )
    result = run("doctor")
    assert result.code == 1
    for words in ("optax is required", "hieros-eqx[report]", "no library of environments"):
        assert words in result.out


@pytest.fixture
def trained(monkeypatch):
    """Training replaced by a note of what it was asked for."""
    calls = []

    def train(config, **options):
        calls.append((config, options))
        return SimpleNamespace(interrupted=False, signal=None)

    monkeypatch.setattr(hieros_eqx, "train", train, raising=False)
    return calls


def test_train_hands_over_the_configuration_and_a_new_directory(run, trained):
    result = run("train", "--preset", "debug", "--game", "pong", "--seed", 3)
    assert result.code == 0, result
    ((config, options),) = trained
    assert config == override(make_preset("debug"), ["env.game=Pong", "training.seed=3"])
    directory = options["run_dir"]
    assert directory.parent == Path("runs")
    assert directory.name.startswith("Pong-debug-seed3-")
    assert str(directory) in result.err
    assert options["command"].startswith("hieros-eqx")


def test_train_in_a_run_directory_alone_continues_with_its_configuration(run, trained, tmp_path):
    (tmp_path / "config.json").write_text(
        run("config", "--preset", "debug", "--game", "Pong", "--set", "subgoal.beta=1").out
    )
    assert run("train", "--run-dir", tmp_path).code == 0
    ((config, options),) = trained
    assert config == override(make_preset("debug"), ["env.game=Pong", "subgoal.beta=1"])
    assert options["run_dir"] == tmp_path


def test_train_begins_with_another_run(run, trained, tmp_path):
    assert run("train", "--preset", "debug", "--game", "Pong", "--from-checkpoint", tmp_path).code == 0
    assert trained[0][1]["from_checkpoint"] == str(tmp_path)


def test_deterministic_sets_the_flag_of_gpus_beside_others(run, trained, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    assert run("train", "--preset", "debug", "--game", "Pong", "--deterministic").code == 0
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=x --xla_gpu_deterministic_ops=true"
    assert len(trained) == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_was_stopped_says_so_by_its_exit_code(run, monkeypatch, signum, code):
    earlier = signal.getsignal(signal.SIGINT)

    def train(*_, **__):
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        return SimpleNamespace(interrupted=True, signal=signum)

    monkeypatch.setattr(hieros_eqx, "train", train, raising=False)
    result = run("train", "--preset", "debug", "--game", "Pong")
    assert result.code == code
    assert "continue: hieros-eqx train --run-dir" in result.err
    assert signal.getsignal(signal.SIGINT) == earlier


def test_new_run_directories_do_not_collide(tmp_path):
    from hieros_eqx_cli.train import new_run_dir

    config = override(make_preset("debug"), ["env.id=my.module:make"])
    now = datetime(2026, 1, 2, 3, 4, 5)
    names = []
    for _ in range(3):
        directory = new_run_dir(config, now, tmp_path)
        directory.mkdir()
        names.append(directory.name)
    stem = "my-module-make-debug-seed0-20260102-030405"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]


def test_durations_and_expected_times(monkeypatch):
    from hieros_eqx_cli import timing

    assert [timing.duration(s) for s in (5, 600, 9000)] == ["5 s", "10 min", "2.5 h"]
    monkeypatch.setattr(timing, "MEASURED", {("laptop", "cpu"): (10.0, "two CPU cores")})
    words = "20,000 environment steps take about 33 min on two CPU cores"
    assert timing.expected_time("laptop", "cpu", 20_000) == words
    assert "the display shows" in timing.expected_time("laptop", "gpu", 20_000)
