"""Trained agents: one seed's parameters with what they were built for, loaded from a run or kept beside it.

A run keeps the newest agent of every seed in `agents/seed_N`, small and on its own: configuration of that
seed alone, spaces, parameters. `load` reads it like a run directory.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax

from hieros_eqx.agent import select_seed
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint, manifest
from hieros_eqx.training import run_dir as run_dirs
from hieros_eqx.types import Spaces


@dataclass(frozen=True)
class Agent:
    """A trained agent, ready to play: parameters and what they were built for."""

    params: AgentParams
    config: HierosConfig
    spaces: Spaces
    env_step: int | None = None
    """Environment steps that it was trained for, where it comes from a checkpoint."""


def load(
    run_dir: str | Path, env_step: int | Literal["best"] | None = None, seed: int | None = None
) -> Agent:
    """Return the agent of a run directory, from its newest checkpoint, the best, or the one at `env_step`.

    Of a run of several seeds `seed` says which. Reads the parameters alone, not the replay. Where the newest
    is damaged, warns and takes the one before. Raises `CheckpointError` if there is no such checkpoint or
    seed, or the one that was named is damaged.
    """
    path = Path(run_dir)
    seeds = run_dirs.read_config(path).all_seeds
    if seed is None and len(seeds) == 1:
        seed = seeds[0]
    if seed is None or seed not in seeds:
        named = ", ".join(str(number) for number in seeds)
        got = "none" if seed is None else seed
        raise CheckpointError(f"{path}: wanted `seed` to be one of {named}, got {got}.")
    params, step = _load_params(path, env_step)
    return _agent(params, seed, step)


def load_all(run_dir: str | Path, env_step: int | Literal["best"] | None = None) -> dict[int, Agent]:
    """Return the agents of all seeds of a run directory by their seeds; otherwise like `load`."""
    params, step = _load_params(Path(run_dir), env_step)
    return {seed: _agent(params, seed, step) for seed in params.config.all_seeds}


def agents_of(state: HierosState) -> dict[int, Agent]:
    """Return the agents in a state by their seeds; where there are several, as copies."""
    return {seed: _agent(state.params, seed) for seed in state.config.all_seeds}


def keep_agents(run: run_dirs.RunDir, params: AgentParams, env_step: int) -> None:
    """Write the agent of every seed to `agents/seed_N`, in place of the one before."""
    for seed in params.config.all_seeds:
        own, directory = _params_of(params, seed), _own_dir(run, seed)
        run_dirs.write_description(directory.path, own.config, own.spaces)
        checkpoint.write_params(directory.checkpoints, own, env_step)


def are_kept(run: run_dirs.RunDir, config: HierosConfig, env_step: int) -> bool:
    """Whether the agents of all seeds were written at `env_step`, and not before or after."""
    kept = (manifest.steps(_own_dir(run, seed).checkpoints) for seed in config.all_seeds)
    return all(steps == [env_step] for steps in kept)


def _own_dir(run: run_dirs.RunDir, seed: int) -> run_dirs.RunDir:
    return run_dirs.RunDir(run.agents / f"seed_{seed}")


def _load_params(path: Path, env_step: int | Literal["best"] | None) -> tuple[AgentParams, int]:
    """Return the parameters of a run, on the host, and the step of their checkpoint."""
    config, spaces = run_dirs.read_config(path), run_dirs.read_spaces(path)
    folder = run_dirs.RunDir(path).checkpoints
    steps = manifest.steps(folder)
    if env_step is None:
        found, problems = checkpoint.newest_whole(folder, checkpoint.AGENT)
        for problem in problems:
            warnings.warn(f"{problem} Took the checkpoint before it.", stacklevel=3)
    else:
        wanted = checkpoint.best_step(folder) if env_step == "best" else env_step
        found = None
        if wanted in steps:
            found = manifest.read(folder / str(wanted))
            manifest.verify(folder / str(wanted), found, checkpoint.AGENT)
    if found is None:
        held = f"those at {steps}" if steps else "none"
        kind = {None: "a checkpoint", "best": "a best checkpoint"}.get(
            env_step, f"a checkpoint at step {env_step}"
        )
        raise CheckpointError(f"{path}: wanted {kind}, got {held}; train on to make one.")
    return checkpoint.restore_params(folder, found.env_step, config, spaces), found.env_step


def _agent(params: AgentParams, seed: int, env_step: int | None = None) -> Agent:
    own = _params_of(params, seed)
    return Agent(jax.device_put(own), own.config, own.spaces, env_step)


def _params_of(params: AgentParams, seed: int) -> AgentParams:
    """Return the parameters of one of the seeds that some hold; they know of no other."""
    config = params.config
    if not config.training.seeds:
        return params
    own = select_seed(params, config.all_seeds.index(seed))
    return replace(own, config=config.for_seed(seed))
