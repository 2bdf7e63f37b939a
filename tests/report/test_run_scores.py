"""Which numbers of which runs become scores, and which runs are refused."""

import pytest

from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.report.run_scores import collect
from tests.report.made_runs import make_run


def test_runs_of_a_game_are_its_seeds(tmp_path):
    runs = [
        make_run(tmp_path / "a", "Boxing", {0: 6.0, 1: 12.0}),
        make_run(tmp_path / "b", "Boxing", {3: 3.0}),
        make_run(tmp_path / "c", "Pong", {0: -21.0}),
    ]
    found = collect(runs)
    assert found.scores == {"Boxing": (6.0, 12.0, 3.0), "Pong": (-21.0,)}
    assert found.notes == ()
    assert collect([tmp_path]) == found, "a folder of runs is its runs"
    assert collect([tmp_path, runs[0]]) == found, "and no run counts twice"


def test_departures_from_the_protocol_are_told(tmp_path):
    make_run(tmp_path / "a", "Boxing", {0: 1.0}, episodes=10, changes=["training.env_steps=20000"])
    make_run(tmp_path / "b", "Pong", {0: 1.0}, policy="mode", changes=["levels=2", "macro_length=5"])
    assert collect([tmp_path]).notes == (
        "ours: fewer episodes of a seed than the protocol's 100: Boxing 10",
        "ours: evaluated with different policies (mode, sample)",
        "ours: not the benchmark's 100,000 environment steps: Boxing 20,000",
        "ours: runs differ in their configuration: levels: 3 -> 2; macro_length: 4 -> 5; "
        "training.env_steps: 20000 -> 100000",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("Boxing", {0: None}),
            r"got none of Boxing, seed 0; do it with `hieros-eqx eval .*r --episodes 100`",
        ),
        (("Boxing", {0: 1.0, 1: None, 2: None}), r"got none of Boxing, seeds 1, 2; do it with"),
        (("gym:Catch", {0: 1.0}), r"wanted a run of an Atari game, got one of gym:Catch; `hieros-eqx eval"),
    ],
)
def test_a_run_without_scores(tmp_path, arguments, words):
    """Named, it is refused; in a folder it is left out, with the same words."""
    run = make_run(tmp_path / "r", *arguments)
    with pytest.raises((CheckpointError, ConfigError), match=words):
        collect([run])
    with pytest.raises(CheckpointError, match=words):
        collect([tmp_path])
    make_run(tmp_path / "other", "Pong", {0: 3.0})
    found = collect([tmp_path])
    assert found.scores == {"Pong": (3.0,)}
    assert found.notes[0].startswith(f"left out: {run}: ")


def test_an_unfinished_run(tmp_path):
    run = make_run(tmp_path / "r", "Pong", {0: 3.0}, env_step=500)
    words = (
        r"is unfinished \(500 of 100,000 environment steps\); continue it with `hieros-eqx train --run-dir"
    )
    with pytest.raises(CheckpointError, match=words):
        collect([run])


def test_one_seed_twice(tmp_path):
    runs = [make_run(tmp_path / name, "Pong", {0: 3.0}) for name in ("a", "b")]
    with pytest.raises(ConfigError, match=r"b and .*a both hold seed 0 of Pong: give one of them"):
        collect(runs)


def test_no_run(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(
        CheckpointError, match=r"thesis: wanted a run directory with config\.json, or a folder"
    ):
        collect([tmp_path / "thesis"])
