"""A whole run as a user makes it: train, Ctrl-C, continue, evaluate on both array libraries."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("hieros-eqx")
CORRIDOR = """
import gymnasium
import numpy as np


class Corridor(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (5,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell, self.time = 0, 0
        return np.eye(5, dtype=np.float32)[0], {}

    def step(self, action):
        self.cell, self.time = min(4, max(0, self.cell + (1 if action else -1))), self.time + 1
        done = self.cell == 4
        return np.eye(5, dtype=np.float32)[self.cell], float(done), done, self.time >= 20, {}
"""
OPTIONS = ("--env", "corridor:Corridor", "--preset", "debug", "--levels", "1", "--env-steps", "2000")
OPTIONS = (*OPTIONS, "--set", "training.log_every=20")


@pytest.fixture
def start(tmp_path):
    (tmp_path / "corridor.py").write_text(CORRIDOR)
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "HIEROS_EQX_COMPILATION_CACHE": str(tmp_path / "cache"),
    }
    environment.pop("JAX_ENABLE_X64", None)

    def call(*args):
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [PROGRAM, *args], cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True
        )

    return call


def finish(process, code=0):
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == code, err
    return out, err


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_train_interrupt_continue_evaluate(start, tmp_path):
    directory = tmp_path / "run"
    process = start("train", *OPTIONS, "--run-dir", "run")
    deadline = time.monotonic() + 300
    while not (directory / "metrics.jsonl").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = finish(process, code=130)
    assert "run directory: run" in err
    assert "continue: hieros-eqx train --run-dir run" in err
    assert "Traceback" not in err
    stopped = lines(directory / "metrics.jsonl")[-1]["env_step"]
    assert stopped < 2000
    assert json.loads((directory / "run.json").read_text())

    out, err = finish(start("train", *OPTIONS, "--seed", "1", "--run-dir", "run"), code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert "training.seed: 0 -> 1" in err

    _, err = finish(start("train", "--run-dir", "run"))
    records = lines(directory / "metrics.jsonl")
    steps = [record["env_step"] for record in records]
    assert steps == sorted(set(steps))
    assert steps[-1] == 2000
    assert {"seed", "train_step", "seconds"} <= set(records[-1])
    assert any(key.startswith("level0/") for key in records[-1])

    assert "going on at step" in err
    for backend in ("numpy", "jax", "numpy"):
        out, _ = finish(start("eval", "run", "--episodes", "2", "--backend", backend))
        assert out.startswith("2 episodes: mean ")
    names = sorted(path.name for path in directory.glob("eval-*.json"))
    assert names == ["eval-seed0-jax.json", "eval-seed0-numpy-2.json", "eval-seed0-numpy.json"]
    first, again = (json.loads((directory / name).read_text()) for name in (names[2], names[1]))
    for record in (first, again):  # all but when
        assert {record.pop("evaluated"), record.pop("seconds")}
    assert first == again
    assert (first["env"], first["episodes"], first["human_normalised"]) == ("corridor:Corridor", 2, None)
    assert (first["env_step"], first["final"]) == (2000, True)
    assert len(first["seeds"]["0"]["returns"]) == len(first["seeds"]["0"]["lengths"]) == 2
