"""What the hierarchy wants: an episode with every level's subgoal, decoded down to what the worker sees.

Level i >= 1 chooses a code. The autoencoder of level i-1 decodes it to a goal, an h of level i-1; the head
p(z | h) of that level's world model adds the likeliest z, and the decoder gives what level i-1 would observe
there: the picture if i = 1, else a window of latents of level i-2, of which the last is decoded in turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from hieros_eqx.agent import init_carry, policy
from hieros_eqx.agent.behaviour import imagined_rewards
from hieros_eqx.agent.features import read_carry
from hieros_eqx.agent.levels import level_params
from hieros_eqx.agent.state import ActCarry, AgentParams
from hieros_eqx.agent.subgoal import decode_goal, received_code
from hieros_eqx.envs import VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.modules import CategoricalActor
from hieros_eqx.training import Agent
from hieros_eqx.types import Array, Rollout, Timestep

CHUNK = 16
"""Codes that are decoded at a time; the last are filled up, so that there is one program a level."""


class WatchedStep(NamedTuple):
    """One step of one environment, and what all levels thought and wanted there."""

    observation: np.ndarray  # as in `Timestep`, without `env`
    reward: np.ndarray  # float32 []: arrived with the observation
    is_last: np.ndarray  # bool []
    is_terminal: np.ndarray  # bool []
    action: np.ndarray  # float [action]: chosen at the observation; one-hot where discrete, zero at the end
    due: np.ndarray  # bool [level]: observed here and, but for the end, chose anew
    code: np.ndarray  # int32 [upper factors]: held by the levels >= 1, the class of every factor
    reward_parts: np.ndarray  # float [level kind]
    value: np.ndarray  # float [level kind]
    entropy: np.ndarray  # float [level], nats
    probability: np.ndarray  # float [action] where actions are discrete, else [0]


@dataclass(frozen=True)
class WatchedEpisode:
    """One episode, and what all levels thought and wanted. Arrays lead with `time`.

    A level above the worker stands still between the steps in which it is due, and so do its numbers.
    """

    observation: np.ndarray  # as in `Timestep`: uint8 [time height width channels] | float32 [time feature]
    reward: np.ndarray  # float32 [time]: arrived with the observation
    action: np.ndarray  # float [time action]: chosen at the observation; one-hot where discrete
    complete: bool
    """Played up to its end; otherwise cut short by `max_steps`."""
    terminal: bool
    """Complete, and over by itself: not cut short by a limit of the environment."""
    due: np.ndarray
    """Bool [time level]: the level observed and, but for the last step, chose anew."""
    code: np.ndarray
    """Int32 [time upper factors]: the classes of the codes that levels 1, 2, ... hold."""
    subgoals: tuple[np.ndarray, ...]
    """What levels 1, 2, ... want the worker to see, each like `observation`."""
    reward_parts: np.ndarray
    """Float [time level kind]: what the level is rewarded with where it is, as in imagination: the predicted
    extrinsic reward, subgoal reward and novelty, unweighted."""
    value: np.ndarray
    """Float [time level kind]: what the level's critics expect from there on, discounted, unweighted."""
    entropy: np.ndarray
    """Float [time level]: of the level's actor, nats."""
    probability: np.ndarray
    """Float [time action]: of the worker's choices where they are discrete, else [time 0]."""

    @property
    def levels(self) -> int:
        """The number of levels, the worker included."""
        return self.due.shape[1]


def watch(
    agent: Agent, env: VectorEnv, key: Any, max_steps: int, *, greedy: bool | None = None
) -> WatchedEpisode:
    """Play one episode of at most `max_steps` steps, its first observation included.

    All is kept in memory: for Atari 12 kB a step and level. `greedy` takes modes instead of samples (default:
    `behaviour.evaluation_policy`). The key is consumed. Raises `EnvError` unless `env` is one environment
    that fits the agent, `ValueError` for less than one step.
    """
    steps = list(watch_steps(agent, env, key, max_steps, greedy=greedy))
    joined = WatchedStep(*(np.stack(x) for x in zip(*steps, strict=True)))
    return WatchedEpisode(
        observation=joined.observation,
        reward=joined.reward,
        action=joined.action,
        complete=bool(joined.is_last[-1]),
        terminal=bool(joined.is_terminal[-1]),
        due=joined.due,
        code=joined.code,
        subgoals=tuple(
            decode_codes(agent.params, level, joined.code[:, level - 1])
            for level in range(1, agent.config.levels)
        ),
        reward_parts=joined.reward_parts,
        value=joined.value,
        entropy=joined.entropy,
        probability=joined.probability,
    )


def watch_steps(
    agent: Agent, env: VectorEnv, key: Any, max_steps: int, *, greedy: bool | None = None
) -> Iterator[WatchedStep]:
    """Yield the steps of one episode while it is played; otherwise like `watch`.

    Nothing is played before the first is asked for, but what cannot be played is refused at once.
    """
    if max_steps < 1:
        raise ValueError(f"wanted at least 1 step, got {max_steps}.")
    if env.num_envs != 1:
        raise EnvError(f"wanted one environment, got {env.num_envs}.")
    if env.spaces != agent.spaces:
        raise EnvError(f"wanted an environment with {agent.spaces}, got {env.spaces}.")
    if greedy is None:
        greedy = agent.config.behaviour.evaluation_policy == "mode"
    return _play(agent.params, env, key, max_steps, greedy)


