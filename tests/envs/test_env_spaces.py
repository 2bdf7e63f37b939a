"""Observations as one image or vector, actions as index or numbers in [-1, 1], pictures to 64 x 64."""

import numpy as np
import pytest

from hieros_eqx.envs.images import area_weights, to_rgb64
from hieros_eqx.envs.spaces import ActionWriter, ObservationReader
from hieros_eqx.errors import EnvError

gymnasium = pytest.importorskip("gymnasium")
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple  # noqa: E402


def resize_by_definition(picture):
    """Each of 64 x 64 cells is the mean of the picture over its rectangle, one axis after the other."""
    for axis in (0, 1):
        line = np.moveaxis(picture.astype(float), axis, 0)
        fine = np.repeat(line, 64, axis=0).reshape(64, len(line), *line.shape[1:])
        picture = np.moveaxis(fine.mean(1), 0, axis)
    return picture


@pytest.mark.parametrize(("height", "width"), [(96, 80), (33, 70), (128, 64), (64, 40)])
def test_area_average(rng, height, width):
    pictures = rng.integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    resized = to_rgb64(pictures)
    assert resized.shape == (2, 64, 64, 3) and resized.dtype == np.uint8 and resized.flags.c_contiguous
    for i in range(2):
        # half a level is the rounding to bytes, the rest float32
        assert np.abs(resized[i] - resize_by_definition(pictures[i])).max() < 0.501


def test_layouts_agree(rng):
    pictures = rng.integers(0, 256, (2, 50, 70, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_rgb64(pictures.transpose(0, 3, 1, 2)), to_rgb64(pictures))
    grey = to_rgb64(pictures[..., 0])
    np.testing.assert_array_equal(grey, to_rgb64(pictures[..., :1]))
    np.testing.assert_array_equal(grey, np.repeat(to_rgb64(pictures)[..., :1], 3, -1))
    np.testing.assert_allclose(area_weights(50).sum(-1), 1, rtol=1e-6)


def byte_box(*shape):
    return Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("space", "kind", "shape"),
    [
        (byte_box(96, 96, 3), "image", (64, 64, 3)),
        (byte_box(3, 84, 96), "image", (64, 64, 3)),
        (byte_box(84, 84), "image", (64, 64, 3)),
        (byte_box(1, 84, 84), "image", (64, 64, 3)),
        (byte_box(7, 7, 3), "vector", (147,)),
        (byte_box(31, 64, 3), "vector", (31 * 64 * 3,)),
        (Box(-1, 1, (10, 5), np.float64), "vector", (50,)),
        (Box(0, 1, (64, 64, 3), np.float32), "vector", (64 * 64 * 3,)),
        (Discrete(5, start=2), "vector", (5,)),
        (MultiBinary((2, 3)), "vector", (6,)),
        (MultiDiscrete([3, 4]), "vector", (2,)),
        (Dict(a=Discrete(3), b=Dict(c=Box(-1, 1, (4,)), d=byte_box(2, 2))), "vector", (11,)),
        (Dict(camera=byte_box(64, 64, 3)), "image", (64, 64, 3)),
    ],
)
def test_kinds_of_observations(space, kind, shape):
    read = ObservationReader(space)
    assert (read.space.kind, read.space.shape) == (kind, shape)
    space.seed(0)
    samples = [space.sample() for _ in range(3)]

    def stack(values):
        if isinstance(values[0], dict):
            return {k: stack([v[k] for v in values]) for k in values[0]}
        return np.stack([np.asarray(v) for v in values])

    got = read(stack(samples), 3)
    assert got.shape == (3, *shape) and got.dtype == (np.uint8 if kind == "image" else np.float32)
    np.testing.assert_array_equal(got[1:2], read(stack(samples[1:2]), 1))


def test_keys_choose_and_order():
    space = Dict(a=Discrete(3), b=Dict(c=Box(-9, 9, (2,)), d=byte_box(64, 64)))
    batch = {
        "a": np.array([2]),
        "b": {"c": np.array([[5, 6]], np.float32), "d": np.zeros((1, 64, 64), np.uint8)},
    }
    assert ObservationReader(space, ("b/c", "a"))(batch, 1).tolist() == [[5, 6, 0, 0, 1]]
    assert ObservationReader(space, ("b/d",)).space.kind == "image"
    with pytest.raises(EnvError, match=r"wanted keys among \['a', 'b/c', 'b/d'\], got \['e'\]"):
        ObservationReader(space, ("e",))
    with pytest.raises(EnvError, match="one picture or only vectors"):
        ObservationReader(space)
    with pytest.raises(EnvError, match="wanted a Dict space"):
        ObservationReader(Discrete(3), ("a",))
    with pytest.raises(EnvError, match="entry 'a'"):
        ObservationReader(space, ("a",))({"b": batch["b"]}, 1)


@pytest.mark.parametrize("space", [Text(5), Tuple((Discrete(2), Discrete(2))), byte_box(4, 84, 84)])
def test_observations_that_do_not_fit(space):
    with pytest.raises(EnvError, match="wanted"):
        ObservationReader(space)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (Box(-1, 1, (3,)), np.zeros((1, 4), np.float32)),
        (Box(-1, 1, (3,)), np.zeros((1, 3), complex)),
        (byte_box(64, 64, 3), np.zeros((1, 64, 64, 3), np.float32)),
        (Discrete(3), np.array([3])),
        (Discrete(3, start=1), np.array([0])),
    ],
)
def test_observations_that_break_their_space(space, value):
    with pytest.raises(EnvError, match="wanted an observation"):
        ObservationReader(space)(value, 1)


def test_actions():
    shifted = ActionWriter(Discrete(3, start=-1))
    assert (shifted.space.kind, shifted.space.size) == ("discrete", 3)
    assert shifted(np.array([0, 2], np.int32)).tolist() == [-1, 1]
    box = ActionWriter(Box(np.array([[-2, 0]]), np.array([[2, 10]]), dtype=np.float64))
    assert (box.space.kind, box.space.size) == ("continuous", 2)
    written = box(np.array([[-1, -1], [0, 0], [1, 0.5]], np.float32))
    assert written.dtype == np.float64
    assert written.tolist() == [[[-2, 0]], [[0, 5]], [[2, 7.5]]]
    free = ActionWriter(Box(-np.inf, np.inf, (1,)))
    assert free(np.array([[0.25]], np.float32)).tolist() == [[0.25]]


@pytest.mark.parametrize("space", [MultiDiscrete([2, 2]), Box(0, 5, (2,), np.int32), MultiBinary(3)])
def test_actions_that_do_not_fit(space):
    with pytest.raises(EnvError, match="wanted Discrete or floating-point Box"):
        ActionWriter(space)
