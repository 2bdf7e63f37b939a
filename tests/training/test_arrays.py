"""Named arrays come back to the bit, what does not fit is named, and many saves take no memory."""

import gc
import json
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hieros_eqx.errors import CheckpointError
from hieros_eqx.training import arrays


@pytest.fixture
def named():
    """Dtypes in turns, a scalar, no element, a name that Orbax would take for a path."""
    return {
        "b/x": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.array(5, np.int16),
        "b/y": np.array([[True], [False]]),
        "c": np.asarray(jnp.asarray([1.5, -2.0], jnp.bfloat16)),
        "none": np.zeros((0, 3), np.float32),
        "b/a": np.array([np.inf, -0.0], np.float32),
        "key": jax.random.key_data(jax.random.key(3)),
    }


def test_arrays_come_back_to_the_bit(named, tmp_path):
    arrays.write(tmp_path / "x", arrays.to_host(named))
    found = arrays.read(tmp_path / "x", named)
    assert list(found) == list(named)
    for name, wanted in named.items():
        assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape), name
        assert found[name].tobytes() == np.asarray(wanted).tobytes(), name


CHUNK = 1 << 12  # bytes
PRIME = 2003  # numbers of 4 bytes: two chunks, and a divisor of nothing


def chunk_lengths(folder):
    """Return how long the chunks of the arrays in a folder are, as TensorStore tells."""
    import tensorstore

    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{folder}/"}).result()
    names = [key for key in store.list().result() if key.endswith(b".zarray")]
    return [json.loads(store.read(name).result().value)["chunks"][0] for name in names]


def test_a_length_that_nothing_divides_is_written_in_whole_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", CHUNK)
    wanted = {"prime": np.arange(PRIME, dtype=np.float32)}
    arrays.write(tmp_path / "own", wanted)
    assert chunk_lengths(tmp_path / "own") == [CHUNK // 4]
    np.testing.assert_array_equal(arrays.read(tmp_path / "own", wanted)["prime"], wanted["prime"])


def test_what_was_written_without_filling_up_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", CHUNK)
    wanted = {"even": np.arange(2 * PRIME, dtype=np.float32)}
    with monkeypatch.context() as earlier:
        earlier.setattr(arrays, "_whole_chunks", lambda pack: pack)
        arrays.write(tmp_path / "own", wanted)
    np.testing.assert_array_equal(arrays.read(tmp_path / "own", wanted)["even"], wanted["even"])


@pytest.mark.parametrize("name", ["seeds[0,1]", "what?", "run*", "[a-z", "a b"])
def test_folders_whose_names_are_patterns(named, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "seeds0").mkdir()  # that the first pattern matches
    arrays.write(tmp_path / name / "x", arrays.to_host(named))
    found = arrays.read(tmp_path / name / "x", named)
    assert all(found[key].tobytes() == np.asarray(wanted).tobytes() for key, wanted in named.items())
    assert not any((tmp_path / "seeds0").iterdir())


def test_what_orbax_leaves_in_pieces_is_no_success(named, tmp_path, monkeypatch):
    """Without the plain name, Orbax itself only warns."""
    monkeypatch.setattr(arrays, "PATTERN", frozenset())
    (tmp_path / "seeds[0,1]").mkdir()
    with pytest.raises(OSError, match="has not put together what it wrote"):
        arrays.write(tmp_path / "seeds[0,1]" / "x", arrays.to_host(named))


def test_the_order_is_that_of_the_folder(named, tmp_path):
    """Another version may walk its tree in another order."""
    arrays.write(tmp_path / "x", arrays.to_host(dict(reversed(named.items()))))
    found = arrays.read(tmp_path / "x", named)
    np.testing.assert_array_equal(found["b/x"], named["b/x"])
    np.testing.assert_array_equal(found["b/a"], named["b/a"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b/x": np.zeros((3, 2), np.float32)}, r"b/x: wanted float32\[3, 2\], got float32\[2, 3\]"),
        ({"a": np.array(5, np.int32)}, r"a: wanted int32\[\], got int16\[\]"),
        ({"z": np.zeros(1)}, r"z: wanted float64\[1\], got none"),
        ({"c": None}, r"c: wanted none, got bfloat16\[2\]"),
    ],
)
def test_the_first_that_differs_is_named(named, tmp_path, changes, message):
    arrays.write(tmp_path / "x", arrays.to_host(named))
    wanted = {name: leaf for name, leaf in (named | changes).items() if leaf is not None}
    with pytest.raises(CheckpointError, match=message):
        arrays.read(tmp_path / "x", wanted)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": np.zeros(2, np.int16)}, r"wanted int16\[1\], got int16\[2\]"),
        (
            {"a": np.zeros(1, np.int16), "b/x": np.zeros(9, np.float32)},
            r"wanted float32\[8\], got float32\[11\]",
        ),
        ({"a": np.array(5, np.int8)}, "does not fit"),
    ],
)
def test_what_is_not_as_its_layout_says_is_refused(named, tmp_path, other, message):
    """Files that a stranger has changed together with their checksums."""
    arrays.write(tmp_path / "x", arrays.to_host(named))
    arrays.write(tmp_path / "y", arrays.to_host(named | other))
    shutil.copy(tmp_path / "x" / arrays.LAYOUT, tmp_path / "y")
    with pytest.raises(CheckpointError, match=message):
        arrays.read(tmp_path / "y", named)


def test_a_layout_that_is_none_is_refused(named, tmp_path):
    arrays.write(tmp_path / "x", arrays.to_host(named))
    (tmp_path / "x" / arrays.LAYOUT).write_text("[1, 2]")
    with pytest.raises(CheckpointError, match="does not fit its configuration, or is damaged"):
        arrays.read(tmp_path / "x", named)


def test_writing_again_and_again_takes_no_memory(tmp_path):
    """TensorStore loses four Python objects with each array that Orbax is given: with all of these, 400."""
    named = {f"x{i}": np.ones(3, np.float32) for i in range(100)}

    def write(times):
        for _ in range(times):
            arrays.write(tmp_path / "x", named)
            shutil.rmtree(tmp_path / "x")
        gc.collect()
        return sys.getallocatedblocks()

    before = write(8)  # caches fill meanwhile
    assert (write(8) - before) / 8 < 100
