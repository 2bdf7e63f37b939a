"""Pictures as files in memory: PNG, or GIF where they move. Needs imageio, of the extra `report`."""

from typing import NamedTuple

import numpy as np

STEPS_PER_SECOND = 15  # an Atari game acts 15 times a second


class Encoded(NamedTuple):
    """One picture as the bytes of a file."""

    kind: str
    """`png`, or `gif` for one that moves."""
    data: bytes
    height: int
    width: int


def encode(picture: np.ndarray) -> Encoded:
    """Return a picture, uint8 `[height width 3]` or `[time height width 3]`, as a file.

    Raises `ValueError` for any other array.
    """
    wanted = "uint8 [height width 3] or [time height width 3]"
    if picture.dtype != np.uint8 or picture.ndim not in (3, 4) or picture.shape[-1] != 3 or not picture.size:
        raise ValueError(f"wanted a picture, {wanted}, got {picture.dtype} {picture.shape}.")
    import imageio.v3 as imageio

    *_, height, width, _ = picture.shape
    if picture.ndim == 3:
        return Encoded("png", imageio.imwrite("<bytes>", picture, extension=".png"), height, width)
    milliseconds = 1000 / STEPS_PER_SECOND
    data = imageio.imwrite("<bytes>", picture, extension=".gif", duration=milliseconds, loop=0)
    return Encoded("gif", data, height, width)
