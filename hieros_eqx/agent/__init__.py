"""The agent: one immutable state, and the functions that act and learn with it."""

from hieros_eqx.agent.act import init_carry, policy
from hieros_eqx.agent.init import init, init_params
from hieros_eqx.agent.learn import LevelMetrics
from hieros_eqx.agent.seeds import init_seeds, num_seeds, seed_mesh, select_seed
from hieros_eqx.agent.state import ActCarry, AgentParams, HierosState, LevelParams
from hieros_eqx.agent.step import act
from hieros_eqx.agent.transfer import with_params
from hieros_eqx.agent.update import update
from hieros_eqx.replay import record

__all__ = [
    "ActCarry",
    "AgentParams",
    "HierosState",
    "LevelMetrics",
    "LevelParams",
    "act",
    "init",
    "init_carry",
    "init_params",
    "init_seeds",
    "num_seeds",
    "policy",
    "record",
    "seed_mesh",
    "select_seed",
    "update",
    "with_params",
]
