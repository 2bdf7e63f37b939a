"""bfloat16 products in whole updates: the learning signals of a real batch, and what stays float32."""

import importlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import act, behaviour, init, update
from hieros_eqx.agent import learn as learning
from hieros_eqx.agent.imagine import imagine
from hieros_eqx.agent.levels import level_params, slice_level, stack
from hieros_eqx.agent.observe import world_model_loss
from hieros_eqx.agent.subgoal import autoencoder_loss
from hieros_eqx.backend import random
from hieros_eqx.config import from_dict, make_preset
from hieros_eqx.envs import make_env
from hieros_eqx.modules import Precision
from hieros_eqx.training.metrics import flatten
from tests.agent.conftest import on_host
from tests.backend.products import products

compiled = importlib.import_module("hieros_eqx.agent.update")

pytestmark = pytest.mark.no_cover  # traces much, and nothing that others do not cover

LOW, FULL = Precision("bfloat16"), Precision("float32")
ENVS = 2
CONFIG = from_dict(
    {
        "levels": 1,
        "precision": "bfloat16",
        "env": {"num_envs": ENVS},
        "world_model": {"free_nats": 0.0},  # or else the prior may have nothing to learn
        "training": {"batch": 8, "sequence": 16},
    },
    make_preset("debug"),
)
PARTS = ("encoder", "posterior", "input", "stack", "output", "prior", "deter", "predictions")


@pytest.fixture(scope="module")
def trained():
    """Return an agent that has watched Pong and was updated four times in bfloat16, and its last metrics."""
    env = make_env(game="Pong", num_envs=ENVS, seed=3)
    rng = np.random.default_rng(0)
    state, timestep = init(CONFIG, env.spaces, jax.random.key(1)), env.reset()
    for _ in range(CONFIG.train_start(0) // ENVS + 200):
        state, _ = act(state, timestep)
        timestep = env.step(rng.integers(0, env.spaces.action.size, ENVS).astype(np.int32))
    env.close()
    for _ in range(4):
        state, metrics = update(state, 1)
    return state, on_host(metrics)


@pytest.fixture(scope="module")
def batches(trained):
    """Return five batches drawn from replay."""
    draw = jax.jit(lambda replay, key: compiled.sample_batch(replay, 0, key, CONFIG)[2])
    return [draw(trained[0].replay, key) for key in jax.random.split(jax.random.key(5), 5)]


def signals(level, learner, batch, rollout, code, alive, gumbel, precision):
    """Return the gradient of every loss, on given noise and a given rollout."""
    world_model, _ = jax.grad(precision.casting(world_model_loss), has_aux=True)(
        level.world_model, batch, gumbel, CONFIG.world_model
    )
    reward = behaviour.imagined_rewards(rollout, precision.cast(level), code, CONFIG.reward)
    discount, weight = behaviour.discounts(rollout, alive, learner.discount)
    slow = precision.cast(learner.slow_critics)
    by_kind = behaviour.discount_by_kind(discount, CONFIG.macro_length, CONFIG.behaviour)
    critics, targets = jax.grad(precision.casting(behaviour.critic_loss), has_aux=True)(
        level.critics, slow, rollout, reward, by_kind, weight, CONFIG.behaviour.lambda_
    )
    _, scale = behaviour.update_return_range(learner, targets.returns, CONFIG.behaviour)
    advantage, _ = behaviour.join_advantages(targets, scale, learner.reward_weights, CONFIG.behaviour)
    actor, _ = jax.grad(precision.casting(behaviour.actor_loss), has_aux=True)(
        level.actor, rollout, advantage, weight, CONFIG.behaviour.entropy_scale
    )
    autoencoder, _ = jax.grad(precision.casting(autoencoder_loss), has_aux=True)(
        level.autoencoder, rollout.deter, None, learner.autoencoder_beta
    )
    parts = {name: getattr(world_model, name) for name in PARTS}
    return parts | {"actor": actor, "critics": critics, "autoencoder": autoencoder, "advantage": advantage}


@jax.jit
def both_signals(level, learner, batch, key):
    """Return the gradients in both precisions: the batch, the noise and the float32 rollout are the same.

    The noise is so strong that it alone decides every z. Else a z in a thousand, two of whose classes are
    level, is another one in bfloat16: another sample, which turns and stretches the gradient.
    """
    posterior_key, imagine_key = random.split(key, 2)
    gumbel = 1e3 * random.gumbel(posterior_key, learning._posterior_shape(batch, CONFIG), jnp.float32)
    _, (latent, *_) = world_model_loss(level.world_model, batch, gumbel, CONFIG.world_model)
    starts, code, alive = learning.imagination_starts(latent, batch)
    rollout = imagine(level, starts, code, imagine_key, CONFIG.behaviour)
    given = level, learner, batch, rollout, code, alive, gumbel
    return signals(*given, LOW), signals(*given, FULL)


def flat(tree):
    return np.concatenate([np.ravel(np.asarray(x, np.float64)) for x in jax.tree.leaves(tree)])


def test_learning_signals_of_real_batches_agree(trained, batches):
    """In every part the two gradients point the same way and are as long, but they are not the same."""
    params, learner = trained[0].params.worker, trained[0].learner.worker
    pairs = [both_signals(params, learner, batch, jax.random.key(9)) for batch in batches]
    for name in pairs[0][0]:
        lows, fulls = ([flat(pair[i][name]) for pair in pairs] for i in range(2))
        lengths = [np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(lows, fulls, strict=True)]
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(lows, fulls, strict=True)]
        assert np.median(cosines) > 0.99, (name, cosines)
        assert np.median(lengths) == pytest.approx(1, rel=0.02), (name, lengths)
        assert 1 - max(cosines) > 1e-12, name


