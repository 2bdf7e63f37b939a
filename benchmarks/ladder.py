"""The probe ladder: environments with known answers, sizes to learn them at, and what is asked of them.

Each rung isolates one ability. `learning.py` climbs the whole ladder and records it; `tests/learning` climbs
the rungs that are quick.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from hieros_eqx.config import HierosConfig, make_preset, override
from hieros_eqx.envs import VectorEnv, probe, probe_worlds
from hieros_eqx.report.recording import Recording, collect_episodes
from hieros_eqx.training.agents import Agent

SIZES = (  # over `laptop`: the smallest networks that every rung can be climbed with
    "world_model.s5.width=32",
    "world_model.s5.state=16",
    "world_model.s5.num_blocks=1",
    "world_model.s5.init_blocks=2",
    "world_model.stoch=4",
    "world_model.classes=4",
    "world_model.deter=32",
    "world_model.hidden=32",
    "world_model.mlp_width=32",
    "world_model.mlp_layers=1",
    "world_model.cnn_depth=4",
    "world_model.bins=41",
    "world_model.free_nats=0",  # a cue is 0.7 nats: below one free nat the prior need not learn it
    "subgoal.factors=4",
    "subgoal.classes=4",
    "subgoal.hidden=32",
    "subgoal.layers=2",
    "behaviour.hidden=32",
    "behaviour.horizon=6",
    "behaviour.discount=0.9",
    "behaviour.entropy_scale=3e-4",
    "optimizer.world_model_rate=1e-3",
    "optimizer.actor_critic_rate=1e-3",
    "optimizer.autoencoder_rate=1e-3",
    "training.batch=8",
    "training.sequence=16",
    "training.train_every=4",
    "training.log_every=1000",
    "env.num_envs=4",
)
REMEMBERING = (  # an exclusive or of cue and action: larger networks leave the plateau before it sooner
    "world_model.s5.width=64",
    "world_model.s5.state=32",
    "world_model.hidden=64",
    "world_model.deter=64",
    "optimizer.world_model_rate=3e-3",
)
UNDROWNED = (  # nothing may drown the cue on its way (decision 022)
    "world_model.s5.centre_rate=0.1",
    "world_model.normalize_deter=true",
    "world_model.unimix=0.001",
)
RECALLING = (  # over many steps
    *REMEMBERING,
    *UNDROWNED,
    "world_model.posterior_scale=16",
    "training.sequence=128",
    "training.train_every=8",
)
CATCHING = (  # a picture pays for what z tells of a small thing only once its place is nearly known
    "world_model.cnn_depth=8",
    "world_model.hidden=64",
    "world_model.stoch=8",
    "world_model.classes=8",
    "world_model.rep_scale=0.01",
    "world_model.centre_pictures=true",  # or the small thing comes last, when z has lost its meaning
    "world_model.picture_scale=0.1",
    "behaviour.horizon=16",
    "behaviour.entropy_scale=3e-3",  # or the actor is sure before the model knows the ball
)
EVALUATION_ENVS, EVALUATION_SEED = 16, 1_000_003

Measures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One probe: the environments, how long they are learned for, and what a trained agent must show."""

    make: Callable[..., VectorEnv]
    ability: str
    env_steps: int
    """Of every seed, summed over its environments."""
    play: int = 64
    """Steps of every environment that a trained agent is measured over."""
    measure: Callable[[Sequence[Recording], HierosConfig], Measures]
    least: tuple[tuple[str, float], ...] = ()
    """Measures that must reach a number."""
    most: tuple[tuple[str, float], ...] = ()
    """Measures that must not exceed one."""
    worth: Callable[[Recording, HierosConfig], np.ndarray] | None = None
    """What every state of an episode is worth, where it is values that are asked for."""
    changes: tuple[str, ...] = ()
    """Fields that differ from `SIZES`."""
    variants: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Further configurations to try, by name."""
    images: bool = True
    """Whether it can show pictures, too."""

    def config(self, seeds: Sequence[int], changes: Sequence[str] = ()) -> HierosConfig:
        """Return the configuration, with one level unless changed."""
        run = (f"training.env_steps={self.env_steps}", f"training.seeds={list(seeds)}")
        return override(make_preset("laptop"), ["levels=1", *run, *SIZES, *self.changes, *changes])

    def met(self, measures: Measures) -> bool:
        """Whether a trained agent shows what is asked for."""
        enough = all(measures[name] >= bound for name, bound in self.least)
        return enough and all(measures[name] <= bound for name, bound in self.most)


def measure(rung: Rung, agent: Agent, env: Callable[..., VectorEnv] | None = None) -> Measures:
    """Play with a trained agent in fresh environments and return what is asked of it."""
    return rung.measure(play_probe(rung, agent, env), agent.config)


def play_probe(rung: Rung, agent: Agent, env: Callable[..., VectorEnv] | None = None) -> list[Recording]:
    """Return the whole episodes that a trained agent is measured by."""
    return play_episodes(agent, env or rung.make, rung.play, jax.random.key(EVALUATION_SEED))


def play_episodes(
    agent: Agent, make: Callable[..., VectorEnv], steps: int, key: jax.Array
) -> list[Recording]:
    """Return the whole episodes that an agent plays in `steps` steps of every fresh environment."""
    env = make(num_envs=EVALUATION_ENVS, seed=EVALUATION_SEED)
    return [episode for episode in collect_episodes(agent.params, env, steps, key) if episode.complete]


# ------------------------------------------------------------------------------------------ measures


def returns(episodes: Sequence[Recording], config: HierosConfig) -> Measures:
    """Return the mean return."""
    del config
    return {"return": float(np.mean([episode.reward.sum() for episode in episodes]))}


def discounted_returns(episode: Recording, config: HierosConfig) -> np.ndarray:
    """Return the discounted sum of the rewards of every step and those that follow it."""
    following, found = 0.0, np.zeros(len(episode.reward))
    for t in reversed(range(len(found))):
        following = found[t] = episode.reward[t] + config.behaviour.discount * following
    return found


def endless_returns(episode: Recording, config: HierosConfig) -> np.ndarray:
    """Return what a reward of 1 at every step but the first is worth if there is no end."""
    found = np.full(len(episode.reward), 1 / (1 - config.behaviour.discount))
    found[0] -= 1
    return found


def values(episode: Recording) -> np.ndarray:
    """Return the worker's extrinsic value of every step."""
    assert episode.value is not None
    return episode.value[:, 0]


