"""The benchmark of how environments are brought back: it sees what comes back exactly, and what does not."""

import bench_env_resume
import pytest

from hieros_eqx.envs import NextStepEnv

pytest.importorskip("envpool")

SMALL = ["--preset", "debug", "--repeats", "1", "--episodes", "1", "--limit", "60", "--then", "30"]


def test_games_come_back_and_the_way_is_recorded(tmp_path):
    arguments = [*SMALL, "--games", "Breakout", "HauntedHouse", "--results", str(tmp_path)]
    games = bench_env_resume.main(arguments)["by_game"]
    assert [games[name]["fast"]["how"] for name in ("Breakout", "HauntedHouse")] == ["resets", "actions"]
    for found in games.values():
        assert found["exact"] and found["log_steps"] == 111 and found["episodes"] == 2
        assert found["whole"]["steps"] == 112
    assert games["Breakout"]["fast"]["steps"] == 52
    assert (tmp_path / "bench_env_resume.jsonl").is_file()


def test_a_game_that_goes_on_otherwise_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(NextStepEnv, "hidden", None)  # what would have told of memory left behind
    monkeypatch.setattr(bench_env_resume, "OPEN", 1)  # nor do pictures as yet
    arguments = [*SMALL, "--games", "HauntedHouse", "--then", "50", "--results", str(tmp_path)]
    found = bench_env_resume.main(arguments)["by_game"]["HauntedHouse"]
    assert found["fast"]["how"] == "resets" and not found["exact"]
