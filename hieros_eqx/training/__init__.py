"""The host side: the training loop, its files and checkpoints, evaluation."""

from hieros_eqx.training.agents import Agent, load, load_all
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.evaluation import EvaluationResult, evaluate
from hieros_eqx.training.evaluation_seeds import evaluate_seeds
from hieros_eqx.training.loop import Callback, TrainResult, train

__all__ = [
    "Agent",
    "Callback",
    "EvaluationResult",
    "TrainResult",
    "enable_compilation_cache",
    "evaluate",
    "evaluate_seeds",
    "load",
    "load_all",
    "train",
]
