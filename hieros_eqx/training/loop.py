"""The training loop: act, dispatch the updates that are due, tell and save while the environments step."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import jax

from hieros_eqx import agent
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import CheckpointError, ConfigError
from hieros_eqx.training import episodes, log, manifest, metrics, provenance, records, schedule, start
from hieros_eqx.training.agents import Agent, agents_of
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.environment import EnvLike, is_made, lead_with_env, lead_with_seed
from hieros_eqx.training.interrupt import stop_requests
from hieros_eqx.training.memory import check_memory
from hieros_eqx.training.progress import Progress, make_progress
from hieros_eqx.training.run_dir import RunDir, check, open_run
from hieros_eqx.training.saver import Saver
from hieros_eqx.training.sinks import Pictures, Sink, Sinks, check_sinks
from hieros_eqx.training.start import Start
from hieros_eqx.training.telling import Callback, Teller


@dataclass(frozen=True)
class TrainResult:
    """What training leaves behind."""

    state: HierosState
    env_step: int
    """Environment steps of each seed."""
    interrupted: bool
    """Ended by Ctrl-C, SIGTERM or a callback's `KeyboardInterrupt` before the last step."""
    signal: int | None
    """The signal that asked for it; SIGINT for a `KeyboardInterrupt`."""
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
    from_checkpoint: str | Path | None = None,
    progress: bool = True,
    command: str | None = None,
    sinks: Sequence[Sink] = (),
    pictures: Pictures | None = None,
) -> TrainResult:
    """Train an agent for `config.training.env_steps`, or continue the run that `run_dir` holds.

    With `config.training.seeds` one agent for each of them, side by side in one program; the environments
    of all are one pool, seed after seed, and every seed trains as it would alone.

    `env` is None (what `config.env` names), an id, a factory, a `VectorEnv` or a `gymnasium.Env`; the
    caller's own object is left open. Without `run_dir` nothing is written. A new run begins with the agents
    of the run directory `from_checkpoint`, if that is given. Ctrl-C and SIGTERM finish the step, save and
    return. A run that goes on does so exactly: its environments are brought back by what was sent to them
    (if they do not repeat themselves, new episodes begin).

    Each of `sinks` (`TensorBoard()`, say) is told of the same as the files, and of what `pictures` draws at
    checkpoints. Neither can stop a run: what fails is told of and left out.

    Raises `ConfigError` if `run_dir` holds a run with another configuration, the state does not fit into
    memory or one of `sinks` is none, `CheckpointError` if the directory is something else, no checkpoint in
    it is whole, or the last save failed, `EnvError` if the environment cannot be made or breaks its contract,
    `TrainingError` if too many updates in a row were not finite. Whatever an environment raises, the run is
    saved before it leaves.
    """
    if not isinstance(config, HierosConfig):
        raise ConfigError(f"wanted a HierosConfig, got {config!r}: `make_preset` makes one.")
    check_sinks(sinks, pictures)
    path = Path(run_dir) if run_dir is not None else None
    if path is not None:
        check(path, config)
    enable_compilation_cache()
    with ExitStack() as stack:
        found = start.find(path)
        envs = start.open_envs(config, env, found)
        opened = [envs]
        if not is_made(env):
            stack.callback(lambda: opened[-1].close())
        mesh = agent.seed_mesh(len(config.training.seeds)) if config.training.seeds else None
        devices = jax.local_devices()[:1] if mesh is None else list(mesh.devices.flat)
        memory = check_memory(config, envs.spaces, devices)
        run = stack.enter_context(open_run(path, config, envs.spaces)) if path is not None else None
        display = make_progress(config.training.env_steps, found.env_step, shown=progress)
        stack.callback(display.close)
        others = Sinks(sinks, pictures, display.say)
        if run is not None:
            display.say(f"run directory: {run.path}")
        display.say(memory)
        if run is None or found.manifest is None:
            source = None if from_checkpoint is None else Path(from_checkpoint)
            begin = start.begin(config, envs, mesh, source)
            told = {} if source is None else {"from_checkpoint": str(source)}
        else:
            _tidy(run, found, display)
            begin, told = start.resume(config, env, envs, run, found, mesh, display)
            opened.append(begin.envs)
        saver = None
        if run is not None:
            log.rewind(run.metrics, found.env_step)
            log.rewind(run.episodes, found.env_step)
            provenance.record_start(run.run, command, found.env_step, told)
            saver = stack.enter_context(Saver(run, config.training, begin.ledger, display.say))
        if begin.timestep is not None:  # a finished run is left as it is
            stack.callback(others.close)
            others.open(path, config, found.env_step)
        teller = Teller(config, run, others, callbacks, display)
        asked = stack.enter_context(stop_requests())
        result = _loop(config, begin, saver, teller, asked)
        if result.interrupted:
            where = f"; saved in {run.path}" if run is not None else ""
            display.say(f"stopped at step {result.env_step:,} of {config.training.env_steps:,}{where}")
        if saver is not None:
            saver.finish()
        return result


