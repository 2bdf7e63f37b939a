"""Observations as pictures, and grids of pictures, still or moving, as bytes of a PNG or MP4."""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped, UInt8

from hieros_eqx.core.shapes import require_same_shape
from hieros_eqx.report.watch.video import encode, upscale

GAP, LARGE = 4, 3
"""Pixels between pictures; how often a pixel is repeated in a video, which blurs single ones."""
DARK = (24, 27, 31)


def to_rgb(
    pictures: UInt8[np.ndarray, "*batch height width channels"],
) -> UInt8[np.ndarray, "*batch height width 3"]:
    """Return pictures of any number of channels as RGB; of a stack of grey ones, the newest."""
    if pictures.shape[-1] == 3:
        return pictures
    return np.repeat(pictures[..., -1:], 3, axis=-1)


def absolute_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the absolute difference of pictures of bytes. Raises `ValueError` if their shapes differ."""
    require_same_shape(prediction=prediction, truth=truth)
    return np.abs(prediction.astype(np.int16) - truth.astype(np.int16)).astype(np.uint8)


def grid_video(
    rows: Sequence[UInt8[np.ndarray, "time cell height width 3"]], fps: float | int
) -> tuple[bytes, tuple[int, int]]:
    """Return rows of moving pictures below each other as MP4, with its width and height in pixels.

    Raises `ValueError` without pictures, or where their sizes differ.
    """
    _check([list(row[0]) for row in rows if len(row)])
    frames = [_joined([list(row[t]) for row in rows]) for t in range(len(rows[0]))]
    large = upscale(np.stack(frames), LARGE)
    return encode(large, fps), (large.shape[2], large.shape[1])


def grid_png(rows: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]]) -> tuple[bytes, tuple[int, int]]:
    """Return rows of pictures as a PNG, with its width and height; what is between them shines through.

    Raises `ValueError` without pictures, or where their sizes differ.
    """
    _check(rows)
    joined = _joined(rows)
    seen = _joined([[np.full_like(picture, 255) for picture in row] for row in rows], 0)[..., :1]
    return png(np.concatenate([joined, seen], axis=-1)), (joined.shape[1], joined.shape[0])


def vector_picture(
    values: Shaped[np.ndarray, "time feature"], low: float, high: float, shape: float
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return vectors over time as a picture: a column a step, a row a feature, `low` dark, `high` bright.

    Rows or columns are repeated until it is about `shape` times as wide as high. Raises `ValueError` without
    a number.
    """
    if not values.size or shape <= 0:
        raise ValueError(
            f"wanted vectors [time feature] and a shape above 0, got {values.shape} and {shape}."
        )
    import matplotlib as mpl

    scaled = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    picture = (mpl.colormaps["viridis"](np.clip(scaled, 0, 1).T)[..., :3] * 255).astype(np.uint8)
    features, steps = picture.shape[:2]
    taller = max(1, round(steps / (shape * features)))
    wider = max(1, round(shape * features / steps))
    return picture.repeat(taller, axis=0).repeat(wider, axis=1)


def png(picture: UInt8[np.ndarray, "height width channels"]) -> bytes:
    """Return a picture, RGB or RGBA, as a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _check(rows: Sequence[Sequence[np.ndarray]]) -> None:
    sizes = {picture.shape for row in rows for picture in row}
    if len(sizes) != 1 or len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"wanted rows of equally many pictures of one size, got {len(rows)} rows, sizes {sorted(sizes)}."
        )


def _joined(rows: Sequence[Sequence[np.ndarray]], color: int | None = None) -> np.ndarray:
    fill = np.array(DARK if color is None else (color,) * 3, np.uint8)
    return _stack([_stack(list(row), 1, fill) for row in rows], 0, fill)


def _stack(parts: Sequence[np.ndarray], axis: int, fill: np.ndarray) -> np.ndarray:
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.broadcast_to(fill, shape)
    spaced = [part for own in parts for part in (gap, own)][1:]
    return np.concatenate(spaced, axis=axis)
