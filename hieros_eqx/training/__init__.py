"""The host side: the training loop, its files and checkpoints, evaluation."""

from hieros_eqx.training.checkpoint import Agent, load
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.evaluation import EvaluationResult, evaluate
from hieros_eqx.training.loop import Callback, TrainResult, train

__all__ = [
    "Agent",
    "Callback",
    "EvaluationResult",
    "TrainResult",
    "enable_compilation_cache",
    "evaluate",
    "load",
    "train",
]
