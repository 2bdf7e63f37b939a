"""One tiny two-level run, compiled once and shared by all tests that need a trained agent."""

from dataclasses import replace
from pathlib import Path

import pytest

SEEDS = (3, 0)


@pytest.fixture(scope="package")
def config():
    """Two levels, two environments, updates of both depths; log lines and checkpoints within 80 steps."""
    from hieros_eqx.config import make_preset

    base = make_preset("debug")
    return replace(
        base,
        levels=2,
        macro_length=2,
        env=replace(base.env, num_envs=2, id="hieros_eqx.envs.probe:memory"),
        training=replace(
            base.training,
            env_steps=80,
            batch=2,
            sequence=4,
            train_every=4,
            log_every=20,
            checkpoint_every=24,
            keep_checkpoints=2,
        ),
    )


@pytest.fixture(scope="package")
def finished(config, tmp_path_factory):
    """Return (result, run directory, callback records, number of fetches) of a whole run."""
    return observed_run(config, tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture(scope="package")
def side_by_side(config, tmp_path_factory):
    """Return the same of a run of two seeds, of which the second is that of `finished`."""
    several = replace(config, training=replace(config.training, seeds=SEEDS))
    return observed_run(several, tmp_path_factory.mktemp("runs") / "side_by_side")


@pytest.fixture(scope="package")
def alone(config, finished, tmp_path_factory):
    """Return the runs of `SEEDS` alone by their seeds, as (result, run directory)."""
    other = config.for_seed(SEEDS[0])
    path = tmp_path_factory.mktemp("runs") / "alone"
    return {SEEDS[0]: observed_run(other, path)[:2], SEEDS[1]: finished[:2]}


def observed_run(config, path: Path):
    """Train, and return what `finished` promises."""
    from hieros_eqx.training import metrics, train

    records, fetches = [], []
    with pytest.MonkeyPatch.context() as patch:
        fetch = metrics.fetch
        patch.setattr(metrics, "fetch", lambda tree: fetches.append(1) or fetch(tree))
        result = train(
            config,
            run_dir=path,
            callbacks=[lambda state, record: records.append((int(state.env_step), record))],
            progress=False,
            command="pytest",
        )
    return result, path, records, len(fetches)
