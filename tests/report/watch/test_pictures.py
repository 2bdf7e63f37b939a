import numpy as np
import pytest

from hieros_eqx.report.watch.pictures import AXIS, BACKGROUND, HEAT, NEGATIVE, POSITIVE, as_pictures, grid_of


@pytest.mark.parametrize(
    ("size", "grid"), [(50, (10, 5)), (16, (4, 4)), (128, (16, 8)), (17, (4, 5)), (51, (7, 8)), (1, (1, 1))]
)
def test_heat_maps_are_not_thin(size, grid):
    assert grid_of(size) == grid
    assert grid[0] * grid[1] >= size


def test_pictures_stay_and_grey_ones_get_colours(rng):
    color = rng.integers(256, size=(2, 5, 4, 3)).astype(np.uint8)
    np.testing.assert_array_equal(as_pictures(color), color)
    grey = as_pictures(color[..., :1])
    for channel in range(3):
        np.testing.assert_array_equal(grey[..., channel], color[..., 0])


def test_a_board_is_a_heat_map():
    """Catch: ball in row 2, column 3 of 10 x 5."""
    board = np.zeros((2, 50), np.float32)
    board[0, 2 * 5 + 3] = 1
    pictures = as_pictures(board)
    assert pictures.shape == (2, 10, 5, 3)
    assert tuple(pictures[0, 2, 3]) == HEAT[-1]
    pictures[0, 2, 3] = HEAT[0]
    assert (pictures == np.array(HEAT[0], np.uint8)).all()


def test_colours_follow_the_reference():
    """A subgoal is drawn on the scale of what was seen, and beyond it in the outermost colour."""
    seen = np.stack([np.zeros(16), np.full(16, 4.0)]).astype(np.float32)
    wanted = np.array([[0.0, 1.0, 2.0, 4.0, 9.0, -9.0, *[0.0] * 10]], np.float32)
    pictures = as_pictures(wanted, seen)[0].reshape(16, 3)
    indices = (0, 1, 2, 4, 4, 0)
    np.testing.assert_array_equal(pictures[:6], np.array(HEAT)[list(indices)])


def test_what_does_not_fill_a_grid_is_background():
    pictures = as_pictures(np.ones((1, 17), np.float32))
    assert pictures.shape == (1, 4, 5, 3)
    np.testing.assert_array_equal(pictures[0].reshape(20, 3)[17:], [BACKGROUND] * 3)
    shaped = as_pictures(np.zeros((3, 2, 40), np.float32))  # its own shape is better than a guess
    assert shaped.shape == (3, 2, 40, 3)


def test_short_vectors_are_bars():
    """Each number on its own scale: half of the largest reaches half as far, negative ones to the left."""
    seen = np.array([[1.0, -40.0], [-0.5, 20.0]], np.float32)
    pictures = as_pictures(seen)
    assert pictures.shape == (2, 64, 64, 3)
    rows = (10, 40)
    for t, directions in enumerate([(1, -1), (-1, 1)]):
        for row, direction in zip(rows, directions, strict=True):
            line = pictures[t, row]
            color = POSITIVE if direction > 0 else NEGATIVE
            lit = np.flatnonzero((line == np.array(color, np.uint8)).all(axis=-1))
            assert len(lit) == (31 if t == 0 else 16)
            assert (np.sign(lit - 32) == direction).all()
            assert tuple(line[32]) == AXIS


@pytest.mark.parametrize("vector", [np.zeros((2, 3), np.float32), np.zeros((2, 20), np.float32)])
def test_nothing_is_divided_by_zero(vector):
    assert as_pictures(vector).dtype == np.uint8
