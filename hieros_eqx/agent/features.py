"""What actor and critics read, while acting and in imagination alike (section 5)."""

from typing import NamedTuple

from jaxtyping import Float

from hieros_eqx.agent.levels import level_params
from hieros_eqx.agent.state import ActCarry, AgentParams, LevelParams
from hieros_eqx.agent.subgoal import received_code, subgoal_input
from hieros_eqx.modules import policy_input
from hieros_eqx.types import Array, Latent


class Features(NamedTuple):
    """The input of actor and critics, and the two predictions that are part of it."""

    policy_input: Array  # [... feature]
    reward: Array  # [...]
    continuation: Array  # [...]


def read(level: LevelParams, latent: Latent, subgoal: Float[Array, "*batch feature"]) -> Features:
    """Return `(h, z)`, the subgoal and symlog of `[r_hat, c_hat, H(p(z|m))]` side by side."""
    reward = level.world_model.predict_reward(latent)
    continuation = level.world_model.predict_continuation(latent)
    return Features(policy_input(latent, subgoal, reward, continuation), reward, continuation)


def read_carry(params: AgentParams, carry: ActCarry, level: int) -> Features:
    """Return what actor and critics of a level read in the step after which `policy` returned this carry."""
    own, config = level_params(params, level), params.config
    code = received_code([held.action for held in carry.levels], level, config.subgoal)
    return read(own, carry.levels[level].latent, subgoal_input(own.autoencoder, code, config.behaviour))
