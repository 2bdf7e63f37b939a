"""Station 4, the store: the ring buffer of one level, how it is made and what it weighs."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int16, Int32, UInt8, UInt16

from hieros_eqx.backend import tree_bytes
from hieros_eqx.config import HierosConfig
from hieros_eqx.config.validation import reject
from hieros_eqx.types import ActionSpace, Array, ObservationSpace, Spaces


class RingBuffer(eqx.Module):
    """What replay holds of one level: for every environment the newest `capacity` entries, one slot each.

    Entries carry *absolute numbers*: the n-th entry ever written to an environment (from 0) has number n and
    lies in slot `n % capacity` until entry `n + capacity` replaces it. Classes are stored as indices, where
    -1 stands for a vector of zeros (no action, no code), z as one byte a class, h and state as the bits of
    bfloat16 (`to_bits`).
    """

    # --- one slot per entry ---
    observation: (
        UInt8[Array, "env capacity ..."]
        | Float32[Array, "env capacity ..."]
        | Int32[Array, "env capacity window"]
    )
    """Level 0: image or vector. Levels >= 1: numbers of the entries of the level below, oldest first."""
    action: Int16[Array, "env capacity action_factors"] | Float32[Array, "env capacity action"]
    """Class per factor, or the numbers of a continuous action."""
    code: Int16[Array, "env capacity factors"]
    """The subgoal code received from above."""
    reward: Float32[Array, "env capacity"]
    is_first: Bool[Array, "env capacity"]
    is_last: Bool[Array, "env capacity"]
    is_terminal: Bool[Array, "env capacity"]
    stoch: UInt8[Array, "env capacity stoch"]
    deter: UInt16[Array, "env capacity feature"]
    state: UInt16[Array, "env capacity state"]
    visits: Int32[Array, "env capacity"]
    """How often the entry has been part of a training sequence."""
    # --- one number per environment ---
    count: Int32[Array, " env"]
    """Entries ever written."""
    oldest: Int32[Array, " env"]
    """Number of the oldest entry that is whole: neither it nor what it points to has been overwritten."""
    # --- how the indices are read ---
    action_classes: int = eqx.field(static=True)
    """Classes of each action factor; 0: the action is continuous."""
    code_classes: int = eqx.field(static=True)
    stoch_classes: int = eqx.field(static=True)

    @property
    def capacity(self) -> int:
        """Slots of one environment (with or without a leading seed axis)."""
        return self.reward.shape[-1]

    @property
    def num_envs(self) -> int:
        """Environments (with or without a leading seed axis)."""
        return self.reward.shape[-2]


def init_replay(config: HierosConfig, spaces: Spaces) -> tuple[RingBuffer, ...]:
    """Return empty ring buffers, lowest level first. No two leaves share memory, so they can be donated.

    Raises `ConfigError` if a ring forgets so early that the level above could never hold a whole sequence.
    """
    _check_pointers_live_long_enough(config)
    return tuple(_init_level(config, spaces, level) for level in range(config.levels))


def replay_bytes(config: HierosConfig, spaces: Spaces) -> int:
    """Return the memory in bytes that `init_replay` would take, without taking it."""
    return tree_bytes(jax.eval_shape(lambda: init_replay(config, spaces)))


def to_bits(x: Float[Array, "*shape"]) -> UInt16[Array, "*shape"]:
    """Round to bfloat16 and return its bits.

    A ring of bfloat16 itself would be widened to float32 and back, whole, by every scatter on a CPU.
    """
    return lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.uint16)


def from_bits(bits: UInt16[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """Return the float32 numbers that `to_bits` has kept."""
    return lax.bitcast_convert_type(bits, jnp.bfloat16).astype(jnp.float32)


def _init_level(config: HierosConfig, spaces: Spaces, level: int) -> RingBuffer:
    slots = (config.env.num_envs, config.capacity(level))
    subgoal, world_model = config.subgoal, config.world_model
    if level == 0:
        observation = _empty_observations(slots, spaces.observation)
        action, action_classes = _empty_actions(slots, spaces.action)
    else:
        observation = jnp.zeros((*slots, config.window), jnp.int32)
        action = jnp.full((*slots, subgoal.factors), -1, jnp.int16)
        action_classes = subgoal.classes
    return RingBuffer(
        observation=observation,
        action=action,
        code=jnp.full((*slots, subgoal.factors), -1, jnp.int16),
        reward=jnp.zeros(slots, jnp.float32),
        is_first=jnp.zeros(slots, jnp.bool_),
        is_last=jnp.zeros(slots, jnp.bool_),
        is_terminal=jnp.zeros(slots, jnp.bool_),
        stoch=jnp.zeros((*slots, world_model.stoch), jnp.uint8),
        deter=jnp.zeros((*slots, world_model.deter), jnp.uint16),
        state=jnp.zeros((*slots, world_model.state_size), jnp.uint16),
        visits=jnp.zeros(slots, jnp.int32),
        count=jnp.zeros(slots[:1], jnp.int32),
        oldest=jnp.zeros(slots[:1], jnp.int32),
        action_classes=action_classes,
        code_classes=subgoal.classes,
        stoch_classes=world_model.classes,
    )


def _empty_observations(slots: tuple[int, int], space: ObservationSpace) -> Array:
    return jnp.zeros((*slots, *space.shape), jnp.uint8 if space.kind == "image" else jnp.float32)


def _empty_actions(slots: tuple[int, int], space: ActionSpace) -> tuple[Array, int]:
    if space.kind == "continuous":
        return jnp.zeros((*slots, space.size), jnp.float32), 0
    return jnp.full((*slots, 1), -1, jnp.int16), space.size


def _check_pointers_live_long_enough(config: HierosConfig) -> None:
    """Where rings wrap, the level below must span the windows of T entries made k of its steps apart."""
    if config.replay.capacity is None or config.replay.capacity >= config.training.env_steps:
        return
    needed = config.macro_length * config.training.sequence + config.window - 1
    for level in range(config.levels - 1):
        if config.capacity(level) < needed:
            raise reject(
                "replay.capacity",
                config.replay.capacity,
                f"at least {needed} entries of level {level} in each environment (here "
                f"{config.capacity(level)}), so that level {level + 1} holds a sequence of "
                f"training.sequence = {config.training.sequence}",
                "Take a larger replay.capacity (or null), shorter sequences or fewer levels.",
            )
