"""The page of a run, or of several beside each other: one HTML file that needs nothing else."""

import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hieros_eqx.report.page import curve_sections as curves
from hieros_eqx.report.page.labels import run_labels
from hieros_eqx.report.page.layout import Figure, Group, Section
from hieros_eqx.report.page.returns_section import returns_section
from hieros_eqx.report.page.run_data import RunData, read_run
from hieros_eqx.report.page.summary import summarise_run
from hieros_eqx.report.page.svg import number_ids

CURVES = (
    returns_section,
    curves.rewards_section,
    curves.losses_section,
    curves.goal_section,
    curves.codes_section,
    curves.visits_section,
    curves.behaviour_section,
    curves.gradients_section,
)


def write_page(paths: Sequence[str | Path], out: str | Path, *, videos: bool = True) -> Path:
    """Write the page of one or several run directories to `out`, and return its path.

    Several runs are drawn beside each other. For the `videos` of a single run its newest agent plays anew,
    which takes as long as compiling it. Raises `ValueError` without a run, `CheckpointError` for a
    directory that is none of a run or whose files are damaged.
    """
    if not paths:
        raise ValueError("wanted at least one run directory, got none.")
    runs = [read_run(Path(path)) for path in paths]
    sections = [section(runs) for section in CURVES]
    if videos and len(runs) == 1:
        from hieros_eqx.report.page.media_sections import media_sections

        sections[2:2] = media_sections(runs[0])
    text = render(runs, sections)
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, target)
    return target


def render(runs: Sequence[RunData], sections: Sequence[Section]) -> str:
    """Return the page with these sections as HTML. All that comes from files is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hieros_eqx.report.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    names = list(dict.fromkeys(run.name for run in runs))
    heading = ", ".join(names)
    several = len(runs) > 1
    return environment.get_template("page.html").render(
        title=f"{heading}: {'runs' if several else 'a run'} of Hieros",
        kicker=f"{len(runs)} runs of Hieros beside each other" if several else _kicker(runs[0]),
        heading=heading,
        summaries=[summarise_run(run) for run in runs],
        labels=run_labels(runs) if several else [""],
        sections=_with_own_ids(sections),
        version=_version(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _with_own_ids(sections: Sequence[Section]) -> list[Section]:
    """Number the ids inside drawings through the page."""
    count = itertools.count()

    def figure(own: Figure) -> Figure:
        return own._replace(bodies=[number_ids(body, f"g{next(count)}-") for body in own.bodies])

    def group(own: Group) -> Group:
        return own._replace(figures=[figure(x) for x in own.figures])

    return [section._replace(groups=[group(own) for own in section.groups]) for section in sections]


def _kicker(run: RunData) -> str:
    parts = [_count(run.config.levels, "level"), _count(len(run.config.all_seeds), "seed")]
    return f"A run of Hieros: preset {run.config.preset}, {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _version() -> str:
    try:
        return version("hieros-eqx")
    except PackageNotFoundError:
        return "(not installed)"
