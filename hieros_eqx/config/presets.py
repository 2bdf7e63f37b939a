"""Presets as functions: each returns a complete configuration."""

from collections.abc import Callable
from dataclasses import replace

from hieros_eqx.config.behaviour import BehaviourConfig, RewardConfig, SubgoalConfig
from hieros_eqx.config.hieros import HierosConfig
from hieros_eqx.config.training import OptimizerConfig, ReplayConfig, TrainingConfig
from hieros_eqx.config.validation import reject
from hieros_eqx.config.world_model import S5Config, WorldModelConfig


def atari100k() -> HierosConfig:
    """Paper size with the first entry of every choice: what we think is best."""
    return HierosConfig()


def paper() -> HierosConfig:
    """Paper size with the variant of the paper or its code wherever there is one (docs/algorithm.md)."""
    base = HierosConfig(preset="paper")
    return replace(
        base,
        world_model=replace(
            base.world_model, bin_space="symlog", upper_loss="symlog_mse", posterior_scale=1.0
        ),
        reward=RewardConfig(subgoal_norm="plain", extrinsic_levels="worker"),
        behaviour=BehaviourConfig(code_log_prob="mean", evaluation_policy="mode"),
        replay=ReplayConfig(latents="frozen", sequence_start="reset"),
    )


def laptop() -> HierosConfig:
    """Sizes for two CPU cores: 20,000 steps of an Atari game in one to one and a half hours."""
    return HierosConfig(
        preset="laptop",
        world_model=WorldModelConfig(
            s5=S5Config(width=96, state=48, num_blocks=2, init_blocks=4),
            stoch=16,
            classes=16,
            deter=128,
            hidden=128,
            cnn_depth=12,
            mlp_width=256,
            bins=63,  # of 255: a fifth of an update otherwise
        ),
        subgoal=SubgoalConfig(hidden=128),
        # with the full size's 3e-4 actors are sure before their models know the game (decision 015)
        behaviour=BehaviourConfig(hidden=128, horizon=10, entropy_scale=3e-3),
        # few updates, small networks: ten times the rates of the full size
        optimizer=OptimizerConfig(world_model_rate=1e-3, actor_critic_rate=3e-4, autoencoder_rate=1e-3),
        training=TrainingConfig(
            env_steps=20_000, batch=4, sequence=32, train_every=2, checkpoint_every=5_000
        ),
    )


def debug() -> HierosConfig:
    """A whole run in seconds; learns nothing."""
    return HierosConfig(
        preset="debug",
        world_model=WorldModelConfig(
            s5=S5Config(width=16, state=8, num_blocks=1, init_blocks=2),
            stoch=4,
            classes=4,
            deter=16,
            hidden=16,
            cnn_depth=4,
            mlp_width=16,
            bins=41,
        ),
        subgoal=SubgoalConfig(factors=4, classes=4, hidden=16),
        behaviour=BehaviourConfig(hidden=16, horizon=4),
        training=TrainingConfig(env_steps=400, batch=2, sequence=8, train_every=4, log_every=50),
    )


PRESETS: dict[str, Callable[[], HierosConfig]] = {
    "atari100k": atari100k,
    "paper": paper,
    "laptop": laptop,
    "debug": debug,
}


def make_preset(name: str) -> HierosConfig:
    """Return a preset by name, or raise `ConfigError` naming those that exist."""
    if not isinstance(name, str) or name not in PRESETS:
        raise reject("preset", name, f"one of {', '.join(PRESETS)}")
    return PRESETS[name]()
