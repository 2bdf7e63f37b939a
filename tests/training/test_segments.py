"""Rows of replay on disk: whatever was appended and refreshed, what comes back is the ring, bit for bit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.config import make_preset, override
from hieros_eqx.errors import CheckpointError
from hieros_eqx.replay import init_replay
from hieros_eqx.training import segments
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

SPACES = {
    "image": Spaces(
        observation=ObservationSpace(kind="image", shape=(4, 4, 3)),
        action=ActionSpace(kind="discrete", size=5),
    ),
    "vector": Spaces(
        observation=ObservationSpace(kind="vector", shape=(3,)), action=ActionSpace(kind="continuous", size=2)
    ),
}


def empty_rings(kind="vector"):
    """Two levels of two environments, of a few slots that wrap."""
    config = override(
        make_preset("debug"),
        [
            *(
                "levels=2",
                "macro_length=2",
                "env.num_envs=2",
                "training.sequence=2",
                "training.env_steps=400",
            ),
            "replay.capacity=24",
        ],
    )
    return init_replay(config, SPACES[kind])


def scribble(ring, rng, steps, below=None):
    """Append `steps` rows of noise to some environments, refresh a few held ones, as training does."""
    arrays = {name: np.array(getattr(ring, name)) for name in (*segments.ENTRY, *segments.LATENT)}
    counts, capacity = np.array(ring.count), ring.capacity
    for _ in range(steps):
        for env in np.flatnonzero(rng.random(ring.num_envs) < 0.7):
            for name in (*segments.ENTRY, *segments.LATENT):
                arrays[name][env, counts[env] % capacity] = noise(name, arrays[name], ring, rng, below)
            arrays["visits"][env, counts[env] % capacity] = 0
            counts[env] += 1
        env = rng.integers(ring.num_envs)
        if counts[env] and rng.random() < 0.5:
            slot = rng.integers(min(counts[env], capacity))
            for name in segments.LATENT:
                arrays[name][env, slot] = noise(name, arrays[name], ring, rng, below)
            arrays["visits"][env, slot] = np.array(ring.visits)[env, slot] + 100 + rng.integers(5)
    oldest = np.maximum(0, counts - capacity)
    fields = {name: jnp.asarray(x) for name, x in arrays.items()}
    count, oldest = (jnp.asarray(x, jnp.int32) for x in (counts, oldest))
    return replace(ring, **fields, count=count, oldest=oldest)


def noise(name, array, ring, rng, below):
    shape = array.shape[2:]
    if name in segments.INDICES and getattr(ring, segments.INDICES[name]):
        return rng.integers(0 if name == "stoch" else -1, getattr(ring, segments.INDICES[name]), shape)
    if array.dtype == np.uint16:
        return rng.integers(0, 2**16, shape)
    if name == "observation" and below is not None:
        return rng.integers(0, max(1, int(below.min())), shape)
    if np.issubdtype(array.dtype, np.floating):
        return rng.normal(size=shape)
    return rng.integers(0, 2 if array.dtype == np.bool_ else 200, shape)


def save(folder, name, ring, written):
    return segments.write(folder, name, segments.news(ring, written), written)


@pytest.mark.parametrize("kind", SPACES)
def test_many_saves_and_one_reading(tmp_path, rng, kind):
    """At level 0 and above, before and after the rings wrap; the state after every save comes back."""
    rings = list(empty_rings(kind))
    written = [segments.nothing_written(ring) for ring in rings]
    files = []
    for round_ in range(12):
        rings[0] = scribble(rings[0], rng, int(rng.integers(0, 14)))
        rings[1] = scribble(rings[1], rng, int(rng.integers(0, 4)), np.array(rings[0].count))
        for level, ring in enumerate(rings):
            written[level] = save(tmp_path, f"level{level}-{round_}", ring, written[level])
            below = written[0].counts if level else None
            found = segments.read(tmp_path, written[level], ring, below)
            for name, array in found.items():
                held = np.asarray(getattr(ring, name))
                assert array.dtype == held.dtype
                assert array.tobytes() == held.tobytes(), (round_, level, name)
            rows = sum(part.rows for part in written[level].latents)
            assert rows <= 2 * min(int(written[level].counts.sum()), 2 * ring.capacity)
        files.append(len(written[0].entries))
    assert int(rings[0].count.min()) > 1.5 * rings[0].capacity
    assert files[-1] < 12, "what has been overwritten is left out"


def test_nothing_new_is_nothing_written(tmp_path, rng):
    ring = scribble(empty_rings()[0], rng, 5)
    written = save(tmp_path, "a", ring, segments.nothing_written(ring))
    again = save(tmp_path, "b", ring, written)
    assert (again.entries, again.latents) == (written.entries, written.latents)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-entries.bin", "a-latents.bin"]


def test_an_empty_ring_comes_back_as_it_is_made(tmp_path):
    for ring in empty_rings("image"):
        found = segments.read(tmp_path, segments.nothing_written(ring), ring)
        for name, array in found.items():
            np.testing.assert_array_equal(array, getattr(ring, name), err_msg=name)


def test_a_refreshed_latent_is_written_and_the_entry_is_not(tmp_path, rng):
    ring = scribble(empty_rings("image")[0], rng, 6)
    written = save(tmp_path, "a", ring, segments.nothing_written(ring))
    ring = replace(ring, visits=ring.visits.at[1, 2].add(1), deter=ring.deter.at[1, 2].set(7))
    fresh = segments.news(ring, written)
    assert len(fresh.entries) == 0
    assert [(row["lane"], row["number"]) for row in fresh.latents] == [(1, 2)]


@pytest.mark.parametrize("rows", [1, segments.CHUNK, 2 * segments.CHUNK + 5])
def test_rows_are_gathered_on_an_accelerator_as_on_the_host(rng, rows, monkeypatch):
    ring = jnp.asarray(rng.integers(0, 255, (3, 4000, 2)), jnp.uint8)
    index = rng.integers(0, 3, rows), rng.integers(0, 4000, rows)
    host = np.empty((rows, 2), np.uint8)
    segments._take_leaf(ring, index, host)
    np.testing.assert_array_equal(host, np.asarray(ring)[index])

    monkeypatch.setattr(segments, "_on_host", lambda _: False)
    device = np.empty((rows, 2), np.uint8)
    segments._take_leaf(ring, index, device)
    np.testing.assert_array_equal(device, host)


def test_seeds_lead_the_environments(tmp_path, rng):
    one = [scribble(ring, rng, 9) for ring in empty_rings()[:1] * 3]
    ring = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one)
    written = save(tmp_path, "a", ring, segments.nothing_written(ring))
    for name, array in segments.read(tmp_path, written, ring).items():
        np.testing.assert_array_equal(array, getattr(ring, name), err_msg=name)


SPOILT = [
    ("entries", "lane", 2),
    ("entries", "number", -1),
    ("entries", "number", 10**6),
    ("entries", "action", 5),
    ("entries", "action", -2),
    ("entries", "code", 77),
    ("latents", "stoch", 200),
    ("latents", "visits", -1),
]


@pytest.mark.parametrize(("kind", "field", "value"), SPOILT)
def test_impossible_values_are_refused(tmp_path, rng, kind, field, value):
    ring = scribble(empty_rings("image")[0], rng, 6)
    written = save(tmp_path, "a", ring, segments.nothing_written(ring))
    file = tmp_path / f"a-{kind}.bin"
    rows = np.fromfile(
        file, segments.row_dtype(ring, getattr(segments, {"entries": "ENTRY", "latents": "LATENT"}[kind]))
    )
    rows[field][-1] = value
    file.write_bytes(rows.tobytes())
    with pytest.raises(CheckpointError, match=rf"a-{kind}\.bin: holds impossible values of {field}"):
        segments.read(tmp_path, written, ring)


def test_impossible_flags_and_pointers_are_refused(tmp_path, rng):
    rings = empty_rings("image")
    for ring, below, field, value in (
        (rings[0], None, "is_last", 2),
        (rings[1], np.array([9, 9]), "observation", 9),
    ):
        ring = scribble(ring, rng, 6, below)
        name = f"{field}-x"
        written = save(tmp_path, name, ring, segments.nothing_written(ring))
        file = tmp_path / f"{name}-entries.bin"
        rows = np.fromfile(file, segments.row_dtype(ring, segments.ENTRY))
        spoilt = rows[field].view(np.uint8) if rows[field].dtype == np.bool_ else rows[field]
        spoilt[-1] = value
        file.write_bytes(rows.tobytes())
        with pytest.raises(CheckpointError, match=f"impossible values of {field}"):
            segments.read(tmp_path, written, ring, below)


def test_rows_that_are_missing_are_noticed(tmp_path, rng):
    ring = scribble(empty_rings()[0], rng, 6)
    written = save(tmp_path, "a", ring, segments.nothing_written(ring))
    file = tmp_path / "a-entries.bin"
    with pytest.raises(CheckpointError, match=r"a-entries.bin: wanted 3 rows of \d+ bytes, got \d+ bytes"):
        segments.read_rows(file, segments.row_dtype(ring, segments.ENTRY), 3)
    rows = np.fromfile(file, segments.row_dtype(ring, segments.ENTRY))
    rows[0] = rows[1]
    file.write_bytes(rows.tobytes())
    with pytest.raises(CheckpointError, match=r"lacks rows of replay \(1 entries\)"):
        segments.read(tmp_path, written, ring)
