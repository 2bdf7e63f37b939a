"""After an update: the fresh latents of the drawn entries go back, and their visits are counted."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Bool, Int32

from hieros_eqx.replay.buffer import RingBuffer, to_bits
from hieros_eqx.replay.gather import slots
from hieros_eqx.replay.sample import Draw
from hieros_eqx.types import Array, Latent


def write_back(buffer: RingBuffer, draw: Draw, latent: Latent) -> RingBuffer:
    """Replace z, h and state of the drawn entries by those of `latent`, `[time batch ...]`.

    Where sequences of the batch overlap, an entry takes all three from the sequence that reached it with the
    longest run-in (of equals: the last), so the result is whole and does not depend on the device's order.
    """
    slot = slots(buffer, draw, latent.deter.shape[0])
    spare = buffer.capacity + jnp.arange(slot.size, dtype=jnp.int32).reshape(slot.shape)  # dropped
    slot = jnp.where(_decides(draw, slot.shape[0]), slot, spare)
    env = jnp.broadcast_to(draw.env[None, :], slot.shape)

    def put(held: Array, fresh: Array) -> Array:
        return held.at[env, slot].set(fresh.astype(held.dtype), mode="drop", unique_indices=True)

    return replace(
        buffer,
        stoch=put(buffer.stoch, jnp.argmax(latent.stoch, axis=-1)),
        deter=put(buffer.deter, to_bits(latent.deter)),
        state=put(buffer.state, to_bits(latent.state)),
    )


def count_visits(buffer: RingBuffer, draw: Draw, length: int) -> RingBuffer:
    """Count one visit for every time that an entry occurs in the drawn sequences."""
    visits = buffer.visits.at[draw.env[None, :], slots(buffer, draw, length)].add(1)
    return replace(buffer, visits=visits)


def _decides(draw: Draw, length: int) -> Bool[Array, "time batch"]:
    """Whether a drawn entry is reached by no sequence that takes precedence."""
    order = jnp.arange(draw.env.shape[0], dtype=jnp.int32)
    earlier = draw.start[None, :] < draw.start[:, None]
    last_of_equals = (draw.start[None, :] == draw.start[:, None]) & (order[None, :] > order[:, None])
    same_env = draw.env[None, :] == draw.env[:, None]
    precedes = same_env & (earlier | last_of_equals)  # [batch other]
    entry: Int32[Array, "time batch"] = draw.start[None, :] + jnp.arange(length, dtype=jnp.int32)[:, None]
    beyond_other = entry[:, :, None] >= (draw.start + length)[None, None, :]
    return ~(precedes[None] & ~beyond_other).any(axis=-1)
