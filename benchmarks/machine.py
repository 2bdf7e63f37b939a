"""What machine a record was made on."""

import os
import platform
import resource
from pathlib import Path
from typing import Any

import jax


def device() -> dict[str, Any]:
    """Return JAX's device, the processor, its usable cores, and the peak memory of this process so far."""
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.is_file() else []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = jax.devices()[0]
    return {
        "platform": found.platform,
        "kind": found.device_kind,
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": cores,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
