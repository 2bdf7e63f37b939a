"""What replay weighs, that donated appends happen in place, and that a seed axis changes nothing."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from replay_helpers import APPEND, IMAGES, LENGTH, SIZES, choose, make_world, read, small_config, step_world

from hieros_eqx.config import HierosConfig
from hieros_eqx.errors import ConfigError
from hieros_eqx.replay import count_visits, init_replay, record, replay_bytes, write_back
from hieros_eqx.types import ActionSpace, Latent, ObservationSpace, Spaces

VECTORS = Spaces(
    observation=ObservationSpace(kind="vector", shape=(11,)),
    action=ActionSpace(kind="continuous", size=5),
)


def bytes_of(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("spaces", [IMAGES, VECTORS])
def test_bytes_are_told_without_allocating(spaces):
    config = small_config(3)
    assert replay_bytes(config, spaces) == bytes_of(init_replay(config, spaces))


def test_paper_size_fits_in_two_gigabytes():
    atari = Spaces(
        observation=ObservationSpace(kind="image", shape=(64, 64, 3)),
        action=ActionSpace(kind="discrete", size=18),
    )
    total = replay_bytes(HierosConfig(), atari)
    level_0 = 100_000 * (64 * 64 * 3 + 32 + 2 * 256 + 2 * 8 * 2 * 128)
    assert level_0 < total < 1.9e9


def test_no_two_leaves_share_memory():
    leaves = jax.tree.leaves(init_replay(small_config(3), IMAGES))
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves) == 3 * 13


def test_ring_too_short_for_the_pointers_of_a_sequence_is_refused():
    needed = 3 * LENGTH + 3 - 1
    init_replay(small_config(2, capacity=needed), IMAGES)
    with pytest.raises(ConfigError, match=r"replay\.capacity = 64: wanted at least 17 entries of level 0"):
        init_replay(small_config(2, capacity=needed - 1), IMAGES)
    init_replay(small_config(1, capacity=needed - 1), IMAGES)


def test_shortest_allowed_ring_always_holds_a_sequence(rng):
    config = small_config(2, capacity=3 * LENGTH + 3 - 1, num_envs=1)
    replay, oracle, episodes = make_world(config, rng)
    fewest = []
    for step in range(150):
        replay = APPEND(replay, *step_world(oracle, episodes, rng, pause=0.0))
        if step > 40:
            fewest.append(len(oracle.valid_starts(0, 1, LENGTH)))
    assert min(fewest) == 1


@pytest.mark.parametrize("seeds", [None, 2])
@pytest.mark.parametrize("work", ["record", "write_back", "count_visits", "life"])
def test_donated_buffers_are_updated_in_place(rng, seeds, work):
    config = small_config(2, capacity=30_000)
    replay = jax.eval_shape(lambda: init_replay(config, IMAGES))
    transitions, due = step_world(*make_world(config, rng)[1:], rng, pause=0.0)
    chosen = jax.eval_shape(lambda: choose(init_replay(config, IMAGES)[0], jnp.zeros((2, 6))))
    latent = Latent(
        stoch=jnp.zeros((LENGTH, 6, SIZES["stoch"], SIZES["stoch_classes"]), jnp.float32),
        deter=jnp.zeros((LENGTH, 6, SIZES["deter"]), jnp.float32),
        state=jnp.zeros((LENGTH, 6, SIZES["state"]), jnp.float32),
        entropy=jnp.zeros((LENGTH, 6), jnp.float32),
    )
    function, arguments = {
        "record": (record, (replay, transitions, due)),
        "write_back": (write_back, (replay[0], chosen, latent)),
        "life": (life, (replay, transitions, due, jnp.zeros((2, 6)))),
        "count_visits": (lambda b, d: count_visits(b, d, LENGTH), (replay[0], chosen)),
    }[work]
    if seeds is not None:
        function = jax.vmap(function)
        arguments = jax.tree.map(lambda x: jax.ShapeDtypeStruct((seeds, *x.shape), x.dtype), arguments)
    memory = jax.jit(function, donate_argnums=0).lower(*arguments).compile().memory_analysis()
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(arguments[0]))
    assert memory.alias_size_in_bytes >= held  # every output lies where its input lay
    assert memory.temp_size_in_bytes < held / 50  # and no ring is copied on the way


def life(replay, transitions, due, u):
    """Everything that replay does in one step, on all levels."""
    replay = list(record(replay, transitions, due))
    batches = []
    for level in range(len(replay)):
        chosen = choose(replay[level], u)
        batch = read(tuple(replay), level, chosen)
        latent = Latent(*(jnp.broadcast_to(x[None] + 1, (LENGTH, *x.shape)) for x in batch.before))
        replay[level] = count_visits(write_back(replay[level], chosen, latent), chosen, LENGTH)
        batches.append((chosen, batch))
    return tuple(replay), tuple(batches)


def test_seed_axis_equals_solo_runs(rng):
    config = small_config(2)
    worlds = [make_world(config, rng) for _ in range(3)]
    solo = [world[0] for world in worlds]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *solo)
    one, many = jax.jit(life), jax.jit(jax.vmap(life), donate_argnums=0)
    for _ in range(45):
        steps = [(*step_world(*world[1:], rng), jnp.asarray(rng.random((2, 6)))) for world in worlds]
        results = [one(replay, *step) for replay, step in zip(solo, steps, strict=True)]
        solo = [result[0] for result in results]
        stacked, batches = many(stacked, *jax.tree.map(lambda *x: jnp.stack(x), *steps))
        for seed, result in enumerate(results):
            got = jax.tree.map(lambda x, seed=seed: np.asarray(x)[seed], (stacked, batches))
            jax.tree.map(np.testing.assert_array_equal, got, jax.tree.map(np.asarray, result))


def test_vectors_and_continuous_actions(rng):
    config = replace(small_config(1), env=replace(small_config(1).env, num_envs=2))
    (buffer,) = init_replay(config, VECTORS)
    _, oracle, episodes = make_world(config, rng)
    observations = rng.normal(size=(30, 2, 11)).astype(np.float32)
    action = rng.uniform(-1, 1, size=(30, 2, 5)).astype(np.float32)
    for step in range(30):
        (transition,), due = step_world(oracle, episodes, rng, pause=0.0)
        transition = transition._replace(
            observation=jnp.asarray(observations[step]), action=jnp.asarray(action[step])
        )
        (buffer,) = APPEND((buffer,), (transition,), due)
    chosen = choose(buffer, jnp.asarray(rng.random((2, 6))))
    batch = read((buffer,), 0, chosen)
    for b, (env, start) in enumerate(zip(*map(np.asarray, chosen), strict=True)):
        np.testing.assert_array_equal(batch.observation[:, b], observations[start : start + LENGTH, env])
        np.testing.assert_array_equal(batch.action[:, b], action[start : start + LENGTH, env])
        want = np.where(np.asarray(batch.is_first)[1:, b, None], 0, action[start : start + LENGTH - 1, env])
        np.testing.assert_array_equal(batch.previous_action[1:, b], want)
