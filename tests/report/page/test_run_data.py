import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.report.page.labels import run_labels
from hieros_eqx.report.page.metric_charts import metric_groups, metric_line
from hieros_eqx.report.page.panels import GOAL, WORLD_MODEL
from hieros_eqx.report.page.run_data import read_run
from tests.report.page.run_directories import make_run, settings


def test_all_files_are_read(tmp_path, rng):
    run = read_run(make_run(tmp_path / "run", settings(seeds=(3, 1)), rng, lines=4, episodes=5))
    assert (run.name, run.env_step, run.finished, run.stopped) == ("Boxing", 200, False, False)
    assert {seed: len(own) for seed, own in run.lines.items()} == {3: 4, 1: 4}
    assert [own["return"] for own in run.episodes if own["seed"] == 3] == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert run.start["commit"] == "0123abc"
    assert run.checkpoints == []


def test_a_run_that_has_hardly_begun(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng, lines=0, episodes=0, spaces=False, start=None)
    run = read_run(path)
    assert (run.env_step, run.spaces, run.start, run.any_lines) == (0, None, {}, ())


def test_a_line_without_a_seed_is_of_the_only_one(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(seeds=(7,)), rng, lines=1)
    text = (path / "metrics.jsonl").read_text()
    (path / "metrics.jsonl").write_text(text.replace('"seed": 7, ', ""))
    assert list(read_run(path).lines) == [7]


def test_returns_that_are_not_finite_are_left_out(tmp_path, rng):
    path = make_run(tmp_path / "run", settings(), rng, episodes=3)
    with (path / "episodes.jsonl").open("a") as file:
        file.write('{"seed": 0, "env_step": 99, "return": null, "nonfinite": ["return"]}\n')
    assert len(read_run(path).episodes) == 3


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metrics.jsonl", '{"env_step": 1}\nnonsense\n{"env_step": 3}\n', "metrics.jsonl: is damaged"),
        ("episodes.jsonl", '{"return": 1}\n', "episodes.jsonl: is damaged .KeyError"),
        ("metrics.jsonl", "[1]\n", "metrics.jsonl: is damaged .Type"),
        ("run.json", "[]", "run.json: wanted a JSON object, got list"),
        ("run.json", "{", "run.json: cannot be read"),
        ("spaces.json", "{}", "spaces.json: is damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, rng, name, text, words):
    path = make_run(tmp_path / "run", settings(), rng)
    (path / name).write_text(text)
    with pytest.raises(CheckpointError, match=words):
        read_run(path)


def test_a_directory_of_no_run(tmp_path):
    with pytest.raises(CheckpointError, match=r"wanted a run directory with config\.json"):
        read_run(tmp_path)


def groups_of(*runs, panels=WORLD_MODEL[:2]):
    return [
        (group.title, [entry.text for entry in group.legend], [figure.title for figure in group.figures])
        for group in metric_groups(runs, panels)
    ]


def test_what_lines_stand_for(tmp_path, rng):
    names = ["Whole loss", "Reconstruction"]
    levels = read_run(make_run(tmp_path / "levels", settings(levels=2), rng))
    seeds = read_run(make_run(tmp_path / "seeds", settings(levels=1, seeds=(3, 1)), rng))
    alone = read_run(make_run(tmp_path / "alone", settings(levels=1), rng))
    assert groups_of(levels) == [("", ["level 0", "level 1"], names)]
    assert groups_of(seeds) == [("", ["seed 3", "seed 1"], names)]
    assert groups_of(alone) == [("", [], names)]
    # several runs: a group for each level, of the runs that have it
    assert groups_of(levels, alone) == [
        ("Level 0", ["levels=2", "levels=1"], names),
        ("Level 1", [], names),
    ]


def test_the_top_level_has_no_goals(tmp_path, rng):
    run = read_run(make_run(tmp_path / "run", settings(levels=2), rng))
    (figure, *_) = metric_groups([run], GOAL)[0].figures
    assert "var(--series-0)" in figure.bodies[0] and "var(--series-1)" not in figure.bodies[0]


def test_the_line_of_several_seeds_is_their_mean_with_a_band(tmp_path, rng):
    run = read_run(make_run(tmp_path / "run", settings(levels=1, seeds=(0, 1, 2)), rng, lines=3))
    line = metric_line(run, 0, (0, 1, 2), "world_model/loss", 5)
    name = "level0/world_model/loss"
    values = [[own[name] for own in run.lines[seed] if name in own] for seed in (0, 1, 2)]
    at = [own["env_step"] for own in run.lines[0] if name in own]
    assert len(at) >= 2
    assert line.x.tolist() == at
    assert line.y.tolist() == pytest.approx([sum(x) / 3 for x in zip(*values, strict=True)])
    assert line.low.tolist() == [min(x) for x in zip(*values, strict=True)]
    assert line.high.tolist() == [max(x) for x in zip(*values, strict=True)]
    assert metric_line(run, 0, (0,), "world_model/absent", 0) is None
    assert metric_line(run, 1, (0,), "world_model/loss", 0) is None


def labels_of(tmp_path, rng, *configs):
    return run_labels(
        [read_run(make_run(tmp_path / f"run{i}", own, rng, lines=0)) for i, own in enumerate(configs)]
    )


def test_runs_are_called_by_what_differs(tmp_path, rng):
    assert labels_of(tmp_path, rng, settings(levels=1), settings(levels=3, env_steps=800)) == [
        "levels=1",
        "levels=3",
    ]
    assert labels_of(tmp_path, rng, settings(), settings(env_steps=800)) == ["env_steps=400", "env_steps=800"]
    assert labels_of(tmp_path, rng, settings(), settings()) == ["run0", "run1"]
    assert labels_of(tmp_path, rng, settings(levels=1), settings(), settings()) == [
        "levels=1",
        "levels=2, run1",
        "levels=2, run2",
    ]
