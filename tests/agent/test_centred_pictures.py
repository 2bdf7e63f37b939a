"""A world model that takes pictures less their running mean, over whole updates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent.init import init_params
from hieros_eqx.agent.learn import learn_world_model
from hieros_eqx.agent.optimizers import init_optimizer, world_model_optimizer
from hieros_eqx.types import ActionSpace, Batch, ObservationSpace, Spaces
from tests.agent.conftest import tiny

T, B = 4, 2
SPACES = Spaces(
    observation=ObservationSpace(kind="image", shape=(16, 16, 3)),
    action=ActionSpace(kind="discrete", size=5),
)
QUIET = {"centre_pictures": True, "picture_scale": 1e-3}


def batch_of(rng, model) -> Batch:
    """Pictures of noise around a background that is the same in all."""
    background, noise = rng.integers(40, 200, (16, 16, 3)), rng.integers(-30, 30, (T, B, 16, 16, 3))
    action, flag = np.eye(5, dtype=np.float32)[rng.integers(5, size=(T, B))], np.zeros((T, B), bool)
    return Batch(
        observation=jnp.asarray((background + noise).astype(np.uint8)),
        action=action,
        previous_action=action,
        code=np.zeros((T, B, 4, 4), np.float32),
        reward=np.zeros((T, B), np.float32),
        is_first=flag,
        is_last=flag,
        is_terminal=flag,
        before=model.initial((B,)),
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_batch_is_seen_less_the_mean_of_all_so_far(rng, precision):
    """The first, too: a decoder that says nothing errs by the variance of the pictures alone."""
    config = tiny(levels=1, world_model=QUIET, precision=precision)
    model = init_params(config, SPACES, jax.random.key(0)).worker.world_model
    state = init_optimizer(world_model_optimizer(config.optimizer), model)
    batches = [batch_of(rng, model) for _ in range(2)]
    learn = jax.jit(learn_world_model, static_argnames="config")
    for n, batch in enumerate(batches, start=1):
        model, state, _, metrics, _ = learn(model, state, batch, jax.random.key(n), config=config)
        shown = np.concatenate([np.asarray(one.observation) / 255 for one in batches[:n]])
        mean = shown.mean(axis=(0, 1))
        for centre in (model.encoder.centre, model.predictions.decoder.centre):
            np.testing.assert_allclose(centre.mean, mean - 0.5, atol=1e-6)
            assert centre.mean.dtype == jnp.float32 and centre.batches == n
        error = np.square(np.asarray(batch.observation) / 255 - mean).sum(axis=(-3, -2, -1)).mean()
        assert metrics.reconstruction == pytest.approx(error, rel=0.05)
