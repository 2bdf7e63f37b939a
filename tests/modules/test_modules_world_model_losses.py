"""Losses of the world model against loops, and where their gradients go."""

import jax
import numpy as np
import pytest

from hieros_eqx.backend import to_jax
from tests.modules.builders import VECTOR, A, B, T, latent, observations, sequence, world_model
from tests.oracles import distributions

pytestmark = pytest.mark.x64


@pytest.fixture(scope="module")
def model():
    return world_model(np.random.default_rng(5), num_blocks=1, double=False, ff_layers=1)


def kl(posterior, prior):
    return distributions.each(distributions.kl, posterior, prior).sum(-1)


@pytest.mark.parametrize(("free_nats", "bin_space"), [(0.0, "symexp"), (1.15, "symlog")])
def test_every_term_against_its_definition(rng, free_nats, bin_space):
    model = world_model(rng, free_nats=free_nats, bin_space=bin_space)
    arguments = sequence(rng)
    reward, terminal = 10 * rng.normal(size=(T, B)), rng.random((T, B)) < 0.5
    observed = model.observe(model.prepare(), *arguments)
    losses = model.losses(observed, arguments[0], reward, terminal)
    assert all(term.shape == (T, B) for term in losses)

    divergence = kl(observed.posterior, observed.prior)
    assert divergence.min() < 1.15 < divergence.max()  # the free bits clip some steps and not others
    np.testing.assert_allclose(losses.dyn, np.maximum(free_nats, divergence), rtol=1e-9)
    np.testing.assert_allclose(losses.rep, np.maximum(free_nats, divergence), rtol=1e-9)

    points = np.linspace(-20, 20, 21)
    for t, b in np.ndindex(T, B):
        flat = np.concatenate([observed.latent.deter[t, b], observed.latent.stoch[t, b].ravel()])
        heads = model.predictions
        if bin_space == "symexp":
            weights = distributions.two_hot(reward[t, b], [distributions.symexp(p) for p in points])
        else:
            weights = distributions.two_hot(distributions.symlog(reward[t, b]), points)
        want = -distributions.log_prob(heads.reward.mlp(flat), weights)
        assert losses.reward[t, b] == pytest.approx(want, rel=1e-9)
        odds = heads.continuation.mlp(flat)[0]
        want = -distributions.bernoulli_log_prob(odds, 0.0 if terminal[t, b] else 1.0)
        assert losses.continuation[t, b] == pytest.approx(want, rel=1e-9)
        target = [distributions.symlog(v) for v in arguments[0][t, b]]
        want = sum((p - v) ** 2 for p, v in zip(heads.decoder.mlp(flat), target, strict=True))
        assert losses.reconstruction[t, b] == pytest.approx(want, rel=1e-9)
        logits = heads.goal.mlp(observed.latent.deter[t, b]).reshape(3, 4)
        want = -sum(
            distributions.log_prob(distributions.unimix(logits[s], 0.01), observed.latent.stoch[t, b, s])
            for s in range(3)
        )
        assert losses.goal[t, b] == pytest.approx(want, rel=1e-9)


@pytest.fixture(scope="module")
def gradient(model):
    """Gradients of each term after one step: with more, the prior depends on the posterior's sample."""
    rng = np.random.default_rng(8)
    arguments = to_jax(
        (
            observations(rng, VECTOR, 1, B),
            rng.normal(size=(1, B, A)),
            np.zeros((1, B), bool),
            latent(rng, B, config=model.config),
            rng.gumbel(size=(1, B, 3, 4)),
        )
    )
    reward, terminal = to_jax((rng.normal(size=(1, B)), np.zeros((1, B), bool)))

    @jax.jit
    def gradients(model):
        def terms(model):
            observed = model.observe(model.prepare(), *arguments)
            losses = model.losses(observed, arguments[0], reward, terminal)
            return jax.tree.map(lambda term: term.sum(), losses)

        return jax.jacrev(terms)(model)

    return gradients(to_jax(model))


def size(tree):
    return sum(float(abs(leaf).sum()) for leaf in jax.tree.leaves(tree))


def test_goal_head_only_watches(gradient):
    inside = size(gradient.goal.predictions.goal)
    assert inside > 0
    assert size(gradient.goal) == pytest.approx(inside)


def test_dyn_trains_the_prior_and_rep_the_posterior(gradient):
    assert size(gradient.dyn.posterior) == size(gradient.dyn.encoder) == 0
    assert min(size(gradient.dyn.prior), size(gradient.dyn.stack), size(gradient.dyn.input)) > 0
    assert size(gradient.rep.prior) == size(gradient.rep.stack) == size(gradient.rep.input) == 0
    assert min(size(gradient.rep.posterior), size(gradient.rep.encoder)) > 0
    assert size(gradient.dyn.predictions) == size(gradient.rep.predictions) == 0


def test_predictions_train_encoder_by_straight_through_and_the_stack_by_h(gradient):
    for term in (gradient.reconstruction, gradient.reward, gradient.continuation):
        assert min(size(term.posterior), size(term.encoder), size(term.stack), size(term.deter)) > 0
        assert size(term.prior) == size(term.output) == size(term.predictions.goal) == 0


def test_every_parameter_is_trained(rng, model):
    """The whole loss moves every parameter; the initial states too, by episodes that start in a sequence."""
    arguments = to_jax(sequence(rng, config=model.config))
    reward, terminal = to_jax((rng.normal(size=(T, B)), rng.random((T, B)) < 0.5))

    @jax.jit
    @jax.grad
    def gradients(model):
        observed = model.observe(model.prepare(), *arguments)
        losses = model.losses(observed, arguments[0], reward, terminal)
        return sum(term.sum() for term in losses)

    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients(to_jax(model))):
        assert np.all(np.isfinite(leaf)), path
        assert np.any(leaf), path