def test_training_in_bfloat16_is_finite_and_leaves_a_float32_state(trained):
    state, metrics = trained
    values = flatten(metrics)
    assert len(values) > 30 and np.isfinite(list(values.values())).all()
    for tree in (state.params, state.learner, state.carry):
        assert {x.dtype.name for x in jax.tree.leaves(tree)} <= {"float32", "int32"}
    assert state.train_step.tolist() == [4]


@pytest.mark.parametrize("level", [0, 1])
def test_of_learn_only_the_recurrence_multiplies_in_float32(trained, level):
    """Of each of two S5 layers two products forward, four backward, two in imagination."""
    config = replace(CONFIG, levels=3)
    key = jax.random.key(0)
    state = jax.eval_shape(lambda key: init(config, trained[0].spaces, key), key)
    batch = jax.eval_shape(lambda replay: compiled.sample_batch(replay, level, key, config)[2], state.replay)

    def learn(level, learner, batch):
        return learning.learn(level, learner, batch, key, config)

    def two_levels(state):
        pairs = [(level_params(state.params, i), slice_level(state.learner.upper, i - 1)) for i in (1, 2)]
        return stack(pairs)

    own, learner = state.params.worker, state.learner.worker
    if level:
        own, learner = jax.eval_shape(two_levels, state)
        learn = jax.vmap(learn, in_axes=(0, 0, None))
    operands = [(p.left, p.right) for p in products(learn, own, learner, batch)]
    assert set(operands) == {("bfloat16", "bfloat16"), ("float32", "float32")}
    assert operands.count(("float32", "float32")) == 2 * (2 + 4 + 2)


def test_float32_is_the_program_without_a_policy(trained, batches, monkeypatch):
    state, _ = trained
    config = replace(CONFIG, precision="float32")

    def program():
        return str(
            jax.make_jaxpr(lambda *args: learning.learn(*args, jax.random.key(0), config))(
                state.params.worker, state.learner.worker, batches[0]
            )
        )

    with_policy = program()
    monkeypatch.setattr(Precision, "cast", lambda _, tree: tree)
    monkeypatch.setattr(Precision, "casting", lambda _, function: function)
    assert with_policy == program()
    assert "bf16" not in with_policy
