"""How long a run takes, from recorded runs; nothing is claimed where none was recorded."""

MEASURED: dict[tuple[str, str], tuple[float, str]] = {
    ("laptop", "cpu"): (3.94, "two threads of one core of an Intel Xeon"),
}
"""(preset, platform) -> (environment steps a second, the machine of the record in `benchmarks/`)."""


def duration(seconds: float) -> str:
    """Return a duration in words: `40 s`, `25 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def expected_time(preset: str, platform: str, env_steps: int, seeds: int = 1) -> str:
    """Return what to expect of a run, in words. Only runs of one seed were measured."""
    if (preset, platform) not in MEASURED or seeds > 1:
        each = f" for each of {seeds} seeds" if seeds > 1 else ""
        return f"{env_steps:,} environment steps{each}; the display shows the time left"
    rate, machine = MEASURED[preset, platform]
    return f"{env_steps:,} environment steps take about {duration(env_steps / rate)} on {machine}"
