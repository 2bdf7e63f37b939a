"""How much memory there is to take: of an accelerator by its own account, of a host by the system's."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MEMINFO, CGROUPS, OWN_CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def free_bytes(devices: Sequence[Any]) -> int | None:
    """Return the bytes that each of JAX's devices has free; of CPUs, those of their host; None: unknown."""
    if devices[0].platform == "cpu":
        return free_host_bytes()
    free = [_free_on(device) for device in devices]
    known = [number for number in free if number is not None]
    return min(known) if len(known) == len(free) else None


def free_host_bytes() -> int | None:
    """Return the bytes that this process may still take: of the machine, and of its control groups.

    None where the system does not tell (no Linux).
    """
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min([*available, *_left_in_cgroups()], default=None)


def _free_on(device: Any) -> int | None:
    stats = device.memory_stats() or {}
    if "bytes_limit" not in stats:
        return None
    return stats["bytes_limit"] - stats.get("bytes_in_use", 0)


def _left_in_cgroups() -> Iterator[int]:
    """Yield what is left under every limit on the way from this process's control group to the root."""
    try:
        lines = OWN_CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, names = CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = CGROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(root):
                yield from _left_in(group, *names)


def _left_in(group: Path, limit: str, usage: str, reclaimable: str) -> Iterator[int]:
    """Yield what is left in one control group with a limit; pages of files that it can drop are free."""
    try:
        most = (group / limit).read_text(encoding="ascii").strip()
        used = int((group / usage).read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    if most.isdigit():
        cached = sum(int(line.split()[1]) for line in lines if line.split()[0] == reclaimable)
        yield max(int(most) - used + cached, 0)
