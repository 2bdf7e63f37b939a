"""Small modules and inputs; all sizes differ, so that exchanged axes are noticed."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hieros_eqx.config import S5Config, WorldModelConfig
from hieros_eqx.modules import WORLD_MODELS, WindowSpec
from hieros_eqx.types import Latent, ObservationSpace, Window

T, B, A = 7, 3, 2
TINY = WorldModelConfig(
    s5=S5Config(width=6, state=4, num_blocks=2, init_blocks=2),
    stoch=3,
    classes=4,
    deter=5,
    hidden=9,
    cnn_depth=2,
    mlp_width=8,
    bins=21,
    free_nats=0.0,
)
VECTOR = ObservationSpace(kind="vector", shape=(10,))
IMAGE = ObservationSpace(kind="image", shape=(32, 16, 3))
WINDOW = WindowSpec(window=2, stoch=3, classes=4, deter=5)


def tiny(**changes):
    s5 = {name: changes.pop(name) for name in list(changes) if hasattr(TINY.s5, name)}
    return replace(TINY, s5=replace(TINY.s5, **s5), **changes)


def float32_jax(tree):
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32 if x.dtype.kind == "f" else x.dtype), tree)


def filled(make, rng):
    """The module that `make(key=...)` returns, in NumPy float64, with random numbers for all its parameters.

    None is zero or one by design, and JAX compiles nothing: only the shapes come from the constructor.
    """

    def fill(path, leaf):
        name = getattr(path[-1], "name", None)
        x = rng.normal(size=leaf.shape)
        if name == "eigenvalues":
            return np.stack([0.5 * x[:, 0] - 0.5, 3 * x[:, 1]], axis=-1)
        if name == "log_step":
            return x - 3
        if name == "scale":
            return 1 + 0.3 * x
        return x / (np.prod(leaf.shape[:-1]) + 1e-9) ** 0.5 if name == "weight" else 0.3 * x

    shapes = eqx.filter_eval_shape(make, key=jax.random.key(0))
    return jax.tree_util.tree_map_with_path(fill, shapes)


def world_model(rng, observation=VECTOR, **changes):
    config = tiny(**changes)
    return filled(lambda key: WORLD_MODELS[config.kind](config, observation, A, key=key), rng)


def one_hots(rng, *shape):
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]


def observations(rng, observation, *lead):
    if observation is WINDOW:
        return Window(one_hots(rng, *lead, 2, 3, 4), rng.normal(size=(*lead, 2, 5)))
    if observation.kind == "image":
        return rng.integers(256, size=(*lead, *observation.shape)).astype(np.uint8)
    return 3 * rng.normal(size=(*lead, *observation.shape))


def latent(rng, *lead, config=TINY):
    return Latent(
        one_hots(rng, *lead, 3, 4),
        rng.normal(size=(*lead, 5)),
        rng.normal(size=(*lead, config.state_size)),
        rng.random(lead),
    )


def sequence(rng, observation=VECTOR, config=TINY):
    """Arguments of `observe` after `prepared`: resets differ between the sequences, the first has none."""
    is_first = np.zeros((T, B), bool)
    is_first[[0, 4, 3, 4], [1, 1, 2, 2]] = True
    return (
        observations(rng, observation, T, B),
        rng.normal(size=(T, B, A)),
        is_first,
        latent(rng, B, config=config),
        rng.gumbel(size=(T, B, 3, 4)),
    )
