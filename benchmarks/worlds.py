"""World models of Atari games: how far they see, what they lose, and which choices help them.

Each experiment trains an agent on a game and then asks its lowest world model for episodes that it has not
seen. `learning.py` runs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from hieros_eqx.config import HierosConfig, make_preset, override
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.modules import feature
from hieros_eqx.report import open_loop, open_loop_errors, run_summary
from hieros_eqx.report.ball import COURTS, ball_place, court_color, find_ball, recall
from hieros_eqx.report.linear_probe import linear_probe
from hieros_eqx.report.recording import Recording, collect_episodes, pick_starts
from hieros_eqx.training.agents import Agent
from hieros_eqx.training.environment import open_env
from hieros_eqx.types import Latent

SEED = 1  # of environments, starts and samples; training never uses these environments
STEPS_SHOWN = (1, 5, 15, 50)
MOTION_SHOWN = (0.95, 0.5)  # of starts whose pictures are drawn
VARIANTS: dict[str, tuple[str, ...]] = {
    "rssm": ("world_model.kind=rssm",),
    "reset": ("replay.sequence_start=reset",),
    "frozen": ("replay.latents=frozen",),
    "symlog": ("world_model.bin_space=symlog",),
    "no_free_nats": ("world_model.free_nats=0",),
}
"""What is tried instead of the preset's own choice."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A game, how long it is learned for, and how much of it is looked at afterwards."""

    game: str
    ability: str = "predicting pictures, rewards and ends"
    env_steps: int = 10_000
    levels: int = 2
    """Two, so that there is one that learns from the latents of another."""
    envs: int = 8
    record_steps: int = 500
    """Of every environment."""
    starts: int = 128
    horizon: int = 50
    samples: int = 4
    changes: tuple[str, ...] = ()
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: VARIANTS)

    @property
    def steps_shown(self) -> list[int]:
        """Steps ahead that are told of."""
        return [step for step in STEPS_SHOWN if step <= self.horizon]

    def config(self, seeds: Sequence[int], changes: Sequence[str] = ()) -> HierosConfig:
        """Return the configuration."""
        run = (f"training.env_steps={self.env_steps}", f"training.seeds={list(seeds)}")
        fixed = (f"env.game={self.game}", f"levels={self.levels}")
        return override(make_preset("laptop"), [*run, *fixed, *self.changes, *changes])


WORLDS: dict[str, World] = {game.lower(): World(game=game) for game in ("Pong", "Breakout", "Krull")}


class Sight(NamedTuple):
    """What the lowest world model of an agent makes of games that it has not seen."""

    measures: dict[str, Any]
    errors: open_loop_errors.OpenLoop
    shown: open_loop.Prediction
    """Of a start with much motion and one with the median's."""


def look(world: World, agent: Agent) -> Sight:
    """Let an agent play games of its own, and return what its lowest world model makes of them."""
    record_key, look_key, dream_key = jax.random.split(jax.random.key(SEED), 3)
    env = open_env(agent.config, None, num_envs=world.envs, seed=SEED, training=False)
    try:
        episodes = collect_episodes(agent.params, env, world.record_steps, record_key)
    finally:
        env.close()
    starts = pick_starts(episodes, world.starts, world.horizon, np.random.default_rng(SEED))
    model = agent.params.worker.world_model
    parts = list(open_loop.predict(model, episodes, starts, world.horizon, dream_key, samples=world.samples))
    errors = open_loop_errors.errors(parts)
    latents = [
        open_loop.observe_episode(model, episode, jax.random.fold_in(look_key, i))[0]
        for i, episode in enumerate(episodes)
    ]
    found = {
        "recorded_steps": sum(len(episode.action) for episode in episodes),
        "pictures": open_loop_errors.summarise(errors, world.steps_shown, resamples=2_000)["all"],
        "foreseen": foreseen(parts),
        "seen": seen(model, episodes, latents),
    }
    if world.game in COURTS:
        found["ball"] = ball(world, episodes, latents, starts, parts)
    shown = open_loop.select(parts, errors.at_motion(MOTION_SHOWN))
    return Sight(found, errors, shown)


def foreseen(parts: Sequence[open_loop.Prediction]) -> dict[str, float | None]:
    """Return how reward and survival over the whole horizon compare with what was predicted, unseen.

    Rewards are summed as long as the episode lasts, predicted ones as long as it is predicted to last.
    """
    truth, imagined, survived, expected = [], [], [], []
    for part in parts:
        alive = np.cumprod(part.imagined_continuation, axis=0)
        before = np.concatenate([np.ones_like(alive[:1]), alive[:-1]])
        truth.append(part.reward.sum(axis=0))
        imagined.append((before * part.imagined_reward).sum(axis=0).mean(axis=0))
        survived.append(~part.ends.any(axis=0))
        expected.append(alive[-1].mean(axis=0))
    total, guess = np.concatenate(truth), np.concatenate(imagined)
    return {
        "reward_sum": float(total.mean()),
        "reward_sum_imagined": float(guess.mean()),
        "reward_sum_error": float(np.abs(guess - total).mean()),
        "reward_sum_error_of_mean": float(np.abs(total - total.mean()).mean()),
        "reward_sum_correlation": correlation(guess, total),
        "survived": float(np.concatenate(survived).mean()),
        "survived_imagined": float(np.concatenate(expected).mean()),
    }


