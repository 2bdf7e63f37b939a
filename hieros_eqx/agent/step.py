"""One step of acting while learning: `policy`, and `record` of what it saw."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import optax
from jaxtyping import Float, Int

from hieros_eqx.agent.act import policy
from hieros_eqx.agent.seeds import over_seeds, seed_axis
from hieros_eqx.agent.state import HierosState
from hieros_eqx.config import HierosConfig
from hieros_eqx.replay import record
from hieros_eqx.types import Array, Timestep


def act(state: HierosState, timestep: Timestep) -> tuple[HierosState, Array]:
    """Take in one step of every environment, keep it in replay, and return the state and the next actions.

    With a seed axis in the state, `timestep` and actions lead with `seed`, then `env`. Carry, replay and key
    are donated: do not use the old state again. Raises `ValueError` if `timestep` is not of the state's
    environments.
    """
    _check(state, timestep)
    carry, replay, key, env_step, action = _act(
        state.params,
        state.carry,
        state.replay,
        state.key,
        state.env_step,
        timestep,
        seeds=seed_axis(state.key),
    )
    return replace(state, carry=carry, replay=replay, key=key, env_step=env_step), action


@partial(jax.jit, static_argnames="seeds", donate_argnums=(1, 2, 3, 4))
def _act(params, carry, replay, key, env_step, timestep, *, seeds=None):
    one = over_seeds(partial(_act_of_one, epsilon=epsilon_at(params.config, env_step)), seeds)
    carry, replay, key, action = one(params, carry, replay, key, timestep)
    return carry, replay, key, env_step + timestep.reward.shape[-1], action


def _act_of_one(params, carry, replay, key, timestep, *, epsilon):
    key, policy_key = jax.random.split(key)
    carry, action, transitions, due = policy(params, carry, timestep, policy_key, epsilon=epsilon)
    return carry, record(replay, transitions, due), key, action


def epsilon_at(config: HierosConfig, env_step: Int[Array, ""]) -> Float[Array, ""] | None:
    """Return the probability of a uniform action: linear from `epsilon` to `epsilon_final` over a run.

    None where a run never explores in this way: it then draws no numbers for it.
    """
    first, last = config.behaviour.epsilon, config.behaviour.epsilon_final
    if first == last == 0:
        return None
    return optax.linear_schedule(first, last, config.training.env_steps)(env_step)


def _check(state: HierosState, timestep: Timestep) -> None:
    """Broadcasting would take a step of the wrong shape for one of as many environments."""
    lead = state.carry.clock.shape
    observation = (*lead, *state.spaces.observation.shape)
    wanted = dict.fromkeys(Timestep._fields, lead) | {"observation": observation}
    for field, shape in wanted.items():
        got = np.shape(getattr(timestep, field))
        if got != shape:
            axes = "[seed env ...]" if len(lead) > 1 else "[env ...]"
            raise ValueError(
                f"wanted `timestep.{field}` of shape {shape}, {axes}, got {got}. Reshape what the "
                "environments return, or make as many of them as the state was made for."
            )
