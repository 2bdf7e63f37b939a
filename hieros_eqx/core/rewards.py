"""Intrinsic rewards: reaching the subgoal, and seeing what the subgoal autoencoder does not know."""

from typing import Literal

from jaxtyping import Float

from hieros_eqx.backend import namespace
from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.types import Array

NORM_EPSILON = 1e-12  # keeps norms of zero vectors, and their gradients, finite


def subgoal_reward(
    goal: Float[Array, "*batch feature"], state: Float[Array, "*batch feature"], squared: bool = True
) -> Float[Array, "*batch"]:
    r"""$g \cdot h / \max(|g|, |h|)^2$, before clipping at zero; with `squared` false the power is one.

    The squared form lies in [-1, 1] and is 1 only where state and goal are equal (max-cosine of Director,
    arXiv 2206.04114, eq. 5). A zero goal gives 0, with finite gradient. Raises `ValueError` if shapes differ.
    """
    require_same_shape(goal=goal, state=state)
    xp = namespace(goal, state)
    product = xp.sum(goal * state, axis=-1)
    return _over_larger(product, xp.sum(goal * goal, axis=-1), xp.sum(state * state, axis=-1), squared)


def mean_subgoal_reward(
    goals: Float[Array, "goal feature"], state: Float[Array, "*batch feature"], squared: bool = True
) -> Float[Array, "*batch"]:
    r"""What a state earns on average for one of several goals: $\frac1n \sum_j \max(0, r(g_j, h))$.

    $r$ is `subgoal_reward`. In time and space `n` times as much as one goal, but for the features. A state
    that resembles all goals earns it for each: this is what a level gets without following its own. Raises
    `ValueError` unless goals and state have as many features.
    """
    if goals.shape[-1] != state.shape[-1]:
        raise ValueError(f"wanted as many features of goals and state; got {goals.shape} and {state.shape}.")
    xp = namespace(goals, state)
    flat = state.reshape(-1, state.shape[-1])
    goal_square, state_square = xp.sum(goals * goals, axis=-1), xp.sum(flat * flat, axis=-1)
    reward = _over_larger(flat @ goals.T, goal_square[None], state_square[:, None], squared)
    return xp.maximum(reward, 0).mean(axis=-1).reshape(state.shape[:-1])


def novelty_reward(
    state: Float[Array, "*batch feature"],
    reconstruction: Float[Array, "*batch feature"],
    norm: Literal["l2", "mse"] = "l2",
) -> Float[Array, "*batch"]:
    r"""How badly the autoencoder knows a state: $|h - \hat h|$ (`l2`) or the mean square (`mse`).

    Raises `ValueError` for another `norm`, or if shapes differ.
    """
    require_same_shape(state=state, reconstruction=reconstruction)
    xp = namespace(state, reconstruction)
    square = xp.square(state - reconstruction)
    if norm == "l2":
        return xp.sqrt(xp.sum(square, axis=-1) + NORM_EPSILON**2)
    if norm == "mse":
        return xp.mean(square, axis=-1)
    raise ValueError(f'`norm` must be "l2" or "mse"; got {norm!r}.')


def _over_larger(product: Array, goal_square: Array, state_square: Array, squared: bool) -> Array:
    """Divide a scalar product by the larger of both norms, once or twice."""
    xp = namespace(product)
    norm = xp.sqrt(xp.maximum(goal_square, state_square) + NORM_EPSILON**2)
    once = product / norm
    return once / norm if squared else once  # twice: the square would underflow in gradients