def seen(
    model: Any, episodes: Sequence[Recording], latents: Sequence[Latent]
) -> dict[str, float | int | None]:
    """Return how well reward and end are told from what is seen: means over steps of each kind."""
    reward, guess, ends, goes_on = [], [], [], []
    for episode, latent in zip(episodes, latents, strict=True):
        reward.append(episode.reward)
        guess.append(np.asarray(model.predict_reward(latent)))
        goes_on.append(np.asarray(model.predict_continuation(latent)))
        ends.append(np.arange(len(episode.reward)) == (len(episode.reward) - 1 if episode.terminal else -1))
    truth, told, over, likely = (np.concatenate(x) for x in (reward, guess, ends, goes_on))
    paid = truth != 0
    return {
        "steps_with_reward": int(paid.sum()),
        "reward_error_where_paid": mean(np.abs(told - truth)[paid]),
        "reward_where_paid": mean(np.abs(truth)[paid]),
        "reward_error_elsewhere": mean(np.abs(told - truth)[~paid]),
        "ends": int(over.sum()),
        "continuation_at_ends": mean(likely[over]),
        "continuation_elsewhere": mean(likely[~over]),
    }


def ball(
    world: World,
    episodes: Sequence[Recording],
    latents: Sequence[Latent],
    starts: np.ndarray,
    parts: Sequence[open_loop.Prediction],
) -> dict[str, Any]:
    """Return whether the ball survives: in decoded pictures, and in (h, z) for a linear probe."""
    game, memory = world.game, [episode.memory for episode in episodes]
    assert all(own is not None for own in memory), "Atari shows its memory"
    color = court_color(game, np.concatenate([episode.observation[:50] for episode in episodes]))
    imagined = np.concatenate([find_ball(game, part.imagined, color) for part in parts], axis=2)
    rebuilt = np.concatenate([find_ball(game, part.posterior, color) for part in parts], axis=1)
    window = np.arange(1, world.horizon + 1)
    truth = np.stack([ball_place(game, memory[e][t + window]) for e, t in starts], axis=1)
    return {
        "imagined": {
            f"step_{step}": recall(imagined[step - 1], truth[step - 1][None]) for step in world.steps_shown
        },
        "posterior": recall(rebuilt, truth),
        "probe_r2": probe(game, episodes, latents),
    }


def probe(game: str, episodes: Sequence[Recording], latents: Sequence[Latent]) -> dict[str, float | None]:
    """Return R^2 of a linear probe for the ball's place and velocity (pixels a step) on held-out episodes.

    None where the labels do not vary.
    """
    features, labels, groups = [], [], []
    for i, (episode, latent) in enumerate(zip(episodes, latents, strict=True)):
        assert episode.memory is not None
        place = ball_place(game, episode.memory)
        velocity = np.concatenate([np.full((1, 2), np.nan), np.diff(place, axis=0)])
        features.append(np.asarray(feature(latent)))
        labels.append(np.concatenate([place, velocity], axis=1))
        groups.append(np.full(len(place), i))
    found = linear_probe(np.concatenate(features), np.concatenate(labels), np.concatenate(groups))
    names = ("x", "y", "velocity_x", "velocity_y")
    return {name: float(r2) if np.isfinite(r2) else None for name, r2 in zip(names, found, strict=True)}


def training(lines: run_summary.Lines) -> dict[str, Any]:
    """Return losses over the first and the last tenth of the updates of every level."""
    names = ("reconstruction", "reward", "continuation", "dyn", "rep", "prior_entropy", "posterior_entropy")
    return {
        f"level{level}": {
            name: run_summary.tenths(run_summary.series(lines, level, f"world_model/{name}"))._asdict()
            for name in names
        }
        for level, count in enumerate(run_summary.updates(lines))
        if count
    }


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Return Pearson's correlation; None of nothing, and where one of both does not vary."""
    require_same_shape(a=a, b=b)
    return float(np.corrcoef(a, b)[0, 1]) if len(a) and a.std() > 0 and b.std() > 0 else None


def mean(values: np.ndarray) -> float | None:
    """Return the mean; None of nothing."""
    return float(values.mean()) if len(values) else None