def value_error(episodes: Sequence[Recording], config: HierosConfig) -> Measures:
    """Return the mean size of value minus discounted return, over all steps."""
    errors = [values(episode) - discounted_returns(episode, config) for episode in episodes]
    return {"value_error": float(np.mean(np.abs(np.concatenate(errors))))}


def endless_value(episodes: Sequence[Recording], config: HierosConfig) -> Measures:
    """Return the mean value after the first step, as a share of 1 / (1 - discount)."""
    after = np.concatenate([values(episode)[1:] for episode in episodes])
    return {"share_of_endless": float(after.mean() * (1 - config.behaviour.discount))}


def seen_and_hidden(episodes: Sequence[Recording], config: HierosConfig) -> Measures:
    """Return the mean return of episodes that show their cue, and the size of that of the others."""
    del config
    seen = np.array([episode.observation[0, 0] != 0 for episode in episodes])
    total = np.array([episode.reward.sum() for episode in episodes])
    return {"return_seen": float(total[seen].mean()), "return_hidden": float(abs(total[~seen].mean()))}


# ------------------------------------------------------------------------------------------ the ladder


LADDER: dict[str, Rung] = {
    "constant_reward": Rung(
        make=probe.constant_reward,
        ability="the value of a constant",
        env_steps=4_000,
        measure=value_error,
        worth=discounted_returns,
        most=(("value_error", 0.05),),
    ),
    "observation_value": Rung(
        make=probe.observation_value,
        ability="a value that is read from the observation",
        env_steps=8_000,
        measure=value_error,
        worth=discounted_returns,
        most=(("value_error", 0.1),),
    ),
    "discounting": Rung(
        make=probe.discounting,
        ability="discounting over several steps",
        env_steps=8_000,
        measure=value_error,
        worth=discounted_returns,
        most=(("value_error", 0.05),),
    ),
    "truncation": Rung(
        make=probe.truncation,
        ability="bootstrapping where an episode was cut",
        env_steps=12_000,
        measure=endless_value,
        worth=endless_returns,
        least=(("share_of_endless", 0.9),),
        most=(("share_of_endless", 1.1),),
    ),
    "action_choice": Rung(
        make=probe.action_choice,
        ability="choosing an action",
        env_steps=6_000,
        measure=returns,
        least=(("return", 0.9),),
    ),
    "action_from_observation": Rung(
        make=probe.action_from_observation,
        ability="choosing an action by the observation",
        env_steps=12_000,
        measure=returns,
        least=(("return", 0.9),),
    ),
    "memory_4": Rung(
        make=partial(probe.memory, delay=4),
        ability="a cue that counts 4 steps later",
        env_steps=30_000,
        measure=returns,
        least=(("return", 0.8),),
        changes=(
            *REMEMBERING,
            *UNDROWNED,
            "world_model.rep_scale=0.01",  # sharp posteriors instead may lose the cue (decision 025)
            "training.sequence=32",
            "training.train_every=2",
        ),
    ),
    "memory_60": Rung(
        make=partial(probe.memory, delay=60),
        ability="a cue that counts 60 steps later",
        env_steps=60_000,
        play=620,
        measure=returns,
        least=(("return", 0.8),),
        changes=RECALLING,
        images=False,
    ),
    "hinted_memory_60": Rung(
        make=partial(probe.memory, delay=60, hint=0.5),
        ability="the same cue, which foretells part of the reward by itself",
        env_steps=60_000,
        play=620,
        measure=returns,
        least=(("return", 0.8),),
        changes=RECALLING,
        images=False,
    ),
    "episode_reset": Rung(
        make=probe.episode_reset,
        ability="letting go of the episode before",
        env_steps=16_000,
        play=256,
        measure=seen_and_hidden,
        least=(("return_seen", 0.9),),
        most=(("return_hidden", 0.2),),
        images=False,
    ),
    "errands": Rung(
        make=probe_worlds.errands,
        ability="macro-behaviour that a subgoal can ask for",
        env_steps=40_000,
        play=170,
        measure=returns,
        least=(("return", 0.8),),
        changes=("behaviour.entropy_scale=0.01",),  # or it goes one way always, and runs half of them
        variants=(("subgoals_alone", ("levels=2", "reward.extrinsic_levels=upper")),),
    ),
    "corridor": Rung(
        make=probe_worlds.corridor,
        ability="going where only novelty leads",
        env_steps=20_000,
        play=310,
        measure=returns,
        least=(("return", 0.9),),
        variants=(("without_novelty", ("reward.novelty_weight=0",)),),
    ),
    "pixel_catch_6": Rung(
        make=partial(probe_worlds.pixel_catch, ball=6, paddle=12),
        ability="a ball of 6 pixels in a picture",
        env_steps=30_000,
        play=170,
        measure=returns,
        least=(("return", 0.8),),
        changes=CATCHING,
        images=False,
    ),
    "pixel_catch": Rung(
        make=probe_worlds.pixel_catch,
        ability="a ball of 2 pixels in a picture",
        env_steps=40_000,
        play=170,
        measure=returns,
        least=(("return", 0.8),),
        changes=CATCHING,
        images=False,
    ),
}
"""In the order in which to climb it."""
