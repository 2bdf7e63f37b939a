"""Small agents that can be updated without having played, and what updates have left of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

SMALL = {
    "world_model": {"s5": {"double": False}, "head_layers": 1, "mlp_layers": 1},
    "behaviour": {"layers": 1},
    "subgoal": {"layers": 1},
}
ENTRIES = 12


def stocked(replay, rng):
    """Return rings with entries to draw from: noise for observations, all else as in empty slots."""

    def stock(ring):
        ring = eqx.tree_at(lambda r: r.count, ring, jnp.full_like(ring.count, ENTRIES))
        if not jnp.issubdtype(ring.observation.dtype, jnp.floating):
            return ring  # numbers of entries below: all of the first
        noise = jnp.asarray(rng.normal(size=ring.observation.shape), ring.observation.dtype)
        return eqx.tree_at(lambda r: r.observation, ring, noise)

    return tuple(map(stock, replay))


def numbers(tree):
    """Return the leaves of a tree by name, on the host."""
    return {jax.tree_util.keystr(path): np.array(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def counted(name):
    return name.endswith(("skipped", "skipped_in_row"))


def assert_same(got, wanted):
    """Assert that two trees have the same bits, but for the counts of skipped updates."""
    got, wanted = numbers(got), numbers(wanted)
    assert list(got) == list(wanted)
    differ = [name for name in got if got[name].tobytes() != wanted[name].tobytes() and not counted(name)]
    assert differ == []


def counts(learner):
    return int(learner.updates), int(learner.skipped), int(learner.skipped_in_row)


def changed(got, old):
    """Return the share of leaves that have changed."""
    pairs = zip(numbers(got).values(), numbers(old).values(), strict=True)
    return np.mean([not np.array_equal(x, y) for x, y in pairs])
