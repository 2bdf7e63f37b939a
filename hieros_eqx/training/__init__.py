"""The host side: the training loop, its files and checkpoints, evaluation."""

from hieros_eqx.training.agents import Agent, load, load_all
from hieros_eqx.training.compilation import enable_compilation_cache
from hieros_eqx.training.evaluation import EvaluationResult, evaluate
from hieros_eqx.training.evaluation_seeds import evaluate_seeds
from hieros_eqx.training.loop import TrainResult, train
from hieros_eqx.training.sinks import Pictures, Sink
from hieros_eqx.training.telling import Callback
from hieros_eqx.training.tensorboard import TensorBoard
from hieros_eqx.training.weights_and_biases import WeightsAndBiases

__all__ = [
    "Agent",
    "Callback",
    "EvaluationResult",
    "Pictures",
    "Sink",
    "TensorBoard",
    "TrainResult",
    "WeightsAndBiases",
    "enable_compilation_cache",
    "evaluate",
    "evaluate_seeds",
    "load",
    "load_all",
    "train",
]
