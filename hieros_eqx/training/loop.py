"""The training loop: act, dispatch the updates that are due, step the environments meanwhile."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

from hieros_eqx import agent
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import VectorEnv
from hieros_eqx.training import checkpoint, episodes, log, metrics, provenance, schedule
from hieros_eqx.training.checkpoint import Agent
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.environment import EnvLike, is_made, open_env, resumed_seed
from hieros_eqx.training.interrupt import stop_requests
from hieros_eqx.training.progress import Progress, make_progress
from hieros_eqx.training.run_dir import RunDir, check, open_run

Callback = Callable[[HierosState, dict[str, Any]], None]
"""Called after every log line with the state and the line's record. The state's arrays are given to the
device at the next step: copy what is to be kept. A `KeyboardInterrupt` raised here saves and ends the run."""


@dataclass(frozen=True)
class TrainResult:
    """What training leaves behind."""

    state: HierosState
    env_step: int
    interrupted: bool
    """Ended by Ctrl-C, SIGTERM or a callback's `KeyboardInterrupt` before the last step."""
    returns: tuple[float, ...]
    """Returns of the episodes finished in this process, in order."""

    @property
    def agent(self) -> Agent:
        """The trained agent, ready for `evaluate`."""
        return Agent(self.state.params, self.state.config, self.state.spaces)


class Counters(NamedTuple):
    """What the host counts itself, so that the device need not be asked. Saved with every checkpoint."""

    env_step: int = 0
    episodes: int = 0
    seconds: float = 0.0  # of training, over all resumptions


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

    `env` is None (what `config.env` names), an id, a factory, a `VectorEnv` or a `gymnasium.Env`; the
    caller's own object is left open. Without `run_dir` nothing is written. Ctrl-C and SIGTERM finish the
    step, save and return. A run that goes on begins new episodes; everything else continues.

    Raises `ConfigError` if `run_dir` holds a run with another configuration, `CheckpointError` if it is
    something else or damaged, `EnvError` if the environment cannot be made or breaks its contract.
    """
    path = Path(run_dir) if run_dir is not None else None
    if path is not None:
        check(path, config)
    enable_compilation_cache()
    with ExitStack() as stack:
        seed = resumed_seed(config.training.seed, _steps_taken(path))
        envs = open_env(config, env, num_envs=config.env.num_envs, seed=seed, training=True)
        if not is_made(env):
            stack.callback(envs.close)
        run = stack.enter_context(open_run(path, config, envs.spaces)) if path is not None else None
        state, counters = _start(config, envs, run, command)
        display = make_progress(config.training.env_steps, counters.env_step, shown=progress)
        stack.callback(display.close)
        if run is not None:
            display.say(f"run directory: {run.path}")
        stop = stack.enter_context(stop_requests())
        return _loop(config, state, counters, envs, run, callbacks, display, stop)


def _steps_taken(path: Path | None) -> int:
    steps = checkpoint.complete_steps(RunDir(path).checkpoints) if path is not None else []
    return steps[-1] if steps else 0


def _start(
    config: HierosConfig, envs: VectorEnv, run: RunDir | None, command: str | None
) -> tuple[HierosState, Counters]:
    """Return the state and counters to begin with: those of the newest checkpoint, or new ones."""
    found = checkpoint.restore(run.checkpoints, config, envs.spaces) if run is not None else None
    if found is None:
        state = agent.init(config, envs.spaces, jax.random.key(config.training.seed))
        counters = Counters()
    else:
        state, counters = checkpoint.fresh_episodes(found[0]), Counters(**found[1])
    if run is not None:
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
    training = config.training
    returns: list[float] = []
    means: metrics.Means = {}
    open_episodes = episodes.open_episodes(envs.num_envs)
    started, logged = time.monotonic() - counters.seconds, (time.monotonic(), counters.env_step)
    compiled, interrupted, saved = 0, False, counters.env_step
    if counters.env_step >= training.env_steps:
        return TrainResult(state, counters.env_step, False, ())
    timestep = envs.reset()
    while counters.env_step < training.env_steps and not interrupted:
        # Dispatch: nothing here waits for the device.
        before, env_step = counters.env_step, counters.env_step + envs.num_envs
        state, action = agent.act(state, timestep)
        for depth in schedule.due_depths(config, before, env_step):
            if depth > compiled:
                display.say(f"compiling the update of {depth} level{'s' if depth > 1 else ''} ...")
                compiled = depth
            state, update_metrics = agent.update(state, depth)
            means = metrics.add(means, update_metrics)

        # The environments work while the device does.
        envs.send(metrics.fetch(action))
        open_episodes, ended = episodes.observe(open_episodes, timestep)
        timestep = envs.recv()

        # Tell.
        counters = Counters(env_step, counters.episodes + len(ended), time.monotonic() - started)
        returns += [episode.episode_return for episode in ended]
        if run is not None:
            first = counters.episodes - len(ended) + 1
            for number, episode in enumerate(ended, start=first):
                log.append(run.episodes, _episode_record(config, env_step, number, episode))
        display.step(env_step)
        interrupted = stop()
        if schedule.crosses(before, env_step, training.log_every) or env_step >= training.env_steps:
            rate = (env_step - logged[1]) / max(time.monotonic() - logged[0], 1e-9)
            record = _record(config, counters, rate) | metrics.mean(means)
            means, logged = {}, (time.monotonic(), env_step)
            if run is not None:
                log.append(run.metrics, record)
            display.note(_highlights(record, returns))
            interrupted |= _call(callbacks, state, record)
        if run is not None and schedule.crosses(before, env_step, training.checkpoint_every):
            _save(run, state, counters, training.keep_checkpoints)
            saved = env_step
    if run is not None and saved < counters.env_step:
        _save(run, state, counters, training.keep_checkpoints)
    unfinished = counters.env_step < training.env_steps
    if unfinished:
        where = f"; saved in {run.path}" if run is not None else ""
        display.say(f"stopped at step {counters.env_step:,} of {training.env_steps:,}{where}")
    return TrainResult(state, counters.env_step, unfinished, tuple(returns))


def _call(callbacks: Sequence[Callback], state: HierosState, record: dict[str, Any]) -> bool:
    """Call all callbacks; return whether one of them, or Ctrl-C meanwhile, asked to stop."""
    try:
        for callback in callbacks:
            callback(state, record)
    except KeyboardInterrupt:
        return True
    return False


def _save(run: RunDir, state: HierosState, counters: Counters, keep: int) -> None:
    checkpoint.save(run.checkpoints, state, counters._asdict(), keep=keep)


def _record(config: HierosConfig, counters: Counters, rate: float) -> dict[str, Any]:
    counts = schedule.train_steps(config, counters.env_step)
    return {
        "seed": config.training.seed,
        "env_step": counters.env_step,
        "train_step": counts[0],
        "seconds": counters.seconds,
        "steps_per_second": rate,
        "episodes": counters.episodes,
        **{f"level{level}/train_step": count for level, count in enumerate(counts)},
    }


def _episode_record(
    config: HierosConfig, env_step: int, number: int, episode: episodes.Episode
) -> dict[str, Any]:
    return {
        "seed": config.training.seed,
        "env_step": env_step,
        "episode": number,
        "env": episode.env,
        "return": episode.episode_return,
        "length": episode.length,
        "truncated": episode.truncated,
    }


def _highlights(record: dict[str, Any], returns: Sequence[float]) -> dict[str, Any]:
    shown = {"updates": record["train_step"], "episodes": record["episodes"]}
    return shown | ({"return": sum(returns[-10:]) / len(returns[-10:])} if returns else {})
