"""JAX's persistent compilation cache: what was compiled once is read from disk the next time."""

import hashlib
import os
import platform
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

VARIABLE = "HIEROS_EQX_COMPILATION_CACHE"
MIN_COMPILE_SECONDS = 0.5


def enable_compilation_cache() -> Path | None:
    """Switch the cache on and return its folder; None where it stays off.

    A folder that JAX was already given (`JAX_COMPILATION_CACHE_DIR`) is kept. Otherwise
    `HIEROS_EQX_COMPILATION_CACHE` names one, or says `off`; the default is the user's cache folder, with one
    part for each kind of processor, since programs compiled for one need not run on another.
    """
    given = os.environ.get(VARIABLE)
    if given is not None and given.lower() in ("off", "0", "false", ""):
        return None
    held = getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009  (unknown to type checkers)
    if held:
        return Path(held)
    folder = Path(given).expanduser() if given else _user_cache() / "hieros_eqx" / "jax" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: compile anew
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    compilation_cache.reset_cache()  # JAX decides at its first compilation whether there is a cache
    return folder


def _user_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return Path(root) if root else Path.home() / ".cache"


def _processor() -> str:
    description = platform.processor() + platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        description += "".join(sorted({line for line in lines if line.startswith(("flags", "Features"))}))
    return f"{platform.machine() or 'cpu'}-{hashlib.sha256(description.encode()).hexdigest()[:8]}"
