"""How a run begins: anew, from another run's agent, or exactly where its newest whole checkpoint left it."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from hieros_eqx import agent
from hieros_eqx.agent.state import AgentParams, HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import NotRepeatable, RecordedEnv, VectorEnv
from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import checkpoint, content, episodes, manifest, metrics, records
from hieros_eqx.training.agents import are_kept, keep_agents, load_all
from hieros_eqx.training.checkpoint import Ledger
from hieros_eqx.training.content import Host
from hieros_eqx.training.environment import EnvLike, is_made, open_env, resumed_seed
from hieros_eqx.training.manifest import Manifest
from hieros_eqx.training.progress import Progress
from hieros_eqx.training.run_dir import RunDir
from hieros_eqx.types import Timestep

TELL_SECONDS = 5.0


class Found(NamedTuple):
    """The checkpoint to go on from."""

    manifest: Manifest | None
    steps: list[int]
    """Of all checkpoints that were there."""
    problems: list[str]
    """What is wrong with those after it."""

    @property
    def env_step(self) -> int:
        """Environment steps taken."""
        return 0 if self.manifest is None else self.manifest.env_step


class Start(NamedTuple):
    """What the loop begins with."""

    state: HierosState
    host: Host
    envs: RecordedEnv
    timestep: Timestep | None
    """None where the run is finished and no environment was started."""
    ledger: Ledger


def find(path: Path | None) -> Found:
    """Return the newest whole checkpoint of a run directory. `CheckpointError` if none of them is whole."""
    if path is None:
        return Found(None, [], [])
    folder = RunDir(path).checkpoints
    found, problems = checkpoint.newest_whole(folder)
    return Found(found, manifest.steps(folder), problems)


def open_envs(config: HierosConfig, env: EnvLike, found: Found) -> RecordedEnv:
    """Return the environments of all seeds, as the checkpoint's were when they were made."""
    begun = 0 if found.manifest is None else content.begun(found.manifest.content)
    return _made_at(config, env, begun)


def begin(config: HierosConfig, envs: RecordedEnv, mesh: Mesh | None, source: Path | None) -> Start:
    """Return the start of a new run; with the agents of the run at `source`, if that is given.

    Raises `CheckpointError` if those agents do not fit.
    """
    learned = None if source is None else _agents_of(source, len(config.all_seeds))
    if config.training.seeds:
        state = agent.init_seeds(config, envs.spaces, config.training.seeds, mesh)
    else:
        state = agent.init(config, envs.spaces, jax.random.key(config.training.seed))
    if learned is not None:
        try:
            state = agent.with_params(state, learned)
        except ValueError as error:
            raise CheckpointError(f"{source}: its agent does not fit this configuration ({error})") from error
    host = Host(
        counters=records.fresh_counters(config),
        open_episodes=episodes.open_episodes(envs.num_envs),
        recent=dict.fromkeys(config.all_seeds, ()),
        means={},
        begun=0,
    )
    return Start(state, host, envs, envs.reset(), checkpoint.empty_ledger(state))


def resume(
    config: HierosConfig,
    env: EnvLike,
    envs: RecordedEnv,
    run: RunDir,
    found: Found,
    mesh: Mesh | None,
    display: Progress,
) -> tuple[Start, dict[str, Any]]:
    """Return the start of a run that goes on, and how its environments were brought back.

    Environments that do not repeat themselves begin new episodes, with other seeds than before.
    """
    assert found.manifest is not None
    state, host, history, ledger = checkpoint.restore(
        run.checkpoints, found.manifest, config, envs.spaces, mesh
    )
    _check_means(run, state, host)
    counters = host.counters
    if not are_kept(run, config, counters.env_step):  # of a finished run, too: the process may have died
        try:
            keep_agents(run, state.params, counters.env_step)
        except (OSError, ValueError) as error:  # ValueError says Orbax of a full disk
            raise CheckpointError(f"{run.agents}: cannot be written to ({error}).") from error
    if counters.env_step >= config.training.env_steps:
        return Start(state, host, envs, None, ledger), {}
    try:
        timestep, how = envs.repeat(history, _teller(display))
    except NotRepeatable as error:
        display.say(f"{error}. New episodes begin; the rest of the run goes on as it was.")
        if not is_made(env):
            envs.close()
        envs = _made_at(config, env, counters.env_step)
        host = host._replace(open_episodes=episodes.open_episodes(envs.num_envs), begun=counters.env_step)
        ledger = replace(ledger, history=(), steps=0)
        start = Start(checkpoint.fresh_episodes(state), host, envs, envs.reset(), ledger)
        return start, {"environments": "new episodes", "reason": str(error)}
    seconds = round(how.seconds, 3)
    display.say(
        f"going on at step {counters.env_step:,}; environments brought back by {how.how} "
        f"({how.steps:,} steps, {seconds:.1f} s)"
    )
    return (
        Start(state, host, envs, timestep, ledger),
        {"environments": how.how, "steps_repeated": how.steps, "seconds_repeating": seconds},
    )


def _check_means(run: RunDir, state: HierosState, host: Host) -> None:
    """Raise `CheckpointError` if the running means are of other metrics than updates will add to them."""
    levels = state.config.levels
    depth = max((level + 1 for level in range(levels) if f"level{level}" in host.means), default=0)
    given = jax.eval_shape(lambda s: agent.update(s, depth)[1], state) if depth else {}
    for name, group in host.means.items():
        if group.names != tuple(metrics.flatten({name: given.get(name)})):
            raise CheckpointError(
                f"{run.checkpoints / str(host.counters.env_step)}: has running means of other metrics than "
                f"this version has ({name})."
            )


def _made_at(config: HierosConfig, env: EnvLike, begun: int) -> RecordedEnv:
    seeds = [resumed_seed(seed, begun) for seed in config.all_seeds]

    def make() -> VectorEnv:
        num_envs = len(seeds) * config.env.num_envs
        return open_env(config, env, num_envs=num_envs, seed=seeds, training=True)

    return RecordedEnv(make(), again=None if is_made(env) else make)


def _agents_of(source: Path, wanted: int) -> list[AgentParams]:
    """Return the parameters of the agents of a run, one for each of as many seeds."""
    agents = [own.params for own in load_all(source).values()]
    if len(agents) not in (1, wanted):
        raise CheckpointError(f"{source}: wanted the agent of 1 seed or of {wanted}, got {len(agents)}.")
    return agents * (wanted // len(agents))


def _teller(display: Progress) -> Callable[[int, int], None]:
    """Return what tells of a long repetition every few seconds."""
    told = [time.monotonic()]

    def tell(done: int, total: int) -> None:
        if time.monotonic() - told[0] > TELL_SECONDS:
            told[0] = time.monotonic()
            display.say(f"bringing environments back: step {done:,} of {total:,}")

    return tell
