"""The training loop: act, dispatch the updates that are due, step the environments meanwhile."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from hieros_eqx import agent
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import VectorEnv
from hieros_eqx.training import checkpoint, episodes, log, metrics, provenance, records, schedule
from hieros_eqx.training.agents import Agent, agents_of, are_kept, keep_agents
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.environment import (
    EnvLike,
    is_made,
    lead_with_env,
    lead_with_seed,
    open_env,
    resumed_seed,
)
from hieros_eqx.training.interrupt import stop_requests
from hieros_eqx.training.memory import check_memory
from hieros_eqx.training.progress import Progress, make_progress
from hieros_eqx.training.records import Counters
from hieros_eqx.training.run_dir import RunDir, check, open_run

Callback = Callable[[HierosState, dict[str, Any]], None]
"""Called after every log line with the state and the line's record; of seeds side by side there is one state
and a line for each. The state's arrays are given to the device at the next step: copy what is to be kept. A
`KeyboardInterrupt` raised here saves and ends the run."""


@dataclass(frozen=True)
class TrainResult:
    """What training leaves behind."""

    state: HierosState
    env_step: int
    """Environment steps of each seed."""
    interrupted: bool
    """Ended by Ctrl-C, SIGTERM or a callback's `KeyboardInterrupt` before the last step."""
    returns_by_seed: dict[int, tuple[float, ...]]
    """Returns of the episodes finished in this process, in order."""

    @property
    def returns(self) -> tuple[float, ...]:
        """Returns of the episodes finished in this process: seed after seed, in order."""
        return tuple(value for own in self.returns_by_seed.values() for value in own)

    @property
    def agents(self) -> dict[int, Agent]:
        """The trained agents by their seeds, ready for `evaluate`."""
        return agents_of(self.state)

    @property
    def agent(self) -> Agent:
        """The trained agent of a run of one seed, ready for `evaluate`; `ValueError` if it has more."""
        agents = self.agents
        if len(agents) > 1:
            raise ValueError(f"wanted a run of one seed, got {', '.join(map(str, agents))}. Take `agents`.")
        return next(iter(agents.values()))


def train(
    config: HierosConfig,
    env: EnvLike = None,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    progress: bool = True,
    command: str | None = None,
) -> TrainResult:
    """Train an agent for `config.training.env_steps`, or continue the run that `run_dir` holds.

    With `config.training.seeds` one agent for each of them, side by side in one program; the environments
    of all are one pool, seed after seed, and every seed trains as it would alone.

    `env` is None (what `config.env` names), an id, a factory, a `VectorEnv` or a `gymnasium.Env`; the
    caller's own object is left open. Without `run_dir` nothing is written. Ctrl-C and SIGTERM finish the
    step, save and return. A run that goes on begins new episodes; everything else continues.

    Raises `ConfigError` if `run_dir` holds a run with another configuration or the state does not fit into
    memory, `CheckpointError` if the directory is something else or damaged, `EnvError` if the environment
    cannot be made or breaks its contract.
    """
    path = Path(run_dir) if run_dir is not None else None
    if path is not None:
        check(path, config)
    enable_compilation_cache()
    with ExitStack() as stack:
        taken = _steps_taken(path)
        envs = _open_envs(config, env, taken)
        if not is_made(env):
            stack.callback(envs.close)
        mesh = agent.seed_mesh(len(config.training.seeds)) if config.training.seeds else None
        devices = jax.local_devices()[:1] if mesh is None else list(mesh.devices.flat)
        memory = check_memory(config, envs.spaces, devices)
        run = stack.enter_context(open_run(path, config, envs.spaces)) if path is not None else None
        display = make_progress(config.training.env_steps, taken, shown=progress)
        stack.callback(display.close)
        if run is not None:
            display.say(f"run directory: {run.path}")
        display.say(memory)
        state, counters = _start(config, envs, run, command, mesh)
        stop = stack.enter_context(stop_requests())
        return _loop(config, state, counters, envs, run, callbacks, display, stop)


def _steps_taken(path: Path | None) -> int:
    steps = checkpoint.complete_steps(RunDir(path).checkpoints) if path is not None else []
    return steps[-1] if steps else 0


def _open_envs(config: HierosConfig, env: EnvLike, taken: int) -> VectorEnv:
    """Return the environments of all seeds, which each seed would get alone as well."""
    seeds = [resumed_seed(seed, taken) for seed in config.all_seeds]
    return open_env(config, env, num_envs=len(seeds) * config.env.num_envs, seed=seeds, training=True)


