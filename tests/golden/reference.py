"""Access to the reference's numbers, and the account of which test file reads which keys."""

from functools import cache
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "reference.npz"


@cache
def everything() -> dict[str, np.ndarray]:
    """All arrays of the file, read-only."""
    with np.load(PATH) as file:
        arrays = {key: file[key] for key in file.files}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


class Reference:
    """The keys that one test file reads. A key outside its account is an error."""

    def __init__(self, *keys: str):
        self.keys = set(keys)

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.keys:
            raise KeyError(f"{key} is not in this file's account; add it to its `Reference(...)`.")
        return everything()[key]
