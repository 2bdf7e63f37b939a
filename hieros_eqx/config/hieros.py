"""The configuration of a whole agent and run: one frozen tree."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from hieros_eqx.config.behaviour import BehaviourConfig, RewardConfig, SubgoalConfig
from hieros_eqx.config.training import EnvConfig, OptimizerConfig, ReplayConfig, TrainingConfig
from hieros_eqx.config.validation import option, reject, validate
from hieros_eqx.config.world_model import WorldModelConfig


@dataclass(frozen=True, kw_only=True)
class HierosConfig:
    """All that decides a run. Hashable, immutable, plain JSON (`to_dict`, `from_dict`)."""

    SECTION: ClassVar[str] = ""

    preset: str = "atari100k"
    """Name of the preset that this configuration started from."""
    levels: int = option(3, at_least=1, at_most=8)
    macro_length: int = option(4, at_least=2)
    """Macro-step k: a level acts once in k steps of the level below."""
    intermediate_states: bool = True
    """Higher levels see all k latents of a macro-step (true) or only the last (false)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the products while training; parameters, sums, losses and SSM states are float32 anyway."""
    env: EnvConfig = field(default_factory=EnvConfig)
    world_model: WorldModelConfig = field(default_factory=WorldModelConfig)
    subgoal: SubgoalConfig = field(default_factory=SubgoalConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    behaviour: BehaviourConfig = field(default_factory=BehaviourConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self):
        validate(self)
        least = self.env.num_envs * (self.training.sequence + 1)
        if self.replay.capacity is not None and self.replay.capacity < least:
            raise reject(
                "replay.capacity",
                self.replay.capacity,
                f">= {least}, one sequence and the step before it for every environment",
                "Take shorter sequences (training.sequence), fewer environments or null.",
            )

    @property
    def window(self) -> int:
        """Latents of the level below that a level >= 1 observes at once."""
        return self.macro_length if self.intermediate_states else 1

    @property
    def of_upper(self) -> "HierosConfig":
        """What levels >= 1 learn by."""
        scale = self.behaviour.upper_entropy_scale
        if scale is None:
            return self
        return replace(self, behaviour=replace(self.behaviour, entropy_scale=scale))

    @property
    def has_upper(self) -> bool:
        """Whether there is a hierarchy at all."""
        return self.levels > 1

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of the run: those trained side by side, or the one."""
        return self.training.seeds or (self.training.seed,)

    def for_seed(self, seed: int) -> "HierosConfig":
        """Return the configuration of a run of one of the seeds alone."""
        return replace(self, training=replace(self.training, seed=seed, seeds=()))

    def period(self, level: int) -> int:
        """Environment steps between two actions of a level, `k**level`."""
        return self.macro_length**level

    def discount(self, level: int) -> float:
        """Discount per step of a level."""
        per_environment = self.behaviour.discount_time == "environment"
        return self.behaviour.discount ** (self.period(level) if per_environment else 1)

    def capacity(self, level: int) -> int:
        """Replay entries per environment of a level.

        Above level 0 an episode's end closes macro-steps early: a quarter and two sequences more than
        `steps / k**level` leave room for that.
        """
        steps = self.replay.capacity or self.training.env_steps
        per_env = -(-steps // self.env.num_envs)
        if level == 0:
            return max(per_env, self.training.sequence + 1)
        nominal = -(-per_env // self.period(level))
        return nominal + nominal // 4 + 2 * self.training.sequence

    def train_start(self, level: int) -> int:
        """Environment step from which a level is trained: every environment holds B + T of its entries."""
        entries = self.training.sequence + self.training.batch
        return self.period(level) * entries * self.env.num_envs

    def train_period(self, level: int) -> int:
        """Environment steps between two updates of a level."""
        return self.period(level) * self.training.train_every
