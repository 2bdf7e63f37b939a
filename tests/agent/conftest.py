"""Tiny agents, built and compiled once for all tests of the agent."""

from dataclasses import replace

import jax
import numpy as np

from hieros_eqx.config import HierosConfig, TrainingConfig, from_dict, make_preset
from hieros_eqx.envs.scripted import random_length
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

NUM_ENVS = 3
SPACES = Spaces(
    observation=ObservationSpace(kind="vector", shape=(3,)),
    action=ActionSpace(kind="discrete", size=5),
)


def tiny(levels: int = 3, **changes) -> HierosConfig:
    """Return the debug preset with a macro-step of 3, three environments and short sequences."""
    base = replace(
        make_preset("debug"),
        levels=levels,
        macro_length=3,
        training=TrainingConfig(env_steps=900, batch=2, sequence=5, train_every=2),
    )
    return from_dict({"env": {"num_envs": NUM_ENVS}, **changes}, base)


def make_probe(seed: int = 0, num_envs: int = NUM_ENVS):
    """Return environments with episodes of 1 to 23 steps, every other one truncated."""
    return random_length(num_envs=num_envs, seed=seed, min_length=1, max_length=23, actions=5)


def on_host(tree):
    """Return a tree of NumPy copies; views would keep the device from reusing donated buffers."""
    return jax.tree.map(np.array, tree)
