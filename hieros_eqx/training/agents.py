"""Trained agents: one seed's parameters with what they were built for, loaded from a run or kept beside it.

A run keeps the newest agent of every seed in `agents/seed_N`, small and on its own: configuration of that
seed alone, spaces, parameters. `load` reads it like a run directory.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import jax

from hieros_eqx.agent import select_seed
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint
from hieros_eqx.training import run_dir as run_dirs
from hieros_eqx.types import Spaces


@dataclass(frozen=True)
class Agent:
    """A trained agent, ready to play: parameters and what they were built for."""

    params: AgentParams
    config: HierosConfig
    spaces: Spaces


def load(run_dir: str | Path, env_step: int | None = None, seed: int | None = None) -> Agent:
    """Return the agent of a run directory, from its newest checkpoint or the one at `env_step`.

    Of a run of several seeds `seed` says which. Reads the parameters alone, not the replay. Raises
    `CheckpointError` if there is no such checkpoint or seed.
    """
    path = Path(run_dir)
    seeds = run_dirs.read_config(path).all_seeds
    if seed is None and len(seeds) == 1:
        seed = seeds[0]
    if seed is None or seed not in seeds:
        named = ", ".join(str(number) for number in seeds)
        got = "none" if seed is None else seed
        raise CheckpointError(f"{path}: wanted `seed` to be one of {named}, got {got}.")
    return _agent(_load_params(path, env_step), seed)


def load_all(run_dir: str | Path, env_step: int | None = None) -> dict[int, Agent]:
    """Return the agents of all seeds of a run directory by their seeds; otherwise like `load`."""
    params = _load_params(Path(run_dir), env_step)
    return {seed: _agent(params, seed) for seed in params.config.all_seeds}


def agents_of(state: HierosState) -> dict[int, Agent]:
    """Return the agents in a state by their seeds; where there are several, as copies."""
    return {seed: _agent(state.params, seed) for seed in state.config.all_seeds}


def keep_agents(run: run_dirs.RunDir, state: HierosState, env_step: int) -> None:
    """Write the agent of every seed to `agents/seed_N`, in place of the one before."""
    for seed in state.config.all_seeds:
        agent, own = _agent(state.params, seed), _own_dir(run, seed)
        run_dirs.write_description(own.path, agent.config, agent.spaces)
        checkpoint.save_params(own.checkpoints, agent.params, env_step)


def are_kept(run: run_dirs.RunDir, config: HierosConfig, env_step: int) -> bool:
    """Whether the agents of all seeds were written at `env_step`, and not before or after."""
    kept = (_steps(_own_dir(run, seed)) for seed in config.all_seeds)
    return all(steps == [env_step] for steps in kept)


def _own_dir(run: run_dirs.RunDir, seed: int) -> run_dirs.RunDir:
    return run_dirs.RunDir(run.agents / f"seed_{seed}")


def _steps(run: run_dirs.RunDir) -> list[int]:
    return checkpoint.complete_steps(run.checkpoints, (checkpoint.AGENT,))


def _load_params(path: Path, env_step: int | None) -> AgentParams:
    """Return the parameters of a run, on the host."""
    config, spaces = run_dirs.read_config(path), run_dirs.read_spaces(path)
    run = run_dirs.RunDir(path)
    steps = _steps(run)
    if not steps or (env_step is not None and env_step not in steps):
        held = f"those at {steps}" if steps else "none"
        wanted = "a checkpoint" if env_step is None else f"a checkpoint at step {env_step}"
        raise CheckpointError(f"{path}: wanted {wanted}, got {held}; train on to make one.")
    chosen = steps[-1] if env_step is None else env_step
    return checkpoint.restore_params(run.checkpoints, chosen, config, spaces)


def _agent(params: AgentParams, seed: int) -> Agent:
    """Return the agent of one of the seeds that some parameters hold, which knows of no other."""
    config = params.config
    if config.training.seeds:
        own = select_seed(params, config.all_seeds.index(seed))
        params = replace(own, config=config.for_seed(seed))
    return Agent(jax.device_put(params), params.config, params.spaces)
