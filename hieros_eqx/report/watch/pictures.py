"""Observations as RGB pictures: images as they are, vectors as heat maps or bars. NumPy only.

A vector of 16 numbers or more is a heat map, row by row, as wide as its largest divisor up to the root of its
length: the 50 numbers of Catch are its board of 10 x 5. Where that would be thinner than 1 to 4, it is about
square and its end is filled up. A shorter vector is one bar for each number, from the middle to the right
where it is positive, to the left where it is negative.
"""

import math

import numpy as np
from jaxtyping import Float, Shaped, UInt8

SIDE = 64
FEWEST_FOR_HEAT, THINNEST = 16, 4
BACKGROUND, AXIS = (24, 27, 33), (90, 96, 106)
POSITIVE, NEGATIVE = (86, 180, 233), (230, 159, 0)
HEAT = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Five points of Matplotlib's `viridis`, from the least to the largest number."""


def as_pictures(
    observation: Shaped[np.ndarray, "time ..."], reference: Shaped[np.ndarray, "..."] | None = None
) -> UInt8[np.ndarray, "time height width 3"]:
    """Return observations `[time ...]` as pictures; numbers on the scale of `reference` (default: their own).

    Heat maps go from its least to its largest number; each bar goes up to the largest that the number has
    there. Raises `ValueError` unless these are pictures (bytes, grey or RGB) or vectors of finite numbers,
    and both of one shape but for the time.
    """
    reference = observation if reference is None else reference
    if observation.shape[1:] != reference.shape[1:] or observation.dtype.kind != reference.dtype.kind:
        raise ValueError(
            f"wanted observations like the reference, {reference.dtype} {reference.shape[1:]} each, "
            f"got {observation.dtype} {observation.shape[1:]}."
        )
    if observation.dtype == np.uint8 and observation.ndim == 4 and observation.shape[-1] in (1, 3):
        return np.broadcast_to(observation, (*observation.shape[:-1], 3))
    if observation.dtype.kind != "f" or observation.ndim not in (2, 3) or not observation[:1].size:
        raise ValueError(
            "wanted pictures, uint8 [time height width 1 or 3], or vectors, float [time feature], "
            f"got {observation.dtype} {observation.shape}."
        )
    if not (np.isfinite(observation).all() and np.isfinite(reference).all() and len(reference)):
        raise ValueError("wanted finite numbers on the scale of at least one observation, got others.")
    if observation.ndim == 3 or observation.shape[1] >= FEWEST_FOR_HEAT:
        return _heat(observation, float(reference.min()), float(reference.max()))
    return _bars(observation, np.abs(reference).max(axis=0))


def grid_of(size: int) -> tuple[int, int]:
    """Return rows and columns of the heat map of a vector; `ValueError` for one of no number."""
    if size < 1:
        raise ValueError(f"wanted a vector of at least 1 number, got {size}.")
    columns = max(n for n in range(1, math.isqrt(size) + 1) if size % n == 0)
    if size // columns > THINNEST * columns:
        columns = math.ceil(math.sqrt(size))
    return -(-size // columns), columns


def _heat(
    observation: Float[np.ndarray, "time ..."], low: float, high: float
) -> UInt8[np.ndarray, "time height width 3"]:
    length, size = len(observation), math.prod(observation.shape[1:])
    rows, columns = observation.shape[1:] if observation.ndim == 3 else grid_of(size)
    share = (observation.reshape(length, size) - low) / max(high - low, 1e-12)
    points = np.linspace(0, 1, len(HEAT))
    colors = np.stack([np.interp(share, points, channel) for channel in zip(*HEAT, strict=True)], axis=-1)
    cells = np.empty((length, rows * columns, 3), np.uint8)
    cells[...] = np.array(BACKGROUND, np.uint8)
    cells[:, :size] = colors.round().astype(np.uint8)
    return cells.reshape(length, rows, columns, 3)


def _bars(
    observation: Float[np.ndarray, "time feature"], largest: Float[np.ndarray, " feature"]
) -> UInt8[np.ndarray, "time 64 64 3"]:
    share = np.clip(observation / np.maximum(largest, 1e-12), -1, 1)
    middle, band = SIDE // 2, SIDE // observation.shape[1]
    reach = np.round(share * (middle - 1)).astype(np.int64)  # [time feature], in pixels from the middle
    pictures = np.empty((len(observation), SIDE, SIDE, 3), np.uint8)
    pictures[...] = np.array(BACKGROUND, np.uint8)
    offset = np.arange(SIDE) - middle
    for number in range(observation.shape[1]):
        rows = slice(number * band, (number + 1) * band - (1 if band > 2 else 0))
        own = reach[:, number, None]
        right, left = (offset > 0) & (offset <= own), (offset < 0) & (offset >= own)
        line = np.where(right[..., None], np.array(POSITIVE, np.uint8), np.array(BACKGROUND, np.uint8))
        line = np.where(left[..., None], np.array(NEGATIVE, np.uint8), line)
        pictures[:, rows] = line[:, None]
    pictures[:, :, middle] = np.array(AXIS, np.uint8)
    return pictures