def _tidy(run: RunDir, found: start.Found, display: Progress) -> None:
    """Make room for the run to go on: nothing of a checkpoint is deleted, damaged or not."""
    if manifest.steps(run.checkpoints) != found.steps:
        raise CheckpointError(f"{run.path}: another process has trained there meanwhile. Start again.")
    manifest.sweep(run.checkpoints)
    for problem in found.problems:
        display.say(f"damaged: {problem}")
    for env_step in found.steps:
        if env_step > found.env_step:
            aside = manifest.set_aside(run.checkpoints, env_step)
            display.say(f"going on from step {found.env_step:,}; the damaged checkpoint is now {aside}")


def _loop(
    config: HierosConfig, begin: Start, saver: Saver | None, teller: Teller, asked: Callable[[], int | None]
) -> TrainResult:
    training, num_envs = config.training, config.env.num_envs
    state, host, envs, timestep, _ = begin
    seeds = agent.num_seeds(state)
    started, logged = time.monotonic() - host.counters.seconds, (time.monotonic(), host.counters.env_step)
    compiled, stop = 0, None
    while host.counters.env_step < training.env_steps and stop is None:
        assert timestep is not None
        # Dispatch: nothing here waits for the device.
        before, env_step = host.counters.env_step, host.counters.env_step + num_envs
        state, action = agent.act(state, lead_with_seed(timestep, seeds))
        means = host.means
        for depth in schedule.due_depths(config, before, env_step):
            if depth > compiled:
                teller.say(f"compiling the update of {depth} level{'s' if depth > 1 else ''} ...")
                compiled = depth
            state, update_metrics = agent.update(state, depth)
            means = metrics.add(means, update_metrics)
        open_episodes, ended = episodes.observe(host.open_episodes, timestep)
        lines = records.episode_records(config, env_step, host.counters.episodes, ended)
        host = host._replace(
            counters=records.advance(config, host.counters, env_step, lines, time.monotonic() - started),
            open_episodes=open_episodes,
            recent=records.latest(host.recent, lines),
            means=means,
        )
        try:
            try:
                # The environments work while the device does, and while all is told.
                envs.send(lead_with_env(metrics.fetch(action), seeds))
            finally:  # what has happened is told, whatever the environments raise
                teller.episodes(lines)
                teller.step(env_step)
                if schedule.crosses(before, env_step, training.log_every) or env_step >= training.env_steps:
                    now = time.monotonic()
                    rate = (env_step - logged[1]) / max(now - logged[0], 1e-9)
                    host, logged = host._replace(means={}), (now, env_step)
                    stop = teller.metrics(state, host, means, rate)
            timestep = envs.recv()
        except Exception as error:
            if saver is not None:
                saver.save(state, host, envs)
                saver.wait()
                error.add_note(f"The run is saved at step {saver.step}; the same command continues it.")
            raise
        stop = stop or asked()
        if saver is not None and saver.is_due(before, env_step):
            saver.save(state, host, envs)
            teller.checkpoint(state, env_step)
    if saver is not None and timestep is not None:
        saver.save(state, host, envs)
        if stop is None:  # one who wants to stop need not wait for pictures
            teller.checkpoint(state, host.counters.env_step)
    unfinished = host.counters.env_step < training.env_steps
    return TrainResult(
        state,
        host.counters.env_step,
        unfinished,
        stop if unfinished else None,
        {seed: tuple(own) for seed, own in teller.returns.items()},
    )
