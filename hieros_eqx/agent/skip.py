"""Updates that are not finite: how they are known, and that nothing is left of them but a count."""

from collections.abc import Iterable
from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from hieros_eqx.agent.state import LevelLearner, LevelParams
from hieros_eqx.replay import Draw, RingBuffer
from hieros_eqx.types import Array


def is_finite(
    losses: Iterable[Float[Array, "*kind"]], norms: Iterable[Float[Array, ""]], learner: LevelLearner
) -> Bool[Array, ""]:
    """Return whether everything that an update would keep is finite, by the few numbers that tell.

    `losses` and global `norms` of the gradients before clipping are those of all four parts, `learner` is the
    new one.
    """
    # A norm is finite only if every gradient and its square are. Then so are Adam's moments, which average
    # them, and its step, which is below ten times the rate (of a rate and an eps that leave float32 room: not
    # 1e37, not 1e-39). So parameters and slow critics need no look of their own. A gradient can be finite
    # where its loss is not, so losses count too; that of the world model reads every latent that goes back
    # into replay, and the inputs whose means move centres. Return range and beta owe nothing to gradients.
    # All other metrics are only watched: one that a configuration makes infinite decides nothing.
    numbers = [*losses, *norms, learner.return_range, learner.autoencoder_beta]
    zero_or_nan = jnp.stack([(0 * x).sum().astype(jnp.float32) for x in numbers]).sum()
    return jnp.exp(zero_or_nan) == 1  # a scalar so dear that XLA does not compute it anew in every `where`


def settle(
    finite: Bool[Array, ""],
    before: tuple[LevelParams, LevelLearner],
    after: tuple[LevelParams, LevelLearner],
) -> tuple[LevelParams, LevelLearner]:
    """Return what an update has made, or if it is not `finite` what was there before; count which it was."""
    level, learner = jax.tree.map(lambda old, new: jnp.where(finite, new, old), before, after)
    skipped = 1 - finite.astype(jnp.int32)
    return level, replace(
        learner,
        skipped=learner.skipped + skipped,
        skipped_in_row=(learner.skipped_in_row + skipped) * skipped,
    )


def drop_if(skipped: Float[Array, ""], drawn: Draw, ring: RingBuffer) -> Draw:
    """Return where fresh latents are written: after a skipped update beyond the last environment, so nowhere.

    A `where` over the ring itself would copy it.
    """
    return drawn._replace(env=jnp.where(skipped > 0, ring.num_envs, drawn.env))
