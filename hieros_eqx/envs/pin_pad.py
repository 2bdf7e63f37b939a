"""A room with pads that must be stepped on in order, after Director's PinPad (arXiv 2206.04114)."""

import numpy as np
from jaxtyping import UInt8

from hieros_eqx.envs.images import SIDE
from hieros_eqx.envs.next_step import NextStepEnv
from hieros_eqx.envs.probe_worlds import World
from hieros_eqx.envs.protocol import VectorEnv
from hieros_eqx.errors import EnvError
from hieros_eqx.types import ActionSpace, ObservationSpace, Spaces

MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])  # stay, up, down, left, right: rows, columns
COLORS = np.array(
    [(230, 60, 60), (60, 200, 60), (70, 90, 240), (230, 220, 60), (220, 80, 220), (60, 210, 210)], np.uint8
)
FLOOR, WALL, PLAYER = (40, 40, 40), (110, 110, 110), (255, 255, 255)
MOST_PADS, LARGEST_SIDE = len(COLORS), 14
TEXT_ROWS = 8  # pixels at the bottom: the pads stepped on so far


def pin_pad(
    *, num_envs: int = 1, seed: int = 0, pads: int = 3, side: int = 8, length: int = 200
) -> VectorEnv:
    """A room of `side` x `side` tiles with `pads` pads: 10 for stepping on all in order.

    Five moves (stay, up, down, left, right), a 64 x 64 picture. Below the room are the last pads stepped on,
    newest at the right; a pad counts when it is another than the one before. After the whole sequence
    1, 2, ... the reward is given, the memory is cleared and the player put to a free tile. Episodes are cut
    after `length` steps. As in Director's environment (reward 10, pads at the room's walls), but for sizes.

    Raises `EnvError` for sizes that do not fit.
    """
    if not 2 <= pads <= MOST_PADS:
        raise EnvError(f"wanted 2 to {MOST_PADS} pads, got {pads}")
    if not 4 <= side <= LARGEST_SIDE:
        raise EnvError(f"wanted a room of 4 to {LARGEST_SIDE} tiles a side, got {side}")
    if length < 1:
        raise EnvError(f"wanted a length of at least 1, got {length}")
    return NextStepEnv(_PinPad(pads, side, length, num_envs=num_envs, seed=seed))


def layout(pads: int, side: int) -> np.ndarray:
    """Return the pad on each tile (0: none), `[side side]`: blocks at equal distances along the walls."""
    size = max(1, side // 4)
    tiles = np.zeros((side, side), np.int64)
    around = 4 * (side - size)  # way of a block's corner around the room
    for pad in range(pads):
        wall, along = divmod(pad * around // pads, side - size)
        far = side - size
        row, column = ((0, along), (along, far), (far, far - along), (far - along, 0))[wall]
        tiles[row : row + size, column : column + size] = pad + 1
    return tiles


class _PinPad(World):
    def __init__(self, pads: int, side: int, length: int, *, num_envs: int, seed: int):
        spaces = Spaces(
            observation=ObservationSpace(kind="image", shape=(SIDE, SIDE, 3)),
            action=ActionSpace(kind="discrete", size=len(MOVES)),
        )
        super().__init__(spaces, num_envs=num_envs, seed=seed)
        self._pads, self._side, self._length = pads, side, length
        self._tiles = layout(pads, side)
        self._free = np.argwhere(self._tiles == 0)
        self._player = np.zeros((num_envs, 2), np.int64)
        self._visited = np.zeros((num_envs, pads), np.int64)  # oldest first; 0: none yet
        self._room = self._draw_room()

    def begin(self, env: int, rng: np.random.Generator) -> None:
        self._player[env] = self._free[rng.integers(len(self._free))]
        self._visited[env] = 0

    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._player = np.clip(self._player + MOVES[action], 0, self._side - 1)
        pad = self._tiles[self._player[:, 0], self._player[:, 1]]
        new = (pad > 0) & (pad != self._visited[:, -1])
        pushed = np.concatenate([self._visited[:, 1:], pad[:, None]], axis=1)
        self._visited = np.where(new[:, None], pushed, self._visited)
        done = (self._visited == np.arange(1, self._pads + 1)).all(axis=1)
        for i in np.flatnonzero(done):
            self.begin(int(i), self._rngs[i])
        cut = self._time >= self._length
        return 10.0 * done, np.zeros_like(cut), cut

    def observe(self) -> UInt8[np.ndarray, "env 64 64 3"]:
        picture = np.repeat(self._room[None], self.num_envs, axis=0)
        tile = (SIDE - TEXT_ROWS) // self._side
        width = SIDE // self._pads
        for i, (row, column) in enumerate(self._player):
            picture[i, row * tile : (row + 1) * tile, column * tile : (column + 1) * tile] = PLAYER
            for place, pad in enumerate(self._visited[i]):
                if pad:
                    picture[i, SIDE - TEXT_ROWS + 2 :, place * width : (place + 1) * width - 2] = COLORS[
                        pad - 1
                    ]
        return picture

    def _draw_room(self) -> np.ndarray:
        picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        picture[: SIDE - TEXT_ROWS] = WALL
        tile = (SIDE - TEXT_ROWS) // self._side
        colors = np.concatenate([np.array([FLOOR], np.uint8), COLORS])[self._tiles]
        drawn = np.repeat(np.repeat(colors, tile, axis=0), tile, axis=1)
        picture[: drawn.shape[0], : drawn.shape[1]] = drawn
        return picture
