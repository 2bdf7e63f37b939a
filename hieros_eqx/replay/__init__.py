"""Replay on the device: one ring per level and environment, ETBS starts, pointers between levels."""

from hieros_eqx.replay.append import record
from hieros_eqx.replay.buffer import RingBuffer, init_replay, replay_bytes
from hieros_eqx.replay.gather import gather
from hieros_eqx.replay.refresh import count_visits, write_back
from hieros_eqx.replay.sample import Draw, draw, first_start, num_starts

__all__ = [
    "Draw",
    "RingBuffer",
    "count_visits",
    "draw",
    "first_start",
    "gather",
    "init_replay",
    "num_starts",
    "record",
    "replay_bytes",
    "write_back",
]
