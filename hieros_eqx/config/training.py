"""Replay, optimisers, environments and the schedule of a run (docs/algorithm.md, sections 6 to 8)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from hieros_eqx.config.validation import option, reject, validate

LEAST_EPS = 1e-20  # what float32 flushes to zero would divide by zero


@dataclass(frozen=True, kw_only=True)
class ReplayConfig:
    """Ring buffers and how sequences are drawn from them."""

    SECTION: ClassVar[str] = "replay"

    capacity: int | None = option(None, at_least=2)
    """Entries of the lowest level over all environments; null: the environment steps of the run."""
    sampling: Literal["etbs", "uniform"] = "etbs"
    temperature: float = option(0.3, at_least=0, at_most=1)
    """ETBS's tau: 0 draws uniformly, larger moves mass towards recent entries."""
    etbs_scale: Literal["held", "capacity"] = "held"
    latents: Literal["refreshed", "frozen"] = "refreshed"
    """Whether every update writes its fresh latents back."""
    sequence_start: Literal["stored", "reset"] = "stored"
    """Recurrent state at the start of a drawn sequence: as stored, or as at an episode's start."""

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam with global-norm clipping and linear warm-up; no weight decay."""

    SECTION: ClassVar[str] = "optimizer"

    world_model_rate: float = option(1e-4, at_least=0, at_most=1)
    actor_critic_rate: float = option(3e-5, at_least=0, at_most=1)
    autoencoder_rate: float = option(1e-4, at_least=0, at_most=1)
    world_model_eps: float = option(1e-8, at_least=LEAST_EPS)
    actor_critic_eps: float = option(1e-5, at_least=LEAST_EPS)
    autoencoder_eps: float = option(1e-6, at_least=LEAST_EPS)
    world_model_clip: float = option(1000.0, above=0)
    actor_critic_clip: float = option(100.0, above=0)
    autoencoder_clip: float = option(100.0, above=0)
    warmup: int = option(0, at_least=0)
    """Updates over which the world model's learning rate grows linearly."""

    def __post_init__(self):
        validate(self)


@dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """Which environment, and by which library it is stepped."""

    SECTION: ClassVar[str] = "env"

    game: str | None = None
    """An Atari game under the Atari100k protocol."""
    id: str | None = None
    """Any other environment: an id, or `module:factory`."""
    backend: Literal["auto", "envpool", "ale", "gymnasium"] = "auto"
    keys: tuple[str, ...] = ()
    """Entries of a Dict observation that are used; none: all."""
    num_envs: int = option(1, at_least=1, at_most=65_536)
    threads: int | None = option(None, at_least=1, at_most=1024)
    max_episode_frames: int = option(108_000, at_least=4)
    """Frames (four a step) after which an Atari episode is cut."""

    def __post_init__(self):
        validate(self)
        if self.game is not None and self.id is not None:
            raise reject(
                f"{self.SECTION}.id", self.id, f"null beside env.game = {self.game!r}", "Give one of both."
            )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Length and cadence of a run."""

    SECTION: ClassVar[str] = "training"

    env_steps: int = option(100_000, at_least=1)
    """Environment steps (agent steps, resets included) of every seed, summed over its environments."""
    seed: int = option(0, at_least=0)
    seeds: tuple[int, ...] = ()
    """Seeds trained side by side as one program; none: `seed` alone. One entry is the same as `seed`."""
    batch: int = option(16, at_least=1)
    """Sequences B of one update."""
    sequence: int = option(64, at_least=2)
    """Steps T of one sequence."""
    train_every: int = option(1, at_least=1)
    """Environment steps between updates of level 0; level i trains `k**i` times less often."""
    max_skipped_updates: int = option(10, at_least=1)
    """Updates of a level in a row that are skipped, because they are not finite, when a run is stopped."""
    log_every: int = option(250, at_least=1)
    """Environment steps between lines of metrics."""
    checkpoint_every: int = option(10_000, at_least=1)
    """Environment steps between checkpoints."""
    checkpoint_minutes: float | None = option(10.0, above=0)
    """Minutes after which one is written anyway; null: never."""
    keep_checkpoints: int = option(2, at_least=1)
    """Newest checkpoints that are kept, besides the best."""

    def __post_init__(self):
        validate(self)
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds, default=0) < 0:
            raise reject(f"{self.SECTION}.seeds", self.seeds, "different whole numbers >= 0")
        if len(self.seeds) == 1:  # so that a run of one seed has one configuration
            object.__setattr__(self, "seed", self.seeds[0])
            object.__setattr__(self, "seeds", ())
