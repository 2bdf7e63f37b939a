"""Videos: RGB pictures to H.264 in MP4, which every browser plays, and the tiling of several into one.

The ffmpeg is that of `imageio-ffmpeg` (the extra `report`), which is imported where it is used.
"""

import importlib
import itertools
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

QUALITY = 23
"""x264's crf: 0 is lossless, 51 the worst; below 23 flat pictures grow and look no better."""
LARGEST_SIDE = 4096
"""Of a picture: larger ones many players refuse."""
COLORS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
OUTPUT = ("-crf", str(QUALITY), "-preset", "veryfast", "-tune", "animation", "-movflags", "+faststart")
# Unless told, players guess the matrix by the size of the picture, and colours are off.
FILTER = ("-vf", "scale=in_range=pc:out_range=tv:out_color_matrix=bt709")


def encode(
    frames: UInt8[np.ndarray, "time height width 3"], fps: float | int, path: str | Path | None = None
) -> bytes:
    """Return pictures as an MP4 (H.264, yuv420p, `+faststart`), and write it to `path` if there is one.

    Odd sizes grow by a copy of the last row or column. Raises `ValueError` for anything but at least one RGB
    picture of bytes, for sides above 4096 and for a rate that is not above 0.
    """
    _check(frames, "frames")
    return encode_stream(frames, fps, path)


def encode_stream(frames: Iterable[np.ndarray], fps: float | int, path: str | Path | None = None) -> bytes:
    """Return what `encode` does, from pictures `[height width 3]` that come one by one.

    Raises `ValueError` as `encode` does, and where a picture has another size than the first.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"wanted a rate of pictures above 0 a second, got {fps!r}.")
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise ValueError("wanted at least one picture, got none.")
    _check(first[None], "frames")
    height, width = (side + side % 2 for side in first.shape[:2])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "video.mp4"
        with _encoder(made, width, height, fps) as write:
            for frame in itertools.chain([first], remaining):
                if frame.shape != first.shape or frame.dtype != np.uint8:
                    raise ValueError(
                        f"wanted pictures of one size, uint8 {first.shape}, got {frame.dtype} {frame.shape}."
                    )
                write(_even(frame))
        video = made.read_bytes()
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(video)
    return video


def upscale(
    frames: UInt8[np.ndarray, "*time height width 3"], factor: int
) -> UInt8[np.ndarray, "*time rows columns 3"]:
    """Return pictures with every pixel repeated `factor` times along both sides; `ValueError` below 1."""
    _check(frames[None] if frames.ndim == 3 else frames, "frames")
    if not isinstance(factor, int | np.integer) or factor < 1:
        raise ValueError(f"wanted a whole factor of at least 1, got {factor!r}.")
    return frames.repeat(factor, axis=-3).repeat(factor, axis=-2)


def side_by_side(
    panels: Sequence[np.ndarray],
    gap: int = 0,
    *,
    color: tuple[int, int, int] = (255, 255, 255),
) -> UInt8[np.ndarray, "*time height width 3"]:
    """Return videos of one length beside each other, with `gap` pixels of `color` between them.

    All are `[time height width 3]`, or single pictures. Lower ones stand at the top, the rest is filled.
    Raises `ValueError` without panels, where lengths differ, and for a gap below 0.
    """
    if not len(panels):
        raise ValueError("wanted at least one video, got none.")
    for number, panel in enumerate(panels):
        _check(panel[None] if panel.ndim == 3 else panel, f"panels[{number}]")
    lengths = [panel.shape[:-3] for panel in panels]
    if len(set(lengths)) > 1:
        raise ValueError(f"wanted videos of one length, got {', '.join(str(n) for n in lengths)}.")
    if gap < 0:
        raise ValueError(f"wanted a gap of at least 0 pixels, got {gap}.")
    height = max(panel.shape[-3] for panel in panels)
    width = sum(panel.shape[-2] for panel in panels) + gap * (len(panels) - 1)
    canvas = np.empty((*lengths[0], height, width, 3), np.uint8)
    canvas[...] = np.array(color, np.uint8)
    left = 0
    for panel in panels:
        canvas[..., : panel.shape[-3], left : left + panel.shape[-2], :] = panel
        left += panel.shape[-2] + gap
    return canvas


def _check(frames: np.ndarray, name: str) -> None:
    shape = frames.shape
    if frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or not all(shape):
        raise ValueError(
            f"wanted `{name}` as RGB pictures, uint8 [time height width 3], at least one of them, "
            f"got {frames.dtype} {shape}."
        )
    if max(shape[1:3]) > LARGEST_SIDE:
        raise ValueError(f"wanted `{name}` with sides of at most {LARGEST_SIDE} pixels, got {shape[1:3]}.")


def _even(frame: np.ndarray) -> np.ndarray:
    """Return a picture with even sides: yuv420p has one colour for every two by two pixels."""
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded)


@contextmanager
def _encoder(path: Path, width: int, height: int, fps: float | int) -> Iterator[Callable[[Any], Any]]:
    """Let ffmpeg write a video at `path`; give what takes the bytes of its pictures.

    The writer of imageio-ffmpeg forks, which JAX warns of: its threads may hold locks that a child waits for.
    """
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-")
    target = ("-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", *FILTER, *OUTPUT, *COLORS, str(path))
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [_ffmpeg(), "-v", "error", *source, *target],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            process_group=0,  # Ctrl-C is for us, who then end it
        )
        assert process.stdin is not None
        try:
            yield process.stdin.write
            process.stdin.close()
            process.wait()
        except BrokenPipeError:  # it has said why
            process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.returncode:
            said.seek(0)
            raise RuntimeError(
                f"ffmpeg could not write a video: {said.read().decode(errors='replace')[:500]}"
            )


def _ffmpeg() -> str:
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "videos need imageio-ffmpeg; install it with: pip install 'hieros-eqx[report]'",
            name="imageio_ffmpeg",
        ) from error
