import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from hieros_eqx.report.watch import video
from hieros_eqx.report.watch.video import encode, encode_stream, side_by_side, upscale

TOLERANCE = 6.0  # of 255, mean absolute: crf 23 on flat pictures, colours halved
CORNERS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 220))


def moving(length, height, width):
    """A white square that moves over four fields of colour, one column a step."""
    frames = np.zeros((length, height, width, 3), np.uint8)
    half, middle = height // 2, width // 2
    for i, color in enumerate(CORNERS):
        rows = slice(0, half) if i < 2 else slice(half, None)
        columns = slice(0, middle) if i % 2 == 0 else slice(middle, None)
        frames[:, rows, columns] = color
    for t in range(length):
        frames[t, half - 4 : half + 4, 4 * t : 4 * t + 8] = 255
    return frames


def ask(*arguments):
    """Call ffmpeg, whose reader in imageio-ffmpeg leaves files open; return what it writes and says."""
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *arguments], capture_output=True, check=False)
    return done.stdout, done.stderr.decode()


def decode(made, tmp_path):
    """Return the pictures of a video and what ffmpeg says of it."""
    path = tmp_path / "decoded.mp4"
    path.write_bytes(made)
    raw, _ = ask("-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    told = next(line for line in ask("-i", str(path))[1].splitlines() if "Video:" in line)
    width, height = (int(side) for side in re.search(r" ([0-9]+)x([0-9]+)[ ,]", told).groups())
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3), told


def test_pictures_come_back(tmp_path):
    frames = moving(9, 48, 64)
    made = encode(frames, 15, tmp_path / "new" / "video.mp4")
    assert (tmp_path / "new" / "video.mp4").read_bytes() == made
    seen, told = decode(made, tmp_path)
    assert seen.shape == frames.shape
    assert all(word in told for word in ("h264", "yuv420p", "15 fps")), told
    for wanted, got in zip(frames, seen, strict=True):
        assert np.abs(wanted.astype(int) - got).mean() < TOLERANCE
    assert np.abs(frames[0].astype(int) - seen[-1]).mean() > TOLERANCE, "the square has moved"


def test_colours_are_those_that_players_are_told_of(tmp_path):
    """Saturated fields, away from edges: a wrong matrix would shift green by 20 and more."""
    seen, told = decode(encode(moving(3, 64, 64), 5), tmp_path)
    for (row, column), color in zip([(8, 20), (8, 50), (56, 20), (56, 50)], CORNERS, strict=True):
        assert np.abs(seen[1, row, column].astype(int) - color).max() <= 5
    assert "bt709" in told


def test_index_comes_first():
    """`+faststart`: a browser can play before it has all."""
    made = encode(moving(3, 32, 32), 5)
    assert 0 < made.index(b"moov") < made.index(b"mdat")


def test_odd_sizes_grow_by_one(tmp_path):
    frames = moving(4, 33, 47)
    seen, _ = decode(encode(frames, 10), tmp_path)
    assert seen.shape == (4, 34, 48, 3)
    assert np.abs(frames.astype(int) - seen[:, :33, :47]).mean() < TOLERANCE


def test_a_single_picture_and_a_slow_rate(tmp_path):
    seen, told = decode(encode(moving(1, 32, 32), 0.5), tmp_path)
    assert len(seen) == 1
    assert "0.50 fps" in told


def test_a_stream_is_the_same_video():
    frames = moving(5, 32, 48)
    assert encode_stream((frame for frame in frames), 10) == encode(frames, 10)


def test_flat_pictures_are_small():
    assert len(encode(upscale(moving(12, 64, 64), 4), 15)) < 30_000


def test_upscale_repeats_pixels():
    frames = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    large = upscale(frames, 3)
    assert large.shape == (2, 6, 9, 3)
    for t, row, column in np.ndindex(2, 6, 9):
        np.testing.assert_array_equal(large[t, row, column], frames[t, row // 3, column // 3])
    np.testing.assert_array_equal(upscale(frames[0], 3), large[0])


def test_panels_stand_beside_each_other():
    tall, low = np.full((2, 4, 3, 3), 10, np.uint8), np.full((2, 2, 5, 3), 20, np.uint8)
    joined = side_by_side([tall, low], 2, color=(1, 2, 3))
    assert joined.shape == (2, 4, 10, 3)
    np.testing.assert_array_equal(joined[:, :, :3], tall)
    np.testing.assert_array_equal(joined[:, :2, 5:], low)
    for filled in (joined[:, :, 3:5], joined[:, 2:, 5:]):
        np.testing.assert_array_equal(filled, np.broadcast_to(np.array([1, 2, 3], np.uint8), filled.shape))
    np.testing.assert_array_equal(side_by_side([tall[0], low[0]], 2, color=(1, 2, 3)), joined[0])


def test_a_picture_of_another_size_in_a_stream_is_refused(tmp_path):
    frames = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"of one size, uint8 \(8, 8, 3\), got uint8 \(8, 10, 3\)"):
        encode_stream(frames, 5, tmp_path / "video.mp4")
    assert not (tmp_path / "video.mp4").exists()


def test_what_ffmpeg_says_is_told(monkeypatch):
    monkeypatch.setattr(video, "OUTPUT", ("-preset", "nonsense"))
    with pytest.raises(RuntimeError, match=r"ffmpeg could not write a video: .*nonsense"):
        encode(moving(40, 256, 256), 15)


def test_an_error_in_the_middle_ends_ffmpeg():
    """The error itself comes out, and no process is left behind: the file of the video is gone at once."""

    def frames():
        yield np.zeros((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_stream(frames(), 15)
