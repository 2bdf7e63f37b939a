"""Train, and save at every step, until killed. Run by `killing.py`, in a process of its own.

    python train_to_be_killed.py RUN LEVELS STEPS

Says `going on at N` when it begins, `saved N` when a checkpoint is whole, and `ended DIGEST` with a hash of
all of the state at the end. The compilation cache is told by JAX's own environment variables.
"""

import hashlib
import sys
from pathlib import Path

import jax
import numpy as np

from hieros_eqx.config import HierosConfig, make_preset, override
from hieros_eqx.training import checkpoint, loop, train
from hieros_eqx.training.metrics import flatten


def config_of(levels: int, steps: int) -> HierosConfig:
    """Return a run so small that it spends most of its time saving."""
    return override(
        make_preset("debug"),
        [
            *(f"levels={levels}", "macro_length=2", "env.num_envs=2", "replay.capacity=32"),
            *("env.id=hieros_eqx.envs.probe:memory", f"training.env_steps={steps}", "training.batch=2"),
            *("training.sequence=4", "training.train_every=4", "training.log_every=10"),
            *("training.checkpoint_every=2", "training.keep_checkpoints=2"),
        ],
    )


def main(path: Path, levels: int, steps: int) -> None:
    """Train to the end, if we live."""
    begin, write = loop._loop, checkpoint.write

    def told_loop(config, begun, *rest):
        assert not list(path.rglob(".saving-*")), "what was left before is gone"
        say(f"going on at {begun.host.counters.env_step}")
        return begin(config, begun, *rest)

    def told_write(folder, shot, ledger):
        ledger = write(folder, shot, ledger)
        say(f"saved {shot.host.counters.env_step}")
        return ledger

    loop._loop, checkpoint.write = told_loop, told_write
    result = train(config_of(levels, steps), run_dir=path, progress=False, command="to be killed")
    say(f"ended {digest(result.state)}")


def digest(state) -> str:
    """Return a hash of names, dtypes, shapes and bits of all leaves."""
    total = hashlib.sha256()
    for name, leaf in flatten(state).items():
        key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if key else leaf)
        total.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return total.hexdigest()


def say(text: str) -> None:
    """Tell the process that kills."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