def _start(
    config: HierosConfig, envs: VectorEnv, run: RunDir | None, command: str | None, mesh: Mesh | None
) -> tuple[HierosState, Counters]:
    """Return the state and counters to begin with: those of the newest checkpoint, or new ones."""
    found = checkpoint.restore(run.checkpoints, config, envs.spaces, mesh) if run is not None else None
    if found is not None:
        state, counters = checkpoint.fresh_episodes(found[0]), records.saved_counters(found[1])
    else:
        counters = records.fresh_counters(config)
        if config.training.seeds:
            state = agent.init_seeds(config, envs.spaces, config.training.seeds, mesh)
        else:
            state = agent.init(config, envs.spaces, jax.random.key(config.training.seed))
    if run is not None:
        if found is not None and not are_kept(run, config, counters.env_step):
            keep_agents(run, state, counters.env_step)
        log.rewind(run.metrics, counters.env_step)
        log.rewind(run.episodes, counters.env_step)
        provenance.record_start(run.run, command, counters.env_step)
    return state, counters


def _loop(
    config: HierosConfig,
    state: HierosState,
    counters: Counters,
    envs: VectorEnv,
    run: RunDir | None,
    callbacks: Sequence[Callback],
    display: Progress,
    stop: Callable[[], bool],
) -> TrainResult:
    training, seeds = config.training, agent.num_seeds(state)
    returns: dict[int, list[float]] = {seed: [] for seed in config.all_seeds}
    means: metrics.Means = {}
    open_episodes = episodes.open_episodes(envs.num_envs)
    started, logged = time.monotonic() - counters.seconds, (time.monotonic(), counters.env_step)
    compiled, interrupted, saved = 0, False, counters.env_step
    if counters.env_step >= training.env_steps:
        return _result(state, counters, False, returns)
    timestep = envs.reset()
    while counters.env_step < training.env_steps and not interrupted:
        # Dispatch: nothing here waits for the device.
        before, env_step = counters.env_step, counters.env_step + config.env.num_envs
        state, action = agent.act(state, lead_with_seed(timestep, seeds))
        for depth in schedule.due_depths(config, before, env_step):
            if depth > compiled:
                display.say(f"compiling the update of {depth} level{'s' if depth > 1 else ''} ...")
                compiled = depth
            state, update_metrics = agent.update(state, depth)
            means = metrics.add(means, update_metrics)

        # The environments work while the device does.
        envs.send(lead_with_env(metrics.fetch(action), seeds))
        open_episodes, ended = episodes.observe(open_episodes, timestep)
        timestep = envs.recv()

        # Tell.
        lines = records.episode_records(config, env_step, counters.episodes, ended)
        counters = records.advance(config, counters, env_step, lines, time.monotonic() - started)
        for line in lines:
            returns[line["seed"]].append(line["return"])
            if run is not None:
                log.append(run.episodes, line)
        display.step(env_step)
        interrupted = stop()
        if schedule.crosses(before, env_step, training.log_every) or env_step >= training.env_steps:
            rate = (env_step - logged[1]) / max(time.monotonic() - logged[0], 1e-9)
            lines = records.metrics_records(config, counters, rate, metrics.mean(means, seeds or 1))
            means, logged = {}, (time.monotonic(), env_step)
            if run is not None:
                for line in lines:
                    log.append(run.metrics, line)
            display.note(records.highlights(lines, returns))
            interrupted |= _call(callbacks, state, lines)
        if run is not None and schedule.crosses(before, env_step, training.checkpoint_every):
            _save(run, state, counters)
            saved = env_step
    if run is not None and saved < counters.env_step:
        _save(run, state, counters)
    unfinished = counters.env_step < training.env_steps
    if unfinished:
        where = f"; saved in {run.path}" if run is not None else ""
        display.say(f"stopped at step {counters.env_step:,} of {training.env_steps:,}{where}")
    return _result(state, counters, unfinished, returns)


def _call(callbacks: Sequence[Callback], state: HierosState, lines: Sequence[dict[str, Any]]) -> bool:
    """Call all callbacks; return whether one of them, or Ctrl-C meanwhile, asked to stop."""
    try:
        for line in lines:
            for callback in callbacks:
                callback(state, line)
    except KeyboardInterrupt:
        return True
    return False


def _save(run: RunDir, state: HierosState, counters: Counters) -> None:
    keep = state.config.training.keep_checkpoints
    checkpoint.save(run.checkpoints, state, counters._asdict(), keep=keep)
    keep_agents(run, state, counters.env_step)


def _result(
    state: HierosState, counters: Counters, interrupted: bool, returns: records.Returns
) -> TrainResult:
    return TrainResult(
        state, counters.env_step, interrupted, {seed: tuple(own) for seed, own in returns.items()}
    )
