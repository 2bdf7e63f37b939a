"""Which jobs a suite has, and what is run of them, with running itself replaced."""

import shlex
from pathlib import Path

from click.testing import CliRunner

from hieros_eqx.config import assignments, make_preset, override
from hieros_eqx.training.suite import Failure, Outcome, plan, run_jobs

CHANGES = ["training.env_steps=300", "levels=2", "training.seeds=[2, 4]", "env.keys=[]"]


def configs(*games, changes=CHANGES):
    return [override(make_preset("debug"), [*changes, f"env.game={game}"]) for game in games]


class Noted:
    """An executor that runs nothing; `codes` are what a job's line ends with, 0 where it is not named."""

    def __init__(self, **codes):
        self.codes, self.run_lines, self.done = codes, [], set()

    def run(self, job):
        name = f"{job.kind}_{job.game}"
        self.run_lines.append(name)
        code = self.codes.get(name, 0)
        if code == 0 and name not in self.codes:
            self.done.add(job.line)
        return code

    def is_done(self, job):
        return job.line in self.done


def jobs():
    return plan(configs("Pong", "Krull"), Path("out"), 100)


def test_two_commands_for_each_game():
    assert [job.line for job in jobs()] == [
        "hieros-eqx train --game Pong --preset debug --seeds 2,4 --set levels=2 "
        "--set training.env_steps=300 --run-dir out/Pong",
        "hieros-eqx eval out/Pong --episodes 100",
        "hieros-eqx train --game Krull --preset debug --seeds 2,4 --set levels=2 "
        "--set training.env_steps=300 --run-dir out/Krull",
        "hieros-eqx eval out/Krull --episodes 100",
    ]


def test_a_command_means_its_configuration(tmp_path):
    """Whatever is set comes back from the command line, in quotes where it needs any."""
    from hieros_eqx_cli.main import main

    changes = ["training.seed=7", "world_model.kind=rssm", "training.seeds=[1, 9]", "subgoal.beta=0.25"]
    for own in (changes, [*changes[:2], "training.seeds=[3]"]):
        (config,) = configs("Pong", changes=own)
        train, _ = plan([config], tmp_path / "a folder", 10)
        words = shlex.split(train.line)
        assert words[-2:] == ["--run-dir", str(tmp_path / "a folder" / "Pong")]
        shown = CliRunner().invoke(main, ["config", *words[2:-2]])
        again = CliRunner().invoke(main, ["config", "--preset", "debug", *_sets(config)])
        assert shown.stdout == again.stdout, shown.stderr


def _sets(config):
    return [word for own in assignments(make_preset("debug"), config) for word in ("--set", own)]


def test_one_after_the_other():
    executor = Noted()
    told = []
    outcome = run_jobs(
        jobs(), executor, executor.is_done, after=lambda job, failure: told.append((job, failure))
    )
    assert executor.run_lines == ["train_Pong", "eval_Pong", "train_Krull", "eval_Krull"]
    assert outcome == Outcome((), None)
    assert told == [(job, None) for job in jobs()]
    executor.run_lines.clear()
    assert run_jobs(jobs(), executor, executor.is_done) == Outcome((), None)
    assert executor.run_lines == [], "all is done"


def test_what_is_done_is_skipped():
    executor = Noted()
    executor.done = {job.line for job in jobs()[:1]}
    run_jobs(jobs(), executor, executor.is_done)
    assert executor.run_lines == ["eval_Pong", "train_Krull", "eval_Krull"]


def test_a_failure_stops_its_own_game_alone():
    executor = Noted(train_Pong=1, eval_Krull=2)
    outcome = run_jobs(jobs(), executor, executor.is_done)
    assert executor.run_lines == ["train_Pong", "train_Krull", "eval_Krull"]
    assert outcome == Outcome((Failure(jobs()[0], 1), Failure(jobs()[3], 2)), None)


def test_a_job_that_ends_well_and_is_not_done_has_failed():
    executor = Noted(train_Pong=0)
    outcome = run_jobs(jobs(), executor, executor.is_done)
    assert executor.run_lines == ["train_Pong", "train_Krull", "eval_Krull"]
    assert outcome.failures == (Failure(jobs()[0], 0),)


def test_a_job_that_was_stopped_stops_the_suite():
    for code in (130, 143):
        executor = Noted(train_Pong=1, train_Krull=code)
        assert run_jobs(jobs(), executor, executor.is_done) == Outcome((Failure(jobs()[0], 1),), code)
        assert executor.run_lines == ["train_Pong", "train_Krull"]
