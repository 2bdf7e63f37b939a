"""Pictures of any size to 64 x 64 RGB, by averaging areas. NumPy only."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from hieros_eqx.errors import EnvError

SIDE = 64
SMALLEST = 32  # a smaller array of bytes is a map or a grid, not a picture


def is_picture(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an observation is a picture: bytes, two or three axes, both sides at least 32."""
    if dtype != np.uint8 or len(shape) not in (2, 3):
        return False
    sides = shape if len(shape) == 2 else shape[1:] if _channels_first(shape) else shape[:2]
    return min(sides) >= SMALLEST


def _channels_first(shape: tuple[int, ...]) -> bool:
    """Whether the first of three axes is the channels: the smaller of first and last; a tie means last."""
    return shape[0] < shape[-1]


def check_channels(shape: tuple[int, ...]) -> None:
    """Raise `EnvError` unless a picture of this shape is grey or RGB."""
    if len(shape) == 3 and min(shape[0], shape[-1]) not in (1, 3):
        raise EnvError(
            f"wanted grey or RGB pictures (1 or 3 channels), got shape {shape}: turn frame stacking off "
            "(envpool: options={'stack_num': 1})"
        )


def to_rgb64(pictures: UInt8[np.ndarray, "env ..."]) -> UInt8[np.ndarray, "env 64 64 3"]:
    """A batch of grey or RGB pictures, channels first, last or none, as `[env 64 64 3]`."""
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if _channels_first(pictures.shape[1:]):
        pictures = pictures.transpose(0, 2, 3, 1)
    if pictures.shape[1:3] != (SIDE, SIDE):
        rows, columns = area_weights(pictures.shape[1]), area_weights(pictures.shape[2])
        # [side height] @ [env height width*channels], then the same for the columns
        env, height, width, channels = pictures.shape
        halfway = rows @ pictures.reshape(env, height, width * channels).astype(np.float32)
        resized = columns @ halfway.reshape(env, SIDE, width, channels)
        pictures = np.rint(resized).astype(np.uint8)
    if pictures.shape[-1] == 1:
        pictures = np.repeat(pictures, 3, axis=-1)
    return np.ascontiguousarray(pictures)


@lru_cache(maxsize=8)
def area_weights(size: int) -> Float[np.ndarray, "64 size"]:
    """Row i: the share of each of `size` pixels in the i-th of 64 equal pieces of the line; rows sum to 1."""
    edges = np.linspace(0, size, SIDE + 1)
    left = np.maximum(edges[:-1, None], np.arange(size))
    right = np.minimum(edges[1:, None], np.arange(size) + 1)
    overlap = np.maximum(right - left, 0)
    return (overlap / overlap.sum(-1, keepdims=True)).astype(np.float32)
