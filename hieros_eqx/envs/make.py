"""From a name to environments: the one door through which the rest of the project makes them."""

import difflib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hieros_eqx.envs.ale import make_ale_atari
from hieros_eqx.envs.envpool import envpool_ids, make_envpool, make_envpool_atari
from hieros_eqx.envs.gymnasium import find_factory, gymnasium_ids, make_from_factory, make_gymnasium
from hieros_eqx.envs.names import canonical_game, find_game
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.envs.seeding import env_seeds
from hieros_eqx.errors import EnvError

BACKENDS = ("auto", "envpool", "ale", "gymnasium")
MOST_THREADS = 1024  # a process that cannot start them all is ended by envpool without an error


def make_env(
    *,
    game: str | None = None,
    env_id: str | Callable[..., Any] | None = None,
    backend: str = "auto",
    num_envs: int = 1,
    seed: int | Sequence[int] = 0,
    training: bool = True,
    keys: Sequence[str] = (),
    threads: int | None = None,
    frame_skip: int = 4,
    noop_max: int = 30,
    repeat_action_probability: float = 0.0,
    max_episode_frames: int = 108_000,
    options: Mapping[str, Any] | None = None,
) -> VectorEnv:
    """`num_envs` environments of one kind.

    - `game`: an Atari game in any usual spelling, under the Atari100k protocol; `frame_skip`, `noop_max`,
      `repeat_action_probability` and `max_episode_frames` are for these alone. `auto` takes envpool where
      it is installed, else ale-py.
    - `env_id`: an id of Atari, envpool or Gymnasium (`auto` looks in this order), or `module:factory`, or
      the factory itself (see `make_from_factory`). `keys` choose the entries of a dictionary of
      observations; `options` go to the environment's maker.
    - `seed`: one agent's, or one per agent (then `num_envs` counts the environments of all); see `env_seeds`.
      Evaluation (`training=False`) gets other seeds.

    Raises `EnvError` if there is no such environment, or if its package is missing.
    """
    if (game is None) == (env_id is None):
        raise EnvError(f"wanted either `game` or `env_id`, got game={game!r} and env_id={env_id!r}")
    if backend not in BACKENDS:
        raise EnvError(f"wanted a backend among {', '.join(BACKENDS)}, got {backend!r}")
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise EnvError(f"wanted at least 1 thread and at most {MOST_THREADS}, got {threads}")
    seeds = env_seeds(seed, num_envs, training=training)
    if env_id is not None and (not isinstance(env_id, str) or ":" in env_id):
        factory = find_factory(env_id) if isinstance(env_id, str) else env_id
        agents = 1 if isinstance(seed, int) else len(seed)
        return make_from_factory(factory, seeds=seeds, agents=agents, keys=keys, options=options)
    atari = canonical_game(game) if game is not None else find_game(env_id or "")
    if atari is not None and backend != "gymnasium":
        if keys:
            raise EnvError(f"wanted no keys for an Atari game, got {tuple(keys)}: leave keys out")
        if backend == "auto":
            backend = "envpool" if installed("envpool") else "ale"
        make_atari = make_envpool_atari if backend == "envpool" else make_ale_atari
        return make_atari(
            atari,
            seeds=seeds,
            threads=threads,
            frame_skip=frame_skip,
            noop_max=noop_max,
            repeat_action_probability=repeat_action_probability,
            max_episode_frames=max_episode_frames,
        )
    if game is not None:
        raise EnvError(
            "wanted backend envpool or ale for an Atari game, got gymnasium: it has another protocol"
        )
    assert env_id is not None
    if backend == "ale":
        raise EnvError(f"wanted an Atari game for backend ale, got {env_id!r}")
    if backend == "auto":
        backend = _backend_of(env_id)
    if backend == "envpool":
        return make_envpool(env_id, seeds=seeds, keys=keys, threads=threads, options=options)
    return make_gymnasium(env_id, seeds=seeds, keys=keys, options=options)


def installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def _backend_of(env_id: str) -> str:
    """The first of envpool and Gymnasium that knows the id; `EnvError` with the nearest ids if none does."""
    pooled = envpool_ids() if installed("envpool") else []
    if env_id in pooled:
        return "envpool"
    other = gymnasium_ids() if installed("gymnasium") else []
    if env_id in other:
        return "gymnasium"
    near = difflib.get_close_matches(env_id, {*pooled, *other}, n=3)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else "an id of envpool or Gymnasium, or `module:factory`"
    )
    raise EnvError(f"wanted an environment that is known, got {env_id!r}: {hint}")
