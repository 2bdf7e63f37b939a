"""One tiny run of two levels, whose rings wrap; compiled once and shared by all tests of this package."""

import pytest


@pytest.fixture(scope="package")
def config():
    """40 steps of two environments, updates of both depths at every second, 16 entries of an environment."""
    from hieros_eqx.config import make_preset, override

    return override(
        make_preset("debug"),
        [
            *("levels=2", "macro_length=2", "env.num_envs=2", "env.id=hieros_eqx.envs.probe:memory"),
            *("training.env_steps=80", "training.batch=2", "training.sequence=4", "training.train_every=4"),
            *("training.log_every=20", "training.checkpoint_every=24", "training.keep_checkpoints=2"),
            "replay.capacity=32",
        ],
    )


@pytest.fixture(scope="package")
def finished(config, tmp_path_factory):
    """A whole run without a fault: what all others must become."""
    from tests.faults.running import Run

    run = Run(config, tmp_path_factory.mktemp("faults") / "finished")
    run.go_on()
    return run


@pytest.fixture
def again(finished, tmp_path):
    """A run of one's own with the same configuration, not begun."""
    from tests.faults.running import Run

    return Run(finished.config, tmp_path / "run")
