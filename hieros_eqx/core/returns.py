"""Lambda-returns and the weights of imagined states."""

from typing import Any

from jaxtyping import Float

from hieros_eqx.backend import namespace, scan
from hieros_eqx.core.shapes import require_same_shape, require_shape
from hieros_eqx.types import Array


def lambda_return(
    reward: Float[Array, " horizon *batch"],
    value: Float[Array, " horizon *batch"],
    discount: Float[Array, " horizon *batch"],
    bootstrap: Float[Array, "*batch"],
    lambda_: float,
) -> Float[Array, " horizon *batch"]:
    r"""$G_t = r_t + d_t ((1 - \lambda) v_{t+1} + \lambda G_{t+1})$ for t < H.

    DreamerV3, arXiv 2301.04104, section "Actor critic learning". $G_H = v_H$ = `bootstrap`; `value[t]` is
    $v_t$, so `value[0]` is not used. lambda 0 is one step of temporal difference, lambda 1 the discounted
    sum of rewards. Raises `ValueError` if the horizon is empty or shapes do not agree.
    """
    require_same_shape(reward=reward, value=value, discount=discount)
    require_shape("bootstrap", bootstrap, reward.shape[1:])
    xp = namespace(reward, value, discount, bootstrap)
    next_value = xp.concatenate([value[1:], bootstrap[None]])
    one_step = reward + (1.0 - lambda_) * discount * next_value

    def step(later: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        total = now[0] + lambda_ * now[1] * later
        return total, total

    return scan(step, bootstrap, (one_step, discount), reverse=True)[1]


def continuation_weights(
    initial: Float[Array, "*batch"], discount: Float[Array, " horizon *batch"]
) -> Float[Array, " horizon *batch"]:
    r"""$w_t = w_0 \prod_{j < t} d_j$ with $w_0$ = `initial`: how much of imagined state t still exists.

    Raises `ValueError` if shapes do not agree.
    """
    require_shape("initial", initial, discount.shape[1:])
    xp = namespace(initial, discount)
    return xp.cumprod(xp.concatenate([initial[None], discount[:-1]]), axis=0)
