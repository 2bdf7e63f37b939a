"""`hieros-eqx report`: the page of a run, or of several beside each other."""

from pathlib import Path

import click

from hieros_eqx.errors import CheckpointError

from .resolve import see_working_directory
from .runs import require_run

NAME = "report.html"


@click.command("report")
@click.argument(
    "runs", type=click.Path(exists=True, file_okay=False), nargs=-1, required=True, metavar="RUN..."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help=f"The page. Default: {NAME} in the first RUN.",
)
@click.option(
    "--no-videos",
    is_flag=True,
    help="Only what the run's files say, in seconds: no agent is loaded, no video made.",
)
def command(runs: tuple[str, ...], out: str | None, no_videos: bool) -> None:
    """Write one HTML file about a RUN; of several, they are drawn beside each other.

    It needs no network, and opens from disk. Of one run it holds videos of what the world model foresees and
    of what the hierarchy wants, for which the newest agent plays anew.
    """
    target = Path(out) if out is not None else Path(runs[0]) / NAME
    if not target.parent.is_dir():
        raise CheckpointError(
            f"{target}: wanted a file in a directory that exists, got none at {target.parent}."
        )
    for run in runs:
        require_run(run)
    see_working_directory()
    from hieros_eqx.report.page.write import write_page

    path = write_page(runs, target, videos=not no_videos)
    click.echo(f"written to {path} ({path.stat().st_size / 1e6:.2f} MB)", err=True)
