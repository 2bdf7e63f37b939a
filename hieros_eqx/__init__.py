"""Hieros: hierarchical imagination on structured state-space world models, in JAX and Equinox.

The public names are resolved when they are first used, so that `import hieros_eqx` and
`import hieros_eqx.core` work without JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hieros_eqx.agent import (
        HierosState,
        act,
        init,
        init_carry,
        init_seeds,
        policy,
        record,
        select_seed,
        update,
    )
    from hieros_eqx.config import PRESETS, HierosConfig, make_preset, presets
    from hieros_eqx.training import (
        Agent,
        EvaluationResult,
        Sink,
        TensorBoard,
        TrainResult,
        WeightsAndBiases,
        evaluate,
        evaluate_seeds,
        load,
        load_all,
        train,
    )
    from hieros_eqx.types import Spaces, Timestep

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Agent",
    "EvaluationResult",
    "HierosConfig",
    "HierosState",
    "Sink",
    "Spaces",
    "TensorBoard",
    "Timestep",
    "TrainResult",
    "WeightsAndBiases",
    "act",
    "evaluate",
    "evaluate_seeds",
    "init",
    "init_carry",
    "init_seeds",
    "load",
    "load_all",
    "make_preset",
    "policy",
    "presets",
    "record",
    "select_seed",
    "train",
    "update",
]

_HOME = {
    "PRESETS": "config",
    "HierosConfig": "config",
    "make_preset": "config",
    "presets": "config",
    "Spaces": "types",
    "Timestep": "types",
    "HierosState": "agent",
    "act": "agent",
    "init": "agent",
    "init_carry": "agent",
    "init_seeds": "agent",
    "policy": "agent",
    "record": "agent",
    "select_seed": "agent",
    "update": "agent",
    "Agent": "training",
    "EvaluationResult": "training",
    "Sink": "training",
    "TensorBoard": "training",
    "WeightsAndBiases": "training",
    "TrainResult": "training",
    "evaluate": "training",
    "evaluate_seeds": "training",
    "load": "training",
    "load_all": "training",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
