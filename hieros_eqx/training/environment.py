"""The environments of a run or an evaluation: those of the configuration, or the caller's own."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from hieros_eqx.config import HierosConfig
from hieros_eqx.envs import VectorEnv, env_seeds, make_env, make_from_factory
from hieros_eqx.errors import ConfigError
from hieros_eqx.types import Array, Timestep

EnvLike = Any
"""None (as configured), an id, a factory, a `VectorEnv`, or a `gymnasium.Env`, which may not be installed."""


def is_made(env: EnvLike) -> bool:
    """Whether `env` is an environment, the caller's to close, and no name or factory (such as a class)."""
    return hasattr(env, "step") and not isinstance(env, type)


def open_env(
    config: HierosConfig, env: Any, *, num_envs: int, seed: int | Sequence[int], training: bool
) -> VectorEnv:
    """Return `num_envs` environments as one checked `VectorEnv`; of several seeds, seed after seed.

    `env` is None (what `config.env` names), an id or `module:factory`, a factory, a `VectorEnv`, or, for one
    environment, a `gymnasium.Env`. Raises `EnvError` if it cannot be made, `ConfigError` if nothing is named.
    """
    if is_made(env):
        seeds = env_seeds(seed, num_envs, training=training)
        return make_from_factory(lambda: env, seeds=seeds, keys=config.env.keys)
    spec = config.env
    if env is None and spec.game is None and spec.id is None:
        raise ConfigError("env.game and env.id are both null: name one of them, or pass an environment.")
    return make_env(
        game=spec.game if env is None else None,
        env_id=spec.id if env is None else env,
        backend=spec.backend,
        num_envs=num_envs,
        seed=seed,
        training=training,
        keys=spec.keys,
        threads=spec.threads,
        max_episode_frames=spec.max_episode_frames,
    )


def resumed_seed(seed: int, env_step: int) -> int:
    """Return the environments' seed for a run that goes on at `env_step`; at 0 `seed` itself.

    Environments cannot be saved. With the seed of the start they would play the same first episodes again.
    """
    if env_step == 0:
        return seed
    return int(np.random.SeedSequence((seed, env_step)).generate_state(1)[0]) >> 1


def lead_with_seed(timestep: Timestep, seeds: int | None) -> Timestep:
    """Return what a pool of environments gave as views that lead with `seed`, then `env`; None: as it is."""
    if seeds is None:
        return timestep
    return jax.tree.map(lambda x: x.reshape(seeds, -1, *x.shape[1:]), timestep)


def lead_with_env(action: Array, seeds: int | None) -> Array:
    """Return actions that lead with `seed`, then `env`, as one pool of environments takes them."""
    return action if seeds is None else action.reshape(-1, *action.shape[2:])
