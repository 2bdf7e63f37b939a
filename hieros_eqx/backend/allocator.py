"""The C library's allocator: large buffers are kept for the next step instead of being given back.

Compiled updates on a CPU take and free the same hundreds of megabytes every time. By default glibc maps such
buffers anew at every call, and the kernel hands them out page by page, zeroed: a quarter to a third of an
update's time (decision 008).
"""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # from glibc's malloc.h
TOP_PAD = 1 << 26
CHOSEN_BY_USER = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the process's next need; return whether it was asked to.

    Works only before threads allocate (each would get an arena of its own, whose large buffers are always
    mapped), so call it before JAX makes its first array. It concerns the whole process: the command line
    calls it, the library never does. Nothing is done without glibc, or where the environment already chooses
    (`MALLOC_...`, `GLIBC_TUNABLES`, `LD_PRELOAD`).
    """
    if not sys.platform.startswith("linux") or any(name.startswith(CHOSEN_BY_USER) for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: TOP_PAD, M_ARENA_MAX: 1}
    return all(mallopt(option, value) == 1 for option, value in settings.items())
