"""What an update puts back: fresh latents that the level above sees, and visit counts."""

import jax
import jax.numpy as jnp
import numpy as np
from replay_helpers import (
    APPEND,
    LENGTH,
    SIZES,
    assert_batch_equals,
    choose,
    make_world,
    one_hot,
    read,
    small_config,
    step_world,
)

from hieros_eqx.replay import Draw, count_visits, first_start, num_starts, write_back
from hieros_eqx.replay.buffer import from_bits
from hieros_eqx.replay.refresh import _decides
from hieros_eqx.types import Latent

WRITE_BACK = jax.jit(write_back, donate_argnums=0)


def lived(rng, levels, steps=120):
    replay, oracle, episodes = make_world(small_config(levels), rng)
    for _ in range(steps):
        replay = APPEND(replay, *step_world(oracle, episodes, rng))
    return replay, oracle, episodes


def fresh_latents(rng, batch):
    """Latents for a batch: class indices, and whole numbers that bfloat16 keeps."""
    index = rng.integers(0, SIZES["stoch_classes"], (LENGTH, batch, SIZES["stoch"]))
    deter = rng.integers(-128, 128, (LENGTH, batch, SIZES["deter"])).astype(np.float32)
    state = rng.integers(-128, 128, (LENGTH, batch, SIZES["state"])).astype(np.float32)
    stoch = jnp.asarray(one_hot(index, SIZES["stoch_classes"]))
    entropy = jnp.zeros((LENGTH, batch), jnp.float32)
    return index, Latent(stoch=stoch, deter=jnp.asarray(deter), state=jnp.asarray(state), entropy=entropy)


def write_back_to_oracle(oracle, level, chosen, index, latent):
    """Longest run-in wins, of equals the last: so write in the opposite order."""
    envs, starts = map(np.asarray, chosen)
    for b in sorted(range(len(envs)), key=lambda b: (-starts[b], b)):
        for t in range(LENGTH):
            entry = oracle.entries[envs[b]][level][starts[b] + t]
            entry["stoch"] = index[t, b].tolist()
            entry["deter"] = np.asarray(latent.deter)[t, b]
            entry["state"] = np.asarray(latent.state)[t, b]


def test_upper_level_sees_what_was_written_back_below(rng):
    replay, oracle, episodes = lived(rng, levels=3)
    replay = list(replay)
    for _ in range(12):
        for level in range(3):
            u = jnp.asarray(rng.random((2, 6)))  # six draws from small rings: overlaps are common
            chosen = choose(replay[level], u)
            index, latent = fresh_latents(rng, 6)
            replay[level] = WRITE_BACK(replay[level], chosen, latent)
            write_back_to_oracle(oracle, level, chosen, index, latent)
        for level in range(3):
            u = jnp.asarray(rng.random((2, 6)))
            chosen = choose(replay[level], u)
            batch = jax.device_get(read(tuple(replay), level, chosen))
            assert_batch_equals(batch, oracle, level, *chosen, LENGTH)
        replay = list(APPEND(tuple(replay), *step_world(oracle, episodes, rng)))


def test_overlapping_sequences_write_one_whole_latent(rng):
    (buffer,), oracle, _ = lived(rng, levels=1, steps=20)
    start = jnp.asarray([3, 1, 1, 2, 4, 1], jnp.int32)
    chosen = Draw(env=jnp.asarray([2, 2, 2, 2, 0, 0], jnp.int32), start=start)
    index, latent = fresh_latents(rng, 6)
    buffer = WRITE_BACK(buffer, chosen, latent)
    write_back_to_oracle(oracle, 0, chosen, index, latent)
    for env in (0, 2):
        for number, entry in enumerate(oracle.entries[env][0]):
            np.testing.assert_array_equal(buffer.stoch[env, number], entry["stoch"])
            np.testing.assert_array_equal(from_bits(buffer.deter[env, number]), entry["deter"])
            np.testing.assert_array_equal(from_bits(buffer.state[env, number]), entry["state"])
    # sequences 1 and 2 start alike: the last of them decides, and over 3 and 0 as far as it reaches
    np.testing.assert_array_equal(from_bits(buffer.deter[2, 1:6]), latent.deter[:, 2])
    np.testing.assert_array_equal(from_bits(buffer.deter[2, 6]), latent.deter[4, 3])
    np.testing.assert_array_equal(from_bits(buffer.deter[2, 7]), latent.deter[4, 0])


def test_every_drawn_entry_is_decided_by_exactly_one_sequence(rng):
    # Devices apply colliding writes in any order, so there must be none.
    env, start = rng.integers(0, 2, 40), rng.integers(0, 9, 40)
    decides = np.asarray(_decides(Draw(jnp.asarray(env, jnp.int32), jnp.asarray(start, jnp.int32)), LENGTH))
    entries = [[(env[b], start[b] + t) for b in range(40)] for t in range(LENGTH)]
    deciding = [entries[t][b] for t, b in zip(*np.nonzero(decides), strict=True)]
    assert sorted(deciding) == sorted({entry for row in entries for entry in row})


def test_visits_add_up_and_restart_with_a_new_entry(rng):
    (buffer,), oracle, episodes = lived(rng, levels=1, steps=100)
    want = [[0] * len(written[0]) for written in oracle.entries]
    count = jax.jit(count_visits, static_argnums=2)
    for _ in range(60):
        u = jnp.asarray(rng.random((2, 6)))
        chosen = choose(buffer, u)
        buffer = count(buffer, chosen, LENGTH)
        for env, start in zip(*map(np.asarray, chosen), strict=True):
            for t in range(LENGTH):
                want[env][start + t] += 1
        (buffer,) = APPEND((buffer,), *step_world(oracle, episodes, rng))
        for env in range(4):
            want[env] += [0] * (len(oracle.entries[env][0]) - len(want[env]))
    for env in range(4):
        for number in range(len(want[env]) - buffer.capacity, len(want[env])):
            assert buffer.visits[env, number % buffer.capacity] == want[env][number]
    assert max(map(max, want)) > 3


def test_first_entry_ever_has_no_context(rng):
    (buffer,), oracle, _ = lived(rng, levels=1, steps=20)
    assert (np.asarray(first_start(buffer)) == 0).all()
    assert (np.asarray(num_starts(buffer, LENGTH)) == np.asarray(buffer.count) - LENGTH + 1).all()
    chosen = Draw(env=jnp.arange(4, dtype=jnp.int32), start=jnp.zeros(4, jnp.int32))
    batch = jax.device_get(read((buffer,), 0, chosen))
    assert all((np.asarray(x) == 0).all() for x in batch.before)
    assert_batch_equals(batch, oracle, 0, *chosen, LENGTH)
