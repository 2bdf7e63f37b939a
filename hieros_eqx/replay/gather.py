"""Station 5, reading: the drawn entries as a time-major `Batch`. The only transposition in the project."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float32, Int32

from hieros_eqx.core.alignment import previous_action
from hieros_eqx.core.nn import one_hot
from hieros_eqx.replay.buffer import RingBuffer, from_bits
from hieros_eqx.replay.sample import Draw
from hieros_eqx.types import Array, Batch, Latent, Window


def gather(
    replay: tuple[RingBuffer, ...],
    level: int,
    draw: Draw,
    length: int,
    *,
    sequence_start: Literal["stored", "reset"],
) -> Batch:
    """Read `length` entries of a level from every start, and the context before them.

    Classes come back as float32 one-hots, latents as float32. Levels >= 1 read what they observed through
    their pointers, so they see the latents that the level below holds *now*.
    With `sequence_start = "reset"` every sequence claims to open an episode. Raises `ValueError` for a level
    that is not there, a length below 1 or another `sequence_start`.
    """
    if not (0 <= level < len(replay) and length >= 1 and sequence_start in ("stored", "reset")):
        raise ValueError(
            f"wanted a level from 0 to {len(replay) - 1}, length >= 1 and `sequence_start` stored or reset, "
            f"got {level}, {length} and {sequence_start!r}."
        )
    buffer = replay[level]
    slot = slots(buffer, draw, length)
    env = jnp.broadcast_to(draw.env[None, :], slot.shape)
    is_first = buffer.is_first[env, slot]
    if sequence_start == "reset":
        is_first = is_first.at[0].set(True)
    action = _actions(buffer, env, slot)
    before, action_before = _context(buffer, draw)
    observation = buffer.observation[env, slot]
    return Batch(
        observation=_window(replay[level - 1], env, observation) if level else observation,
        action=action,
        previous_action=previous_action(action, is_first, action_before),
        code=one_hot(buffer.code[env, slot], buffer.code_classes, jnp.float32),
        reward=buffer.reward[env, slot],
        is_first=is_first,
        is_last=buffer.is_last[env, slot],
        is_terminal=buffer.is_terminal[env, slot],
        before=before,
    )


def slots(buffer: RingBuffer, draw: Draw, length: int) -> Int32[Array, "time batch"]:
    """Return the slot of every drawn entry."""
    time = jnp.arange(length, dtype=jnp.int32)
    return (draw.start[None, :] + time[:, None]) % buffer.capacity


def _actions(buffer: RingBuffer, env: Array, slot: Array) -> Float32[Array, "*batch action"]:
    stored = buffer.action[env, slot]
    if not buffer.action_classes:
        return stored
    vectors = one_hot(stored, buffer.action_classes, jnp.float32)  # -1 gives zeros
    return vectors.reshape(*stored.shape[:-1], -1)


def _context(buffer: RingBuffer, draw: Draw) -> tuple[Latent, Float32[Array, "batch action"]]:
    """Return latent and action of the entry before each start, zeros where there is none."""
    slot = (draw.start - 1) % buffer.capacity
    exists = draw.start > 0
    stoch, deter = _latents(buffer, draw.env, slot)
    latent = Latent(
        stoch=stoch,
        deter=deter,
        state=from_bits(buffer.state[draw.env, slot]),
        entropy=jnp.zeros(draw.env.shape, jnp.float32),
    )

    def keep(x: Any) -> Any:
        return jnp.where(exists.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.zeros_like(x))

    return jax.tree.map(keep, (latent, _actions(buffer, draw.env, slot)))


def _window(below: RingBuffer, env: Array, pointer: Int32[Array, "time batch window"]) -> Window:
    stoch, deter = _latents(below, env[..., None], pointer % below.capacity)
    return Window(stoch=stoch, deter=deter)


def _latents(buffer: RingBuffer, env: Array, slot: Array) -> tuple[Array, Array]:
    index = buffer.stoch[env, slot].astype(jnp.int32)
    stoch = one_hot(index, buffer.stoch_classes, jnp.float32)
    return stoch, from_bits(buffer.deter[env, slot])
