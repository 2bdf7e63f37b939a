"""The pieces of one level's update, each as a program of its own with inputs from the same state."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hieros_eqx.agent import learn
from hieros_eqx.agent.imagine import imagine
from hieros_eqx.agent.levels import level_params, slice_level
from hieros_eqx.agent.observe import world_model_loss
from hieros_eqx.agent.optimizers import apply_gradients, world_model_optimizer
from hieros_eqx.agent.state import HierosState
from hieros_eqx.agent.subgoal import goal_metrics
from hieros_eqx.config import HierosConfig
from hieros_eqx.core.normalise import ema
from hieros_eqx.modules import Precision
from hieros_eqx.replay import write_back

_update = importlib.import_module("hieros_eqx.agent.update")


class Part(NamedTuple):
    """A function and its arguments; with `carried` the first is donated, and comes back first."""

    function: Callable[..., Any]
    args: tuple
    carried: bool = False


def parts(state: HierosState, level: int = 0) -> dict[str, Part]:
    """Return the pieces of one level's update. Those that begin with a dash are pieces of the one above."""
    config = state.config if level == 0 else state.config.of_upper
    keys = jax.random.split(jax.random.key(1), 4)
    own = level_params(state.params, level)
    learner = state.learner.worker if level == 0 else slice_level(state.learner.upper, level - 1)
    _, _, batch = jax.jit(_update.sample_batch, static_argnums=(1, 3))(state.replay, level, keys[0], config)
    gumbel = jax.random.gumbel(keys[1], learn._posterior_shape(batch, config), jnp.float32)
    latent = jax.jit(_posteriors)(own.world_model, batch, gumbel)
    starts, code, alive = learn.imagination_starts(latent, batch)
    rollout = jax.jit(partial(imagine, config=config.behaviour))(own, starts, code, keys[2])
    rings = jax.tree.map(jnp.copy, state.replay)  # to be donated; the state's own stay
    return {
        "replay": Part(partial(_replay, level=level, config=config), (rings, latent, keys[0]), True),
        "world model": Part(partial(_world_model, config=config), (own.world_model, batch, gumbel)),
        **{f"- {name}": part for name, part in _inside_world_model(own, batch, latent, config).items()},
        "imagination": Part(partial(_imagination, config=config), (own, starts, code, keys[2])),
        "behaviour": Part(
            partial(learn._learn_behaviour, config=config), (own, learner, rollout, code, alive)
        ),
        "autoencoder": Part(
            partial(learn._learn_autoencoder, config=config), (own, learner, rollout.deter, keys[3])
        ),
        "goals": Part(
            partial(goal_metrics, config=config.reward),
            (own.autoencoder, batch.code, latent.deter, batch.is_first),
        ),
        "optimiser": Part(
            partial(_optimiser, config=config),
            (own.world_model, learner.world_model_optimizer, own.critics, learner.slow_critics),
        ),
    }


def _posteriors(world_model: Any, batch: Any, gumbel: Any) -> Any:
    return world_model.observe(
        world_model.prepare(), batch.observation, batch.previous_action, batch.is_first, batch.before, gumbel
    ).latent


def _replay(replay: Any, latent: Any, key: Any, *, level: int, config: HierosConfig) -> tuple[Any, Any]:
    """Draw, gather, count the visits, write back."""
    ring, drawn, batch = _update.sample_batch(replay, level, key, config)
    ring = write_back(ring, drawn, latent)
    return (*replay[:level], ring, *replay[level + 1 :]), batch


def _world_model(world_model: Any, batch: Any, gumbel: Any, *, config: HierosConfig) -> Any:
    gradient = jax.grad(Precision.of(config).casting(world_model_loss), has_aux=True)
    return gradient(world_model, batch, gumbel, config.world_model)


def _imagination(own: Any, starts: Any, code: Any, key: Any, *, config: HierosConfig) -> Any:
    return imagine(Precision.of(config).cast(own), starts, code, key, config.behaviour)


def _optimiser(
    world_model: Any, optimizer_state: Any, critics: Any, slow: Any, *, config: HierosConfig
) -> Any:
    """Step the world model's optimiser, the parameters standing in for gradients, and the slow critics."""
    optimizer = world_model_optimizer(config.optimizer)
    stepped = apply_gradients(optimizer, world_model, optimizer_state, world_model)
    return stepped, ema(slow, critics, config.behaviour.slow_critic_rate)


# ------------------------------------------------------------------------------- inside the world model


def _inside_world_model(own: Any, batch: Any, latent: Any, config: HierosConfig) -> dict[str, Part]:
    """Return forward and backward pass of the world model's modules, each alone."""
    world_model, lead = own.world_model, batch.reward.shape
    precision, sizes = Precision.of(config), config.world_model
    feature = world_model.feature(latent)
    noise = partial(jax.random.normal, dtype=jnp.float32)
    embedding, u, y = (
        noise(key, (*lead, size))
        for key, size in zip(
            jax.random.split(jax.random.key(2), 3),
            (world_model.encoder.output_size, sizes.s5.width, sizes.s5.width),
            strict=True,
        )
    )
    heads = (
        world_model.posterior,
        world_model.output,
        world_model.prior,
        world_model.predictions.reward,
        world_model.predictions.continuation,
        world_model.predictions.goal,
    )

    def passes(loss: Callable[..., Any], *inputs: Any, argnums: Any = (0, 1)) -> Part:
        cast = precision.casting(loss)
        return Part(jax.value_and_grad(cast, argnums=argnums), inputs)

    return {
        "encoder": passes(_encode, world_model.encoder, batch.observation, argnums=0),
        "S5 stack": passes(_scan, world_model.stack, u, batch.is_first, batch.before.state),
        "heads": passes(_head_losses, heads, (embedding, y, feature), batch, latent),
        "decoder": passes(_decode, world_model.predictions.decoder, feature, batch.observation),
    }


def _encode(encoder: Any, observation: Any) -> Any:
    return encoder(observation).sum()


def _scan(stack: Any, u: Any, is_first: Any, state: Any) -> Any:
    y, states, _ = stack.scan(stack.prepare(), u, is_first, state)
    return y.sum() + states.sum()


def _decode(decoder: Any, feature: Any, observation: Any) -> Any:
    return decoder.loss(decoder(feature), observation).mean()


def _head_losses(heads: Any, inputs: Any, batch: Any, latent: Any) -> Any:
    posterior, output, prior, reward, continuation, goal = heads
    embedding, y, feature = inputs
    alive = 1 - batch.is_terminal.astype(jnp.float32)
    return (
        posterior(embedding).mean()
        + prior(output(y)).mean()
        + reward.loss(reward.logits(feature), batch.reward).mean()
        + continuation.loss(continuation.logit(feature), alive).mean()
        + goal(latent.deter).mean()
    )
