"""Station 5, choosing: which starts are valid, and which of them an update trains on (ETBS or uniform)."""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int32

from hieros_eqx.core import etbs
from hieros_eqx.replay.buffer import RingBuffer
from hieros_eqx.types import Array


class Draw(NamedTuple):
    """Where the sequences of a batch lie. Valid until the next append to the same buffer."""

    env: Any  # int32 [batch]
    start: Any  # int32 [batch]: absolute number of the entry at index 0


def first_start(buffer: RingBuffer) -> Int32[Array, " env"]:
    """Return the number of the oldest entry at which a sequence may start.

    Its predecessor gives the action and the latent before index 0, so it must be in the ring (at levels >= 1
    it may point to entries that are gone). The very first entry opens an episode and needs none.
    """
    wrapped = buffer.count > buffer.capacity
    with_predecessor = jnp.where(wrapped, buffer.count - buffer.capacity + 1, 0)
    return jnp.maximum(buffer.oldest, with_predecessor)


def num_starts(buffer: RingBuffer, length: int) -> Int32[Array, " env"]:
    """Return how many starts of `length` whole entries each environment holds: `first_start` and up.

    Raises `ValueError` for a length below 1.
    """
    if length < 1:
        raise ValueError(f"wanted sequences of at least 1 entry, got {length}.")
    return jnp.maximum(buffer.count - length + 1 - first_start(buffer), 0)


def draw(
    buffer: RingBuffer,
    u_env: Float[Array, " batch"],
    u_index: Float[Array, " batch"],
    length: int,
    *,
    sampling: Literal["etbs", "uniform"],
    temperature: float,
    scale: Literal["held", "capacity"],
) -> Draw:
    """Choose a start for every pair of uniform numbers in [0, 1). At a cost that does not grow with the ring.

    The environment is drawn in proportion to its valid starts, the start among those n by ETBS, with F
    scaled by n (`held`) or, as the paper's code does, by the ring's capacity (`capacity`).
    At least one environment must hold a start (`num_starts`); otherwise the draw means nothing. Raises
    `ValueError` for another `sampling` or `scale`, or a length below 1.
    """
    if sampling not in ("etbs", "uniform") or scale not in ("held", "capacity"):
        raise ValueError(
            f'wanted `sampling` "etbs" or "uniform" and `scale` "held" or "capacity"; got {sampling!r} and '
            f"{scale!r}."
        )
    starts = num_starts(buffer, length)
    ends = jnp.cumsum(starts, dtype=jnp.int32)
    target = _scaled_floor(u_env, jnp.broadcast_to(ends[-1], u_env.shape))
    env = (ends[None, :] <= target[:, None]).sum(axis=-1, dtype=jnp.int32)
    env = jnp.minimum(env, buffer.num_envs - 1)
    size = jnp.maximum(starts[env], 1)
    if sampling == "uniform":
        index = _scaled_floor(u_index, size)
    elif scale == "held":
        index = etbs.index(u_index, size, temperature).astype(jnp.int32)
    else:
        index = capacity_index(u_index, size, temperature, buffer.capacity)
    return Draw(env=env, start=first_start(buffer)[env] + index)


def capacity_index(
    u: Float[Array, "*batch"], size: Int32[Array, "*batch"], temperature: float, capacity: int
) -> Int32[Array, "*batch"]:
    """Return the floor of `tau min(capacity F(u), size - 1) + (1 - tau) u size`, as the paper's code does.

    With `size` much smaller than `capacity`, all but the smallest u land at `tau (size - 1)` or later: the
    oldest entries are almost never drawn.
    """
    n = size.astype(u.dtype)
    balanced = jnp.minimum(capacity * etbs.cdf(u), n - 1)
    index = jnp.floor(temperature * balanced + (1 - temperature) * u * n)
    return jnp.clip(index.astype(jnp.int32), 0, size - 1)


def _scaled_floor(u: Float[Array, " batch"], size: Int32[Array, " batch"]) -> Int32[Array, " batch"]:
    """Return `floor(u size)`, kept below `size` where the product rounds up to it."""
    return jnp.minimum(jnp.floor(u * size.astype(u.dtype)).astype(jnp.int32), size - 1)
