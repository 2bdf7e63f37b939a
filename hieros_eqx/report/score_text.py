"""Tables of scores as text: CSV for programs, Markdown and LaTeX for papers, and cells for the terminal."""

import csv
import io
from collections.abc import Sequence

from hieros_eqx.report.score_tables import Cell, Table

UNKNOWN = "-"
_LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}


def cell_texts(table: Table) -> list[list[str]]:
    """Return the rows as text: label, then `value [low, high]`, `value`, or `-` for what is not known."""
    return [
        [row, *(_cell(cells.get(column), table.decimals) for column in table.columns)]
        for row, cells in table.rows.items()
    ]


def _cell(cell: Cell | None, decimals: int | None) -> str:
    if cell is None:
        return UNKNOWN
    value = _number(cell.value, decimals)
    if cell.low is None or cell.high is None:
        return value
    return f"{value} [{_number(cell.low, decimals)}, {_number(cell.high, decimals)}]"


def _number(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:z.{decimals}f}"
    return f"{value:z.0f}" if abs(value) >= 1000 else f"{value:z.1f}".removesuffix(".0")


def to_csv(tables: Sequence[Table]) -> str:
    """Return all cells that are known, one a line, with full precision."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("table", "row", "column", "value", "low", "high", "seeds"))
    for table in tables:
        for row, cells in table.rows.items():
            for column in table.columns:
                if column in cells:
                    writer.writerow((table.name, row, table.columns[column], *cells[column]))
    return file.getvalue()


def to_markdown(tables: Sequence[Table]) -> str:
    """Return a heading, a table and its notes for each."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    header = [table.corner, *table.columns.values()]
    rule = ["---", *("---:" for _ in table.columns)]
    lines = [f"| {' | '.join(line)} |" for line in (header, rule, *cell_texts(table))]
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([f"### {table.title}", "", *lines, "", *notes, *([""] if notes else [])])


def to_latex(tables: Sequence[Table]) -> str:
    """Return a `table` for each, with rules of the package booktabs and the notes below."""
    return "\n".join(_latex(table) for table in tables)


def _latex(table: Table) -> str:
    body = [" & ".join(_escape(text) for text in row) + r" \\" for row in cell_texts(table)]
    notes = rf"\par\smallskip\footnotesize {_escape(' '.join(table.notes))}" if table.notes else ""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escape(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(_escape(text) for text in (table.corner, *table.columns.values())) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *([notes] if notes else []),
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def _escape(text: str) -> str:
    return "--" if text == UNKNOWN else "".join(_LATEX.get(letter, letter) for letter in text)


FORMATS = {"csv": to_csv, "markdown": to_markdown, "latex": to_latex}
"""Format -> what writes it."""
