"""A run of four seeds on two devices, stopped and continued. Run by `test_seeds_on_devices.py`.

It is too short to train: that updates agree over devices is a test of the agent.
"""

import sys
from pathlib import Path

import jax
import numpy as np

from hieros_eqx.config import make_preset, override
from hieros_eqx.training import checkpoint, load, train
from hieros_eqx.training.metrics import flatten

SEEDS = [3, 0, 5, 1]


def main(path: Path) -> None:
    """Raise `AssertionError` if something is not as on one device."""
    config = override(
        make_preset("debug"),
        [
            *("levels=1", "env.num_envs=2", "env.id=hieros_eqx.envs.probe:memory", f"training.seeds={SEEDS}"),
            *("training.env_steps=48", "training.sequence=32", "training.log_every=12"),
        ],
    )
    stopped = train(config, run_dir=path, callbacks=[interrupt], progress=False)
    assert (stopped.env_step, stopped.interrupted) == (24, True)
    mesh = stopped.state.key.sharding.mesh
    assert mesh.shape == {"seed": 2}

    found, _ = checkpoint.newest_whole(path / "checkpoints")
    state = checkpoint.restore(path / "checkpoints", found, config, stopped.state.spaces, mesh).state
    for restored in (state, checkpoint.fresh_episodes(state)):
        for (name, old), new in zip(flatten(stopped.state).items(), jax.tree.leaves(restored), strict=True):
            assert new.sharding == old.sharding, name
            assert new.aval == old.aval, name
            if restored is state and not jax.dtypes.issubdtype(old.dtype, jax.dtypes.prng_key):
                np.testing.assert_array_equal(new, old, err_msg=name)

    result = train(config, run_dir=path, progress=False)
    assert (result.env_step, result.interrupted) == (48, False)
    for seed in SEEDS:
        ours, kept = result.agents[seed].params, load(path / "agents" / f"seed_{seed}").params
        jax.tree.map(np.testing.assert_array_equal, ours, kept)


def interrupt(_state, record):
    """Stop after the last seed's line at step 24."""
    if (record["env_step"], record["seed"]) == (24, SEEDS[-1]):
        raise KeyboardInterrupt


if __name__ == "__main__":
    main(Path(sys.argv[1]))
