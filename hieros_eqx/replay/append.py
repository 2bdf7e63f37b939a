"""Station 4, writing: one masked append per environment and level, and which entries it leaves whole."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Int16

from hieros_eqx.replay.buffer import RingBuffer, to_bits
from hieros_eqx.types import Array, Transition


def record(
    replay: tuple[RingBuffer, ...],
    transitions: tuple[Transition, ...],
    due: tuple[Bool[Array, " env"], ...],
) -> tuple[RingBuffer, ...]:
    """Append one entry to every level, in the environments where that level is `due`.

    The levels are written from the lowest up, so that age 0 in an upper level's observation is the entry
    that the level below has received in this very call. Costs O(1) per entry if `replay` is donated.
    """
    written: list[RingBuffer] = []
    for buffer, transition, mask in zip(replay, transitions, due, strict=True):
        if written:
            pointers = written[-1].count[:, None] - 1 - transition.observation.astype(jnp.int32)
            transition = transition._replace(observation=pointers)
        buffer = _append(buffer, transition, mask)
        written.append(_forget(buffer, written[-1]) if written else buffer)
    return tuple(written)


def _append(buffer: RingBuffer, transition: Transition, due: Bool[Array, " env"]) -> RingBuffer:
    env = jnp.arange(buffer.num_envs, dtype=jnp.int32)
    slot = jnp.where(due, buffer.count % buffer.capacity, buffer.capacity)  # beyond the end: dropped

    def put(slots: Array, entry: Array) -> Array:
        at = slots.at[env, slot]
        return at.set(entry.astype(slots.dtype), mode="drop", unique_indices=True)

    action = transition.action
    if buffer.action_classes:
        factors = action.reshape(buffer.num_envs, buffer.action.shape[-1], buffer.action_classes)
        action = class_indices(factors)
    count = buffer.count + due.astype(jnp.int32)
    return replace(
        buffer,
        observation=put(buffer.observation, transition.observation),
        action=put(buffer.action, action),
        code=put(buffer.code, class_indices(transition.code)),
        reward=put(buffer.reward, transition.reward),
        is_first=put(buffer.is_first, transition.is_first),
        is_last=put(buffer.is_last, transition.is_last),
        is_terminal=put(buffer.is_terminal, transition.is_terminal),
        stoch=put(buffer.stoch, jnp.argmax(transition.latent.stoch, axis=-1)),
        deter=put(buffer.deter, to_bits(transition.latent.deter)),
        state=put(buffer.state, to_bits(transition.latent.state)),
        visits=put(buffer.visits, jnp.zeros_like(count)),
        count=count,
        oldest=jnp.maximum(buffer.oldest, count - buffer.capacity),
    )


def _forget(buffer: RingBuffer, below: RingBuffer) -> RingBuffer:
    """Move `oldest` past the entries whose oldest pointer has just been overwritten in the level below.

    An append below overwrites one entry q. Oldest pointers never decrease from entry to entry, so what has
    become invalid lies next to `oldest`. A window holds distinct neighbours of one episode (its first latent
    fills what is missing) and its newest pointer grows with every entry, hence at most `window` entries have
    q as their oldest pointer (two of them where an episode ends within its first macro-step). Looking at
    `window` entries therefore keeps `oldest` exact.
    """
    env = jnp.arange(buffer.num_envs, dtype=jnp.int32)[:, None]
    window = buffer.observation.shape[-1]
    entry = buffer.oldest[:, None] + jnp.arange(window, dtype=jnp.int32)[None, :]
    oldest_pointer = buffer.observation[env, entry % buffer.capacity, 0]
    overwritten = oldest_pointer < (below.count - below.capacity)[:, None]
    gone = jnp.cumprod((overwritten & (entry < buffer.count[:, None])).astype(jnp.int32), axis=-1)
    return replace(buffer, oldest=buffer.oldest + gone.sum(axis=-1, dtype=jnp.int32))


def class_indices(
    one_hot: Float[Array, "*batch factors classes"] | Int[Array, "*batch factors classes"],
) -> Int16[Array, "*batch factors"]:
    """Return the class of each one-hot vector, -1 for a vector of zeros."""
    index = jnp.argmax(one_hot, axis=-1).astype(jnp.int16)
    return jnp.where((one_hot != 0).any(axis=-1), index, jnp.full_like(index, -1))
