"""Lines of a run's logs, as two runs may be compared by them."""

from pathlib import Path
from typing import Any

from hieros_eqx.training import log

TIMES = ("seconds", "steps_per_second")


def without_times(file: Path) -> list[dict[str, Any]]:
    """Return the records of a file without what was measured by a clock."""
    return [{key: value for key, value in line.items() if key not in TIMES} for line in log.read(file)]
