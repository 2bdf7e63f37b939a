"""The closeness of goals is read off replay as it says."""

import dataclasses

import equinox as eqx
import followed
import goals
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.agent import init
from hieros_eqx.config import make_preset, override
from hieros_eqx.replay.buffer import to_bits
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

HELD = 40


@pytest.fixture(scope="module")
def state():
    """h takes turns between two right angles, so that it comes back after every second step."""
    config = override(make_preset("debug"), ["levels=2", "training.env_steps=100"])
    observation = ObservationSpace(kind="vector", shape=(3,))
    spaces = Spaces(observation=observation, action=ActionSpace(kind="discrete", size=2))
    state = init(config, spaces, jax.random.key(0))
    ring = state.replay[0]
    h = np.zeros((1, ring.capacity, ring.deter.shape[-1]), np.float32)
    h[0, np.arange(HELD), np.arange(HELD) % 2] = 0.5
    fields = lambda r: (r.deter, r.count, r.code)  # noqa: E731
    held = (to_bits(jnp.asarray(h)), jnp.full_like(ring.count, HELD), jnp.zeros_like(ring.code))
    ring = eqx.tree_at(fields, ring, held)
    return dataclasses.replace(state, replay=(ring, *state.replay[1:]))


def test_closeness(state):
    found = goals.closeness(state, 0)
    assert found["h_after_1"] == 0
    assert found["h_after_4"] == pytest.approx(1)
    assert found["h_after_16"] == pytest.approx(1)
    assert 0 < found["h_to_any_h"] < 1


def test_the_best_state_for_a_goal(state):
    autoencoder, h = state.params.worker.autoencoder, jnp.eye(16, dtype=jnp.float32)
    code = jnp.zeros((1, autoencoder.config.factors), jnp.int32)
    goal = np.asarray(
        autoencoder.decode(jax.nn.one_hot(code, autoencoder.config.classes, dtype=jnp.float32))
    )[0]
    expected = max(0, (goal / max(1, np.sum(goal**2))).max())
    assert goals.best(autoencoder, code, h, autoencoder.config.classes) == pytest.approx(expected, rel=1e-5)


def test_an_untrained_worker_follows_no_goal(state, monkeypatch):
    """Its actor is nearly uniform; what it sees does depend on the way."""
    monkeypatch.setattr(followed, "EPISODES", 6)
    monkeypatch.setattr(followed, "CODES", 4)
    ways = np.array([[way] * 4 for way in (True, False)] * 3)
    h = followed.run_errands(state, ways).deter
    assert h.shape == (6, 17, 16)
    np.testing.assert_allclose(h[0, 0], h[2, 0], rtol=1e-5, atol=1e-6)
    assert np.abs(h[0, 4] - h[1, 4]).max() > 1e-3
    found = followed.followed(state)
    assert 0 <= found["goals_to_the_right"] <= 1 and found["gap_deviation"] >= 0
    sent = [chance for name, chance in found.items() if name.startswith("right_if_sent")]
    np.testing.assert_allclose(sent, 0.5, atol=0.1)
