"""`hieros-eqx scores`: runs beside the published scores of Atari100k."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hieros_eqx.errors import ConfigError

if TYPE_CHECKING:
    from hieros_eqx.report.score_tables import Table

TERMINAL = "terminal"
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex"}
HEADER_WIDTH = 14
WIDEST = 1000  # columns; a pipe has no width


@click.command("scores")
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=click.Path(exists=True, file_okay=False))
@click.option(
    "--format",
    type=click.Choice((TERMINAL, "csv", "markdown", "latex")),
    help="How to write the tables. Default: by the ending of --out (.csv, .md, .tex), otherwise terminal.",
)
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write into this file instead.")
def command(
    runs: tuple[str, ...],
    format: str | None,
    out: str | None,
) -> None:
    """Show scores and human-normalised aggregates of RUNs beside the published ones (sources: NOTICE).

    A RUN is a run directory that was evaluated, or a folder of such; runs of one game are its seeds. Without
    a RUN the published columns stand alone.
    """
    if out is not None and not Path(out).parent.is_dir():
        raise ConfigError(f"--out {out}: wanted a file in a folder that exists.")
    chosen = format or (TERMINAL if out is None else SUFFIXES.get(Path(out).suffix, TERMINAL))
    scores, notes = {}, ()
    if runs:
        from hieros_eqx.report.run_scores import collect  # knows JAX, which the published columns do not need

        scores, notes = (found := collect(runs)).scores, found.notes
    from hieros_eqx.report.score_tables import make_tables
    from hieros_eqx.report.score_text import FORMATS

    tables = make_tables(scores)
    tables[0] = tables[0]._replace(notes=(*tables[0].notes, *notes))
    text = _terminal(tables, plain=out is not None) if chosen == TERMINAL else FORMATS[chosen](tables)
    if out is None:
        click.echo(text, nl=False)
    else:
        Path(out).write_text(text, encoding="utf-8")
        click.echo(f"written to {out}", err=True)
    if chosen == "csv":  # which has no room for notes
        for note in notes:
            click.echo(f"note: {note}", err=True)


def _terminal(tables: "Sequence[Table]", *, plain: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    from hieros_eqx.report.score_text import cell_texts

    console = Console(no_color=plain, force_terminal=False if plain else None)
    shown, width = [], console.width
    for table in tables:
        drawn = RichTable(title=table.title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for label in (table.corner, *table.columns.values()):
            header = "\n".join(textwrap.wrap(label, HEADER_WIDTH))
            drawn.add_column(header, justify="left" if label == table.corner else "right", no_wrap=True)
        for row in cell_texts(table):
            drawn.add_row(*row)
        shown.append((drawn, table.notes))
        width = max(width, console.measure(drawn, options=console.options.update(width=WIDEST)).maximum)
    console.width = width  # a terminal that is narrower breaks lines; no digit is left out
    with console.capture() as captured:
        for drawn, notes in shown:
            console.print(drawn)
            for note in notes:
                console.print(f"  {note}", style="dim", markup=False, highlight=False)
            console.print()
    return captured.get()
