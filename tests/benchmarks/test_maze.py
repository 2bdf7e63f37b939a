"""What walkers of the maze are asked for is what they are paid for."""

import cue
import maze
import minigrid
import numpy as np
import pytest
from ladder import SIZES

NAME, ENVS = "MiniGrid-MemoryS7-v0", 8


def test_the_object_beside_the_start_decides_the_reward():
    env = minigrid.objects(NAME, num_envs=ENVS, seed=4)
    batch, age = next(cue.sequences(env, 200, 1, maze.Walker(wander=0)))
    asked, counted, paid = maze.asked_since_start(batch, np.zeros(ENVS)), 0, 0
    for t in range(200):
        ahead = maze.in_sight(batch.observation[t])[:, *maze.AHEAD]
        taken = 1.0 * (ahead == maze.KEY) - 1.0 * (ahead == maze.BALL)
        for i in np.flatnonzero(batch.is_last[t] & (asked[t] != 0)):
            assert (batch.reward[t, i] > 0) == (asked[t, i] == taken[i])
            counted, paid = counted + 1, paid + (batch.reward[t, i] > 0)
    episodes = batch.is_last.sum()
    assert 0.15 < counted / episodes < 0.35, "one episode in four begins beside the object"
    assert 0.3 < paid / counted < 0.7
    assert age.max() <= 6, "a walker that does not wander goes straight to the end"


def test_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(maze, "BLOCK", 12)
    sets = [word for each in (*SIZES, "training.sequence=32") for word in ("--set", each)]
    record = maze.main(["--updates", "24", "--wander", "0", "--results", str(tmp_path), *sets])
    rows = record["seeds"]["0"]
    assert {len(values) for values in rows.values()} == {2}
    assert rows["reconstruction"][1] < rows["reconstruction"][0]
    assert min(rows["episodes"]) > 50 and min(rows["varies"]) > 0
    assert str(tmp_path) not in (tmp_path / "maze.jsonl").read_text()
    with pytest.raises(SystemExit):
        maze.main(["--updates", "1"])
