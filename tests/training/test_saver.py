"""The saver, beyond what tests of the loop and of checkpoints see of it."""

import shutil

import numpy as np

from hieros_eqx.envs import History, RecordedEnv
from hieros_eqx.training import checkpoint, manifest, saver
from hieros_eqx.training.run_dir import RunDir


class Played(RecordedEnv):
    """Environments of which only the history is left."""

    def __init__(self, history):
        self._held = history

    def history(self, start=0):
        """Return it from one action on."""
        return History(*(rows[start:].copy() for rows in self._held))


def test_many_files_of_history_become_one_that_says_the_same(config, finished, tmp_path, monkeypatch):
    shutil.copytree(finished[1], tmp_path / "run")
    run, spaces, told = RunDir(tmp_path / "run"), finished[0].state.spaces, []
    found = manifest.read(run.checkpoints / "80")
    state, host, history, ledger = checkpoint.restore(run.checkpoints, found, config, spaces)
    held = len(ledger.history)
    assert held > 2
    monkeypatch.setattr(saver, "MOST_HISTORY_FILES", held + 1)
    for files in (held + 1, 1, 2):
        history = History(*(np.concatenate([rows, rows[-1:]]) for rows in history))
        counters = host.counters._replace(env_step=host.counters.env_step + config.env.num_envs)
        host = host._replace(counters=counters)
        with saver.Saver(run, config.training, ledger, told.append) as saving:
            saving.save(state, host, Played(history))
        found, problems = checkpoint.newest_whole(run.checkpoints)
        assert found is not None and found.env_step == counters.env_step
        assert not (problems or told)
        _, _, read, ledger = checkpoint.restore(run.checkpoints, found, config, spaces)
        assert len(ledger.history) == files
        assert len(list((run.checkpoints / str(found.env_step) / "environments").iterdir())) == files
        for got, wanted in zip(read, history, strict=True):
            np.testing.assert_array_equal(got, wanted)
