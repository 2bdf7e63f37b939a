"""One step of acting while learning: `policy`, and `record` of what it saw."""

from dataclasses import replace
from functools import partial

import jax

from hieros_eqx.agent.act import policy
from hieros_eqx.agent.state import HierosState
from hieros_eqx.replay import record
from hieros_eqx.types import Array, Timestep


def act(state: HierosState, timestep: Timestep) -> tuple[HierosState, Array]:
    """Take in one step of every environment, keep it in replay, and return the state and the next actions.

    Carry, replay and key are donated: do not use the old state again.
    """
    carry, replay, key, env_step, action = _act(
        state.params, state.carry, state.replay, state.key, state.env_step, timestep
    )
    return replace(state, carry=carry, replay=replay, key=key, env_step=env_step), action


@partial(jax.jit, donate_argnums=(1, 2, 3, 4))
def _act(params, carry, replay, key, env_step, timestep):
    key, policy_key = jax.random.split(key)
    carry, action, transitions, due = policy(params, carry, timestep, policy_key)
    replay = record(replay, transitions, due)
    return carry, replay, key, env_step + timestep.reward.shape[0], action