def decode_codes(
    params: AgentParams, level: int, code: Int[np.ndarray, "time factors"]
) -> Shaped[np.ndarray, "time ..."]:
    """Return what codes of a level >= 1, as classes of factors, want the worker to see.

    Like observations: uint8 `[time height width channels]` or float `[time feature]`. Each code is decoded
    once. Raises `ValueError` for a level that has nobody below or is not there, and for other factors or
    classes than the codes have.
    """
    config = params.config.subgoal
    if not 1 <= level < params.config.levels:
        raise ValueError(
            f"wanted a level from 1 to {params.config.levels - 1}, which sets subgoals, got {level}."
        )
    if code.ndim != 2 or code.shape[1] != config.factors or not len(code):
        raise ValueError(f"wanted codes [time {config.factors}], at least one, got {code.shape}.")
    if code.min() < 0 or code.max() >= config.classes:
        raise ValueError(
            f"wanted classes from 0 to {config.classes - 1}, got {int(code.min())} to {int(code.max())}."
        )
    distinct, place = np.unique(code, axis=0, return_inverse=True)
    parts = []
    for first in range(0, len(distinct), CHUNK):
        own = distinct[first : first + CHUNK]
        filled = np.concatenate([own, np.repeat(own[-1:], CHUNK - len(own), axis=0)])
        parts.append(np.asarray(_decode(params, level, jnp.asarray(filled)))[: len(own)])
    return np.concatenate(parts)[place.reshape(-1)]


def decode_subgoal(params: AgentParams, level: int, code: Float[Array, "*batch factors classes"]) -> Any:
    """Return what one-hot codes of a level >= 1 want the worker to see, on either backend."""
    below = level_params(params, level - 1)
    latent = below.world_model.goal_latent(decode_goal(below.autoencoder, code))
    for height in range(level - 1, 0, -1):
        window = level_params(params, height).world_model.decode(latent)
        empty = level_params(params, height - 1).world_model.initial(code.shape[:-2])
        latent = empty._replace(stoch=window.stoch[..., -1, :, :], deter=window.deter[..., -1, :])
    return params.worker.world_model.decode(latent)


@partial(jax.jit, static_argnames="level")
def _decode(params, level, code):
    dtype = params.worker.world_model.initial(()).deter.dtype  # weights may be bfloat16
    return decode_subgoal(params, level, jax.nn.one_hot(code, params.config.subgoal.classes, dtype=dtype))


def _play(
    params: AgentParams, env: VectorEnv, key: Any, max_steps: int, greedy: bool
) -> Iterator[WatchedStep]:
    carry, timestep = init_carry(params, 1), env.reset()
    for number in range(max_steps):
        step_key = jax.random.fold_in(key, number)
        carry, action, seen = _step(params, carry, timestep, step_key, greedy=greedy)
        seen = jax.tree.map(lambda x: np.array(x[0]), jax.device_get(seen))
        first = Timestep(*(np.array(x[0]) for x in timestep))
        yield WatchedStep(first.observation, first.reward, first.is_last, first.is_terminal, **seen)
        if first.is_last:
            return
        timestep = env.step(np.asarray(action))


def _step(params, carry, timestep, key, *, greedy):
    carry, action, transitions, due = policy(params, carry, timestep, key, greedy=greedy)
    thoughts = [_thoughts(params, carry, level) for level in range(params.config.levels)]
    seen = {name: jnp.stack([own[name] for own in thoughts], axis=1) for name in thoughts[0]}
    seen["action"] = transitions[0].action
    seen["due"] = jnp.stack(due, axis=1)
    seen["code"] = _held_codes(params, carry)
    seen["probability"] = _probability(params, carry)
    return carry, action, seen


_step = jax.jit(_step, static_argnames="greedy")


def _thoughts(params: AgentParams, carry: ActCarry, level: int) -> dict[str, Array]:
    """Return reward parts and values `[env kind]` and entropy `[env]` of one level."""
    own, latent = level_params(params, level), carry.levels[level].latent
    features = read_carry(params, carry, level)
    held = [x.action for x in carry.levels]
    here = Rollout(
        deter=latent.deter[None],
        policy_input=features.policy_input[None],
        reward=features.reward[None],
        continuation=features.continuation[None],
        action=held[level][None],
    )
    code = received_code(held, level, params.config.subgoal)
    parts = imagined_rewards(here, own, code, params.config.reward)
    value = eqx.filter_vmap(lambda critic: critic.mean(critic.logits(features.policy_input)))(own.critics)
    entropy = own.actor.entropy(own.actor(features.policy_input))
    return {"reward_parts": parts[:, 0].T, "value": value.T, "entropy": entropy}


def _held_codes(params: AgentParams, carry: ActCarry) -> Int[Array, "env upper factors"]:
    config, num_envs = params.config.subgoal, carry.clock.shape[0]
    codes = [
        own.action.reshape(num_envs, config.factors, config.classes).argmax(-1).astype(jnp.int32)
        for own in carry.levels[1:]
    ]
    return jnp.stack(codes, axis=1) if codes else jnp.zeros((num_envs, 0, config.factors), jnp.int32)


def _probability(params: AgentParams, carry: ActCarry) -> Float[Array, "env action"]:
    actor = params.worker.actor
    if not isinstance(actor, CategoricalActor):
        return jnp.zeros((carry.clock.shape[0], 0), carry.levels[0].latent.deter.dtype)
    return jnp.exp(actor(read_carry(params, carry, 0).policy_input))[:, 0]
