"""Reads TensorBoard's event files as TensorBoard does: in the order of names, without what was made void."""

import struct
from collections.abc import Iterator
from pathlib import Path

from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2

START = 1
Curve = list[tuple[int, float]]


def records(path: Path) -> Iterator[event_pb2.Event]:
    """Yield the events of a file whose checksums are right; a last one that is cut short is left out."""
    data = path.read_bytes()
    while len(data) >= 16:
        (length,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + length]
        if len(data) < 16 + length:
            return
        assert struct.unpack("<I", data[8:12])[0] == masked(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(body)
        yield event_pb2.Event.FromString(body)
        data = data[16 + length :]


def events(folder: Path) -> list[event_pb2.Event]:
    """Return the events of a folder that count."""
    kept = []
    for path in sorted(folder.glob("*tfevents*")):
        for event in records(path):
            if event.HasField("session_log") and event.session_log.status == START:
                kept = [earlier for earlier in kept if earlier.step < event.step]
            elif event.HasField("summary"):
                kept.append(event)
    return kept


def curves(folder: Path) -> dict[str, Curve]:
    """Return the steps and values of every scalar."""
    found: dict[str, Curve] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def images(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Return the steps and files of every picture."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("image"):
                found.setdefault(value.tag, []).append((event.step, value.image.encoded_image_string))
    return found


def masked(data: bytes) -> int:
    """Return the checksum that guards a record."""
    value = crc32c(data) & 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
