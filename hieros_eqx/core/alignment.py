"""The one shift in time: from the action chosen at a step to the action that led to it."""

from jaxtyping import Bool, Float

from hieros_eqx.backend import namespace
from hieros_eqx.core.shapes import require_shape
from hieros_eqx.types import Array


def previous_action(
    action: Float[Array, "time *batch action"],
    is_first: Bool[Array, " time *batch"],
    before: Float[Array, "*batch action"] | None = None,
) -> Float[Array, "time *batch action"]:
    """`action[t-1]` at index t; zero where `is_first[t]`, for nothing led to an episode's first observation.

    `action[t]` is chosen at `observation[t]`, so the world model explains `observation[t]` by `action[t-1]`.
    Index 0 is `before`, the action before the sequence (default zeros). Raises `ValueError` if shapes do not
    agree.
    """
    require_shape("is_first", is_first, action.shape[:-1])
    xp = namespace(action, is_first, before)
    start = xp.zeros_like(action[:1]) if before is None else before[None]
    shifted = xp.concatenate([start, action[:-1]])
    return xp.where(is_first[..., None], xp.zeros_like(shifted), shifted)
