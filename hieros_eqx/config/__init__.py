"""Typed, frozen configuration; presets; JSON and overrides. Imports no JAX."""

from hieros_eqx.config.behaviour import BehaviourConfig, RewardConfig, SubgoalConfig
from hieros_eqx.config.hieros import HierosConfig
from hieros_eqx.config.presets import PRESETS, make_preset
from hieros_eqx.config.serialise import assignments, differences, from_dict, override, to_dict
from hieros_eqx.config.training import EnvConfig, OptimizerConfig, ReplayConfig, TrainingConfig
from hieros_eqx.config.world_model import S5Config, WorldModelConfig

__all__ = [
    "PRESETS",
    "BehaviourConfig",
    "EnvConfig",
    "HierosConfig",
    "OptimizerConfig",
    "ReplayConfig",
    "RewardConfig",
    "S5Config",
    "SubgoalConfig",
    "TrainingConfig",
    "WorldModelConfig",
    "assignments",
    "differences",
    "from_dict",
    "make_preset",
    "override",
    "to_dict",
]
