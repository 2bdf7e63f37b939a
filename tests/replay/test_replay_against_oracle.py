"""Long random lives: every start, every drawn number equals the oracle's, over several wrap-arounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from replay_helpers import (
    APPEND,
    LENGTH,
    assert_batch_equals,
    choose,
    make_world,
    read,
    small_config,
    step_world,
)

from hieros_eqx.replay import first_start, num_starts
from hieros_eqx.replay.buffer import from_bits


def starts_of(buffer, length):
    """Valid starts per environment as the package sees them."""
    first, n = np.asarray(first_start(buffer)), np.asarray(num_starts(buffer, length))
    return [list(range(f, f + m)) for f, m in zip(first, n, strict=True)]


@pytest.mark.parametrize(
    ("levels", "intermediate_states", "reset"),
    [(1, True, False), (2, True, True), (3, True, False), (3, False, False)],
)
def test_draws_equal_oracle_over_many_wraparounds(rng, levels, intermediate_states, reset):
    config = small_config(levels, intermediate_states=intermediate_states)
    replay, oracle, episodes = make_world(config, rng)

    start = "reset" if reset else "stored"
    drawn = 0
    for step in range(240):
        replay = APPEND(replay, *step_world(oracle, episodes, rng))
        for level in range(levels):
            valid = [oracle.valid_starts(env, level, LENGTH) for env in range(4)]
            assert starts_of(replay[level], LENGTH) == valid, (step, level)
            if step % 5 == level and any(valid):
                chosen = choose(replay[level], jnp.asarray(rng.random((2, 6))))
                chosen, batch = jax.device_get((chosen, read(replay, level, chosen, start)))
                assert all(s in valid[e] for e, s in zip(*chosen, strict=True))
                assert_batch_equals(batch, oracle, level, *chosen, LENGTH, reset)
                drawn += 1
    assert drawn > 40 * levels
    for buffer in replay[:2]:  # every environment has lapped its ring, the lowest level several times
        assert (np.asarray(buffer.count) > 1.2 * buffer.capacity).all()


def test_two_upper_entries_become_invalid_at_once(rng):
    # An episode that ends within its first macro-step: both entries of level 1 point to its first latent.
    # The lower ring is short, so that pointers go stale before the upper ring itself overwrites the entries.
    config = small_config(2, num_envs=1, capacity=17)
    replay, oracle, episodes = make_world(config, rng)
    episodes[0].lengths = (2, 3)
    assert replay[1].capacity == 17
    jumps = []
    for _ in range(200):
        before = int(replay[1].oldest[0])
        replay = APPEND(replay, *step_world(oracle, episodes, rng, pause=0.0))
        jumps.append(int(replay[1].oldest[0]) - before)
        whole = [n for n in range(len(oracle.entries[0][1])) if oracle.is_whole(0, 1, n)]
        assert int(replay[1].oldest[0]) == whole[0]
    assert max(jumps) == 2


def test_masked_append_leaves_other_environments_untouched(rng):
    replay, oracle, episodes = make_world(small_config(2), rng)
    transitions, _ = step_world(oracle, episodes, rng, pause=0.0)
    due = (jnp.asarray([True, False, False, True]), jnp.asarray([False, False, False, True]))
    after = APPEND(jax.tree.map(jnp.copy, replay), transitions, due)
    for level in range(2):
        for was, now in zip(jax.tree.leaves(replay[level]), jax.tree.leaves(after[level]), strict=True):
            idle = ~np.asarray(due[level])
            np.testing.assert_array_equal(np.asarray(now)[idle], np.asarray(was)[idle])
        np.testing.assert_array_equal(after[level].count, np.asarray(due[level]))


def test_latents_are_rounded_to_bfloat16_and_rewards_kept(rng):
    replay, oracle, episodes = make_world(small_config(1), rng)
    (transition,), due = step_world(oracle, episodes, rng, pause=0.0)
    deter = jnp.asarray(rng.normal(size=transition.latent.deter.shape), jnp.float32)
    reward = jnp.asarray(rng.normal(size=4))  # float64 in, float32 kept
    transition = transition._replace(reward=reward, latent=transition.latent._replace(deter=deter))
    (buffer,) = APPEND(replay, (transition,), due)
    np.testing.assert_array_equal(buffer.reward[:, 0], np.float32(reward))
    # eight significant bits: half a unit in the last place is 2**-9 of the value
    np.testing.assert_allclose(from_bits(buffer.deter[:, 0]), deter, rtol=2.0**-8)


def test_counts_near_the_int32_limit(rng):
    replay, oracle, episodes = make_world(small_config(1), rng)
    for _ in range(60):
        replay = APPEND(replay, *step_world(oracle, episodes, rng, pause=0.0))
    laps = 2**31 // 41 - 10  # the same ring after two thousand million entries
    (buffer,) = replay
    late = type(buffer)(
        **{**vars(buffer), "count": buffer.count + laps * 41, "oldest": buffer.oldest + laps * 41}
    )
    u = jnp.asarray(rng.random((2, 6)))
    chosen, chosen_late = (choose(b, u) for b in (buffer, late))
    np.testing.assert_array_equal(chosen_late.start - laps * 41, chosen.start)
    for got, want in zip(
        jax.tree.leaves(read((late,), 0, chosen_late)),
        jax.tree.leaves(read((buffer,), 0, chosen)),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)
