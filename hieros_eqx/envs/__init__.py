"""Environments behind one protocol: Atari100k, envpool, ale-py, Gymnasium, custom ones, probes. No JAX."""

from hieros_eqx.envs.ale import make_ale_atari as make_ale_atari
from hieros_eqx.envs.envpool import make_envpool as make_envpool
from hieros_eqx.envs.envpool import make_envpool_atari as make_envpool_atari
from hieros_eqx.envs.gymnasium import make_from_factory as make_from_factory
from hieros_eqx.envs.gymnasium import make_gymnasium as make_gymnasium
from hieros_eqx.envs.history import History as History
from hieros_eqx.envs.history import NotRepeatable as NotRepeatable
from hieros_eqx.envs.make import make_env as make_env
from hieros_eqx.envs.names import ALL_GAMES as ALL_GAMES
from hieros_eqx.envs.names import ATARI100K_GAMES as ATARI100K_GAMES
from hieros_eqx.envs.names import SLIDES_GAMES as SLIDES_GAMES
from hieros_eqx.envs.names import canonical_game as canonical_game
from hieros_eqx.envs.next_step import CheckedEnv as CheckedEnv
from hieros_eqx.envs.next_step import NextStepEnv as NextStepEnv
from hieros_eqx.envs.next_step import RawStep as RawStep
from hieros_eqx.envs.next_step import Simulator as Simulator
from hieros_eqx.envs.probe import PROBES as PROBES
from hieros_eqx.envs.protocol import VectorEnv as VectorEnv
from hieros_eqx.envs.protocol import check_action as check_action
from hieros_eqx.envs.recorded import RecordedEnv as RecordedEnv
from hieros_eqx.envs.recorded import Repetition as Repetition
from hieros_eqx.envs.scripted import random_length as random_length
from hieros_eqx.envs.seeding import env_seeds as env_seeds
