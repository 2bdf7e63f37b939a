"""Where the ball of Pong and Breakout is: by the emulator's memory, and in a picture, real or predicted.

A ball covers two or three of 4,096 pixels: a world model can lose it and hardly pay for that. Places are
`(x, y)` in pixels of the 64 x 64 picture, from the top left; NaN where there is no ball.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped, UInt8

PIXELS_NEAR = 2.0
"""How far a predicted ball may be from the real one, to count as the same."""
LEAST_CONTRAST = 40
"""Of 255: how far a pixel must stand out of the court to be a ball. Real balls stand out by 60 to 150."""


@dataclass(frozen=True)
class Court:
    """The part of a game's picture in which nothing moves but the ball, and how memory tells of it."""

    address: tuple[int, int]
    """Bytes of the emulator's memory that hold x and y (Anand et al., arXiv 1906.08226); y 0: no ball."""
    offset: tuple[float, float]
    """Pixel = offset + scale * byte, fitted to real pictures (`tests/report/test_ball.py`)."""
    rows: tuple[int, int]
    columns: tuple[int, int]


SCALE = (0.4, 0.3023)
"""Pixels for one unit of memory: 64 of 160 columns, 64 of 210 rows."""
COURTS = {
    "Pong": Court(address=(49, 54), offset=(-19.8, -3.85), rows=(12, 57), columns=(10, 54)),
    "Breakout": Court(address=(99, 101), offset=(-19.7, 3.1), rows=(30, 56), columns=(5, 59)),
}


def ball_place(game: str, memory: UInt8[np.ndarray, "*batch byte"]) -> Float[np.ndarray, "*batch 2"]:
    """Return where the memory has the ball; NaN where it is out of play or out of the court.

    Raises `ValueError` for a game without a `Court`.
    """
    court = court_of(game)
    raw = memory[..., list(court.address)].astype(np.float64)
    place = np.array(court.offset) + np.array(SCALE) * raw
    (left, right), (top, bottom) = court.columns, court.rows
    x, y = place[..., 0], place[..., 1]
    seen = (raw[..., 1] > 0) & (x >= left) & (x <= right - 1) & (y >= top) & (y <= bottom - 1)
    return np.where(seen[..., None], place, np.nan)


def court_color(game: str, pictures: UInt8[np.ndarray, "picture 64 64 3"]) -> Float[np.ndarray, " 3"]:
    """Return the color of the court: the median over some real pictures."""
    return np.median(_court_pixels(game, pictures).reshape(-1, 3), axis=0)


def find_ball(
    game: str, pictures: UInt8[np.ndarray, "*batch 64 64 3"], color: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "*batch 2"]:
    """Return where pictures show a ball: around the pixel of the court that stands out most from `color`.

    The place is the mean over its neighbours, weighted by how far they stand out. NaN where no pixel stands
    out by `LEAST_CONTRAST`.
    """
    court = court_of(game)
    pixels = _court_pixels(game, pictures)
    lead, (height, width) = pixels.shape[:-3], pixels.shape[-3:-1]
    contrast = np.abs(pixels.astype(np.float64) - color).max(axis=-1).reshape(-1, height, width)
    places = np.full((len(contrast), 2), np.nan)
    for i, own in enumerate(contrast):
        row, column = np.unravel_index(own.argmax(), own.shape)
        if own[row, column] >= LEAST_CONTRAST:
            places[i] = _center(own, int(row), int(column))
    corner = np.array([court.columns[0], court.rows[0]])
    return (places + corner).reshape(*lead, 2)


def recall(
    found: Float[np.ndarray, "*some 2"], truth: Float[np.ndarray, "*batch 2"]
) -> dict[str, float | int | None]:
    """Return how many real balls there are, which share of them was found within `PIXELS_NEAR`, and in which
    share of the pictures without a ball one was drawn.

    `found` and `truth` broadcast against each other. A share of nothing is None.
    """
    found, truth = np.broadcast_arrays(found, truth)
    real, drawn = ~np.isnan(truth[..., 0]), ~np.isnan(found[..., 0])
    distance = np.sqrt(np.square(found - truth).sum(axis=-1))
    near = real & drawn & (np.nan_to_num(distance, nan=np.inf) <= PIXELS_NEAR)
    return {
        "balls": int(real.sum()),
        "recall": _share(near, real),
        "drawn_without_ball": _share(drawn & ~real, ~real),
    }


def court_of(game: str) -> Court:
    """Return a game's court; `ValueError` if it is not known."""
    if game not in COURTS:
        raise ValueError(f"wanted a game with a ball, {' or '.join(COURTS)}, got {game!r}.")
    return COURTS[game]


def _court_pixels(game: str, pictures: Shaped[np.ndarray, "*batch 64 64 3"]) -> np.ndarray:
    court = court_of(game)
    return pictures[..., slice(*court.rows), slice(*court.columns), :]


def _center(contrast: np.ndarray, row: int, column: int) -> tuple[float, float]:
    top, left = max(row - 1, 0), max(column - 1, 0)
    around = contrast[top : row + 2, left : column + 2]
    around = around / around.sum()
    rows, columns = np.indices(around.shape)
    return float(left + (around * columns).sum()), float(top + (around * rows).sum())


def _share(part: np.ndarray, whole: np.ndarray) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None
