"""Parameters plus wiring: every learned part of an agent, as Equinox modules that call `core`.

With JAX leaves they compute in JAX; with NumPy leaves (`backend.to_numpy(module, np.float64)`) in NumPy.
"""

from collections.abc import Callable

from hieros_eqx.modules.actor_critic import (
    AbstractActor,
    CategoricalActor,
    Critic,
    NormalActor,
    make_actor,
    policy_input,
    policy_input_size,
)
from hieros_eqx.modules.decoder import (
    AbstractDecoder,
    ImageDecoder,
    VectorDecoder,
    WindowDecoder,
    make_decoder,
)
from hieros_eqx.modules.dense import MLP, Hidden, HiddenStack, Linear, Norm
from hieros_eqx.modules.encoder import (
    AbstractEncoder,
    ImageEncoder,
    VectorEncoder,
    WindowEncoder,
    WindowSpec,
    make_encoder,
)
from hieros_eqx.modules.heads import CategoricalHead, ContinueHead, TwoHotBins, TwoHotHead
from hieros_eqx.modules.precision import Precision
from hieros_eqx.modules.rssm import RSSM
from hieros_eqx.modules.s5 import S5SSM, DiscreteSSM
from hieros_eqx.modules.s5_stack import S5Block, S5Layer, S5Stack
from hieros_eqx.modules.s5wm import S5WM
from hieros_eqx.modules.subgoal_autoencoder import SubgoalAutoencoder
from hieros_eqx.modules.world_model import AbstractWorldModel, Observed, WorldModelLosses, feature

WORLD_MODELS: dict[str, Callable[..., AbstractWorldModel]] = {"s5wm": S5WM, "rssm": RSSM}
"""By the name that `world_model.kind` has in the configuration."""

__all__ = [
    "MLP",
    "RSSM",
    "S5SSM",
    "S5WM",
    "WORLD_MODELS",
    "AbstractActor",
    "AbstractDecoder",
    "AbstractEncoder",
    "AbstractWorldModel",
    "CategoricalActor",
    "CategoricalHead",
    "ContinueHead",
    "Critic",
    "DiscreteSSM",
    "Hidden",
    "HiddenStack",
    "ImageDecoder",
    "ImageEncoder",
    "Linear",
    "Norm",
    "NormalActor",
    "Observed",
    "Precision",
    "S5Block",
    "S5Layer",
    "S5Stack",
    "SubgoalAutoencoder",
    "TwoHotBins",
    "TwoHotHead",
    "VectorDecoder",
    "VectorEncoder",
    "WindowDecoder",
    "WindowEncoder",
    "WindowSpec",
    "WorldModelLosses",
    "feature",
    "make_actor",
    "make_decoder",
    "make_encoder",
    "policy_input",
    "policy_input_size",
]
