"""Environments that are played for their return, the sizes they are learned at, and what is asked of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import minigrid
import numpy as np

from hieros_eqx.config import HierosConfig, make_preset, override
from hieros_eqx.envs.pin_pad import pin_pad
from hieros_eqx.report.intervals import bootstrap
from hieros_eqx.report.published import published_scores
from hieros_eqx.report.run_summary import by_seed
from hieros_eqx.training.agents import Agent
from hieros_eqx.training.evaluation_seeds import evaluate_seeds

VECTORS = (  # over `laptop`: for environments that show a few numbers
    "world_model.s5.width=64",
    "world_model.s5.state=32",
    "world_model.s5.num_blocks=1",
    "world_model.stoch=8",
    "world_model.classes=8",
    "world_model.deter=64",
    "world_model.hidden=64",
    "world_model.mlp_width=64",
    "subgoal.hidden=64",
    "behaviour.hidden=64",
    "behaviour.entropy_scale=3e-4",
    "world_model.free_nats=0",  # so few nats a step that the rest would be free, and hide what must persist
    "world_model.rep_scale=0.01",  # a vector's reconstruction is worth a nat, not hundreds as a picture's is
    "training.batch=8",
    "training.sequence=32",
    "training.log_every=1000",
)
IN_A_ROOM = (  # over `laptop`: for pictures of a pin-pad room
    "world_model.cnn_depth=8",
    "world_model.hidden=64",
    "world_model.stoch=8",
    "world_model.classes=8",
    "world_model.rep_scale=0.01",  # all that changes is a player of a tile and the bars below
    "training.train_every=4",
)
EVALUATION_SEED, EVALUATION_ENVS = 1_000_003, 10


@dataclass(frozen=True, kw_only=True)
class Task:
    """One environment, how long it is learned for, and the mean return that is asked for."""

    env: Any
    """An id, an Atari game after `atari:`, or a factory."""
    ability: str
    env_steps: int
    episodes: int = 100
    """That every trained agent plays."""
    least: float | None = None
    """Mean return over seeds and episodes."""
    above: float | None = None
    """What the 95 % interval of the mean return must exclude."""
    changes: tuple[str, ...] = ()
    """Fields that differ from `laptop`."""

    def config(self, seeds: Sequence[int], changes: Sequence[str] = ()) -> HierosConfig:
        """Return the configuration, with one level unless changed."""
        named = []
        if isinstance(self.env, str):
            game = self.env.removeprefix("atari:")
            named = [f"env.id={self.env}" if game == self.env else f"env.game={game}"]
        run = (f"training.env_steps={self.env_steps}", f"training.seeds={list(seeds)}")
        return override(make_preset("laptop"), ["levels=1", *run, *named, *self.changes, *changes])

    @property
    def factory(self) -> Any:
        """The environment to pass to `train`; None where the configuration names it."""
        return None if isinstance(self.env, str) else self.env

    def met(self, mean: float, low: float) -> bool | None:
        """Whether a mean return with this lower end of its interval is what is asked; None: nothing is."""
        answers = [] if self.least is None else [mean >= self.least]
        answers += [] if self.above is None else [low > self.above]
        return all(answers) if answers else None


def play(
    task: Task, agents: Mapping[int, Agent], training_episodes: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Let every trained agent play, and return what is asked of them."""
    results = evaluate_seeds(
        agents, task.factory, task.episodes, seed=EVALUATION_SEED, num_envs=EVALUATION_ENVS
    )
    every = np.array([value for own in results.values() for value in own.returns], np.float64)
    mean, low, high = bootstrap(every)
    latest = [[line["return"] for line in own[-100:]] for own in by_seed(training_episodes).values()]
    all_finished_one = len(latest) == len(agents)
    mean_of_latest = float(np.mean([np.mean(own) for own in latest])) if all_finished_one else None
    return {
        "episodes": task.episodes,
        "asked": {"least": task.least, "above": task.above},
        "mean_return": mean,
        "interval": [low, high],
        "mean_return_by_seed": {str(seed): own.mean for seed, own in results.items()},
        "last_100_training_episodes": mean_of_latest,
        "met": task.met(mean, low),
    }


TASKS: dict[str, Task] = {
    "catch": Task(
        env="Catch-v0",
        ability="a small game of vectors",
        env_steps=12_000,
        least=0.9,
        changes=(
            *VECTORS,
            "behaviour.horizon=10",
            "behaviour.entropy_scale=3e-3",  # with 3e-4 one of three was sure before its model knew the ball
            "training.sequence=16",
            "training.train_every=2",
        ),
    ),
    "cartpole": Task(
        env="CartPole-v1",
        ability="control by vectors",
        env_steps=6_000,
        least=400,
        changes=(*VECTORS, "behaviour.horizon=16", "training.train_every=2"),
    ),
    "minigrid_memory": Task(
        env=partial(minigrid.objects, "MiniGrid-MemoryS7-v0"),
        ability="memory in a partially observed maze",
        env_steps=50_000,
        episodes=200,
        above=0.5,
        changes=(
            *VECTORS,
            "world_model.mlp_width=256",  # smaller, z knows the walls in sight and not the objects
            "world_model.hidden=128",
            "world_model.stoch=16",
            "behaviour.horizon=10",
            "behaviour.entropy_scale=3e-3",
            "behaviour.epsilon=1",  # only who wanders comes to know what the object means (decision 024)
            "behaviour.discount=0.98",  # or it goes on wandering
            "reward.novelty_weight=0",  # is paid as long as an episode lasts: none ends, and none is won
            "training.train_every=4",
        ),
    ),
    "pin_pad": Task(
        env=partial(pin_pad, pads=2, side=6, length=100),
        ability="a sparse reward for pads in order, in pictures",
        env_steps=15_000,
        changes=IN_A_ROOM,
    ),
    "pin_pad_3": Task(
        env=partial(pin_pad, pads=3, side=7, length=150),
        ability="the same of three pads, in a larger room",
        env_steps=30_000,
        changes=IN_A_ROOM,
    ),
    **{
        game.lower(): Task(
            env=f"atari:{game}",
            ability="Atari, better than random play",
            env_steps=10_000,  # an hour and a half at most for a seed on one thread of a laptop
            above=published_scores()[game]["random"],
            changes=("levels=3",),
        )
        for game in ("Boxing", "Krull", "RoadRunner", "Breakout")
    },
}
