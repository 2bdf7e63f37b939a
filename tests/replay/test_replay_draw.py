"""Which starts are drawn: all valid ones and no others, in the shares that ETBS promises."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from replay_helpers import APPEND, LENGTH, make_world, small_config, step_world

from hieros_eqx.core import etbs
from hieros_eqx.replay import draw, num_starts
from hieros_eqx.replay.sample import capacity_index

DRAW = jax.jit(draw, static_argnums=3, static_argnames=("sampling", "temperature", "scale"))


@pytest.fixture
def lived(rng):
    """A replay of two levels whose environments differ in what they hold; one has only just begun."""
    replay, oracle, episodes = make_world(small_config(2), rng)
    for step in range(173):
        transitions, due = step_world(oracle, episodes, rng)
        if step < 150:  # the last environment starts late
            due = tuple(d.at[3].set(False) for d in due)
            oracle.entries[3] = [[], []]
            episodes[3].reset()
            episodes[3].written = [0, 0]
        replay = APPEND(replay, transitions, due)
    return replay, oracle


def valid_pairs(oracle, level):
    return {(env, start) for env in range(4) for start in oracle.valid_starts(env, level, LENGTH)}


def pairs_of(chosen):
    return set(zip(np.asarray(chosen.env).tolist(), np.asarray(chosen.start).tolist(), strict=True))


def chi_square_is_small(counts, probability):
    """Pearson's statistic has mean n - 1 and variance 2 (n - 1); six deviations never happen by chance."""
    expected = counts.sum() * probability
    assert expected.min() > 20  # so that the normal approximation of a cell holds
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    return statistic < freedom + 6 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    ("sampling", "temperature"), [("uniform", 0.3), ("etbs", 0.0), ("etbs", 0.3), ("etbs", 1.0)]
)
def test_every_valid_start_can_be_drawn_and_no_other(lived, level, sampling, temperature):
    replay, oracle = lived
    grid = np.append(np.arange(400) / 400, np.nextafter(np.float32(1), np.float32(0)))
    u_env, u_index = (jnp.asarray(u.ravel(), jnp.float32) for u in np.meshgrid(grid, grid))
    chosen = DRAW(
        replay[level], u_env, u_index, LENGTH, sampling=sampling, temperature=temperature, scale="held"
    )
    assert pairs_of(chosen) == valid_pairs(oracle, level)


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_starts_are_drawn_with_etbs_probabilities(lived, rng, temperature):
    replay, _ = lived
    u = jnp.asarray(rng.random((2, 200_000)))
    chosen = DRAW(replay[0], u[0], u[1], LENGTH, sampling="etbs", temperature=temperature, scale="held")
    env, start = map(np.asarray, chosen)
    held = np.asarray(num_starts(replay[0], LENGTH))
    assert chi_square_is_small(np.bincount(env, minlength=4), held / held.sum())
    for e in range(4):
        counts = np.bincount(start[env == e] - start[env == e].min(), minlength=held[e])
        assert chi_square_is_small(counts, etbs.probability(int(held[e]), temperature))


def test_environments_without_a_start_are_never_drawn(rng):
    (replay,), oracle, episodes = make_world(small_config(1), rng)
    due = jnp.asarray([False, True, False, True])
    for step in range(30):
        (transition,), _ = step_world(oracle, episodes, rng, pause=0.0)
        (replay,) = APPEND((replay,), (transition,), (due & jnp.asarray([True, step < 7, True, True]),))
    np.testing.assert_array_equal(num_starts(replay, LENGTH), [0, 3, 0, 26])
    u = jnp.asarray(rng.random((2, 20_000)))
    chosen = DRAW(replay, u[0], u[1], LENGTH, sampling="uniform", temperature=0.0, scale="held")
    counts = np.bincount(chosen.env, minlength=4)
    assert counts[0] == counts[2] == 0
    assert chi_square_is_small(counts[[1, 3]], np.asarray([3, 26]) / 29)


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0])
def test_capacity_scale_is_the_reference_map(temperature):
    golden = np.load(Path(__file__).parents[1] / "golden" / "reference.npz")
    u = golden["etbs.u"]
    got = capacity_index(jnp.asarray(u), jnp.full(u.shape, 1000, jnp.int32), temperature, 1_000_000)
    want = golden[f"etbs.index_len1000000_tau{temperature}"]
    # The reference integrates p_i numerically: where the sum is whole up to rounding, floor may differ.
    assert np.abs(np.asarray(got) - want).max() <= 1
    assert (np.asarray(got) != want).mean() < 0.02


def test_capacity_scale_hardly_ever_draws_the_oldest(rng):
    (buffer,), oracle, episodes = make_world(small_config(1, capacity=100_000, num_envs=1), rng)
    for _ in range(60):
        (buffer,) = APPEND((buffer,), *step_world(oracle, episodes, rng, pause=0.0))
    u = jnp.asarray(rng.random((2, 5_000)))
    drawn = {
        scale: DRAW(buffer, u[0], u[1], LENGTH, sampling="etbs", temperature=0.3, scale=scale)
        for scale in ("held", "capacity")
    }
    # capacity F(u) passes n - 1 = 55 at u = 5e-5; what is above lands at 0.3 * 55 = 16 or later
    assert (np.asarray(drawn["held"].start) < 16).mean() > 0.15
    assert (np.asarray(drawn["capacity"].start) < 16).mean() < 1e-3
    assert np.asarray(drawn["capacity"].start).max() == max(oracle.valid_starts(0, 0, LENGTH))


@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.x64)])
@pytest.mark.parametrize("scale", ["held", "capacity"])
def test_largest_uniform_number_stays_below_the_end(lived, dtype, scale):
    replay, oracle = lived
    u = jnp.asarray([np.nextafter(dtype(1), dtype(0))], dtype)
    chosen = DRAW(replay[0], u, u, LENGTH, sampling="etbs", temperature=1.0, scale=scale)
    assert (int(chosen.env[0]), int(chosen.start[0])) == max(valid_pairs(oracle, 0))


def test_empty_replay_draws_harmless_indices(rng):
    (buffer,), _, _ = make_world(small_config(1), rng)
    u = jnp.asarray(rng.random((2, 8)))
    for sampling in ("etbs", "uniform"):
        chosen = DRAW(buffer, u[0], u[1], LENGTH, sampling=sampling, temperature=0.3, scale="held")
        assert ((np.asarray(chosen.env) >= 0) & (np.asarray(chosen.env) < 4)).all()
        assert (np.asarray(chosen.start) == 0).all()
