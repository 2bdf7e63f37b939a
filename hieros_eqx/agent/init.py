"""Building a fresh agent."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Int

from hieros_eqx.agent.act import init_carry
from hieros_eqx.agent.levels import stack
from hieros_eqx.agent.optimizers import (
    actor_critic_optimizer,
    autoencoder_optimizer,
    init_optimizer,
    world_model_optimizer,
)
from hieros_eqx.agent.state import ActCarry, AgentParams, HierosState, Learner, LevelLearner, LevelParams
from hieros_eqx.backend import random
from hieros_eqx.config import HierosConfig, SubgoalConfig
from hieros_eqx.modules import (
    WORLD_MODELS,
    Critic,
    SubgoalAutoencoder,
    TwoHotBins,
    WindowSpec,
    make_actor,
    policy_input_size,
)
from hieros_eqx.replay import init_replay
from hieros_eqx.types import REWARD_KINDS, ActionSpace, Array, ObservationSpace, Spaces


def init(config: HierosConfig, spaces: Spaces, key: Any) -> HierosState:
    """Return a fresh state: untrained levels, empty replay, carries before the first step.

    `key` is a typed JAX key (`jax.random.key`); it is consumed.
    """
    params, learner, carry, key = init_keyed(config, spaces, key)
    env_step, train_step = init_counters(config)
    return HierosState(
        params=params,
        learner=learner,
        carry=carry,
        replay=init_replay(config, spaces),
        key=key,
        env_step=env_step,
        train_step=train_step,
    )


def init_keyed(config: HierosConfig, spaces: Spaces, key: Any) -> tuple[AgentParams, Learner, ActCarry, Any]:
    """Return what the key decides of a fresh state: parameters, learners, carry and the key to go on with."""
    key, params_key = jax.random.split(key)
    params, learner = _init_learned(config, spaces, params_key)
    return params, learner, init_carry(params, config.env.num_envs), key


def init_counters(config: HierosConfig) -> tuple[Int[Array, ""], Int[Array, " level"]]:
    """Return a fresh `env_step` and `train_step`."""
    return jnp.zeros((), jnp.int32), jnp.zeros((config.levels,), jnp.int32)


@partial(jax.jit, static_argnums=(0, 1))  # one program compiles much faster than hundreds of small ones
def _init_learned(config, spaces, key):
    params = init_params(config, spaces, key)
    return params, init_learner(params)


def init_params(config: HierosConfig, spaces: Spaces, key: Any) -> AgentParams:
    """Return untrained parameters of all levels."""
    return random.drawn_together(partial(_make_params, config, spaces), key)


def _make_params(config: HierosConfig, spaces: Spaces, key: Any) -> AgentParams:
    worker_key, *upper_keys = random.split(key, config.levels)
    world_model = config.world_model
    window = WindowSpec(
        window=config.window, stoch=world_model.stoch, classes=world_model.classes, deter=world_model.deter
    )
    return AgentParams(
        worker=_make_level(config, spaces.observation, spaces.action, worker_key),
        upper=tuple(_make_level(config, window, config.subgoal, k) for k in upper_keys),
        config=config,
        spaces=spaces,
    )


def _make_level(
    config: HierosConfig,
    observation: ObservationSpace | WindowSpec,
    action: ActionSpace | SubgoalConfig,
    key: Any,
) -> LevelParams:
    """Return one level that sees `observation` and acts in an environment or in codes for the level below."""
    world_model, behaviour, subgoal = config.world_model, config.behaviour, config.subgoal
    world_model_key, actor_key, critics_key, autoencoder_key = random.split(key, 4)
    inputs = policy_input_size(world_model, subgoal, behaviour)
    actor = make_actor(inputs, action, behaviour, key=actor_key)
    bins = TwoHotBins(num=world_model.bins, space=world_model.bin_space)
    critics = [
        Critic(inputs, behaviour.hidden, behaviour.layers, bins, key=k)
        for k in random.split(critics_key, len(REWARD_KINDS))
    ]
    return LevelParams(
        world_model=WORLD_MODELS[world_model.kind](
            world_model, observation, actor.action_size, key=world_model_key
        ),
        actor=actor,
        critics=stack(critics),
        autoencoder=SubgoalAutoencoder(world_model.deter, subgoal, key=autoencoder_key),
    )


def init_learner(params: AgentParams) -> Learner:
    """Return fresh optimisers, slow critics and return ranges for all levels."""
    config = params.config
    weights = [_reward_weights(config, level) for level in range(config.levels)]
    discounts = [config.discount(level) for level in range(config.levels)]
    upper = None
    if params.upper:
        upper = jax.vmap(lambda level: _init_level_learner(level, config))(stack(params.upper))
        upper = _set_constants(upper, weights[1:], discounts[1:])
    worker = _set_constants(_init_level_learner(params.worker, config), weights[0], discounts[0])
    return Learner(worker=worker, upper=upper)


def _init_level_learner(level: Any, config: HierosConfig) -> LevelLearner:
    options = config.optimizer
    kinds = len(REWARD_KINDS)
    beta = 0.0 if config.subgoal.code == "sample" else config.subgoal.beta
    return LevelLearner(
        # a copy: two leaves of a donated state may not share a buffer
        slow_critics=jax.tree.map(jnp.copy, level.critics),
        world_model_optimizer=init_optimizer(world_model_optimizer(options), level.world_model),
        actor_optimizer=init_optimizer(actor_critic_optimizer(options), level.actor),
        critic_optimizer=init_optimizer(actor_critic_optimizer(options), level.critics),
        autoencoder_optimizer=init_optimizer(autoencoder_optimizer(options), level.autoencoder),
        return_range=jnp.zeros((kinds,), jnp.float32),
        autoencoder_beta=jnp.asarray(beta, jnp.float32),
        updates=jnp.zeros((), jnp.int32),
        skipped=jnp.zeros((), jnp.int32),
        skipped_in_row=jnp.zeros((), jnp.int32),
        reward_weights=jnp.zeros((kinds,), jnp.float32),
        discount=jnp.zeros((), jnp.float32),
    )


def _set_constants(learner: LevelLearner, weights: Any, discount: Any) -> LevelLearner:
    return replace(
        learner,
        reward_weights=jnp.asarray(weights, jnp.float32),
        discount=jnp.asarray(discount, jnp.float32),
    )


def _reward_weights(config: HierosConfig, level: int) -> tuple[float, float, float]:
    """Return a level's weight of each reward kind; the top level is given no subgoal."""
    reward, top = config.reward, config.levels - 1
    return (
        1.0 if reward.extrinsic_levels in ("all", "worker" if level == 0 else "upper") else 0.0,
        0.0 if level == top else reward.subgoal_weight,
        0.0 if level == 0 and reward.novelty_levels == "upper" else reward.novelty_weight,
    )
