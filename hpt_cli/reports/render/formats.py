"""Results tables as CSV, TSV and JSON, for programs, and as Markdown, for messages."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from hpt_cli import formatting
from hpt_cli.reports.jobs import make_column
from hpt_cli.reports.render.columns import ResultColumn, list_values
from hpt_cli.tuning.summary import Summary

Columns = Sequence[ResultColumn]

_MARKS = re.compile(r"[\\`\[<|]")
"""Characters that would begin a link, an image, a tag or code, or end a cell."""


def write_csv(summary: Summary, columns: Columns, delimiter: str = ",") -> str:
    """Return comma-separated values, with the names of the fields on top."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(_write_cell(column.field) for column in columns)
    for row in summary.rows:
        writer.writerow(_write_cell(column.value(row)) for column in columns)
    return file.getvalue()


def _write_cell(value: Any) -> Any:
    return formatting.disarm_formula(formatting.plain(value)) if isinstance(value, str) else value


def write_tsv(summary: Summary, columns: Columns) -> str:
    """Return tab-separated values, for `cut` and `awk`."""
    return write_csv(summary, columns, "\t")


def write_json(summary: Summary, columns: Columns) -> str:
    """Return a list of objects with the names of the fields."""
    by_field = {column.field: column for column in columns}
    return formatting.write_json([list_values(row, by_field) for row in summary.rows]) + "\n"


def write_markdown(summary: Summary, columns: Columns) -> str:
    """Return a table to paste into an issue or a chat."""
    shown = [make_column(column, summary.rows) for column in columns]
    lines = [
        _join(column.heading for column in shown),
        _join("---:" if column.right else "---" for column in shown),
        *map(_join, zip(*(column.cells for column in shown), strict=True)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _join(cells: Any) -> str:
    return "| " + " | ".join(_MARKS.sub(r"\\\g<0>", cell.strip()) for cell in cells) + " |"


FORMATS = {"csv": write_csv, "tsv": write_tsv, "json": write_json, "md": write_markdown}
