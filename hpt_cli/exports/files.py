"""Tables as files: CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hpt_cli.exports import import_extra
from hpt_cli.exports.tables import Table
from hpt_cli.formatting import disarm_formula, plain_lines
from hpt_cli.formatting import write_json as write_document

LARGEST_INTEGER = 2**63 - 1
"""The largest whole number in a column of whole numbers."""
EXACT_FLOAT = 2**53
"""The largest up to which all are exact in a column that has fractions too."""


def write_csv(table: Table) -> bytes:
    """Return comma-separated values; times are in ISO 8601, missing values are empty.

    No text in it controls a terminal, or is a formula to a spreadsheet.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_write_cell, table.columns))
    writer.writerows(map(_write_cell, row) for row in table.rows)
    return file.getvalue().encode(errors="replace")


def write_json(table: Table) -> bytes:
    """Return a list of objects, one for each row: pandas reads it with `orient="records"`."""
    return encode_json(
        [dict(zip(table.columns, map(_write_moment, row), strict=True)) for row in table.rows]
    )


def encode_json(document: Any) -> bytes:
    """Return a JSON document as the bytes of a file."""
    return f"{write_document(document)}\n".encode()


def write_parquet(table: Table) -> bytes:
    """Return Apache Parquet, with times as times; a mixed column becomes text.

    Raises:
        HptError: pyarrow is not installed.
    """
    pyarrow, parquet = (import_extra(name, "parquet") for name in ("pyarrow", "pyarrow.parquet"))
    columns = zip(*table.rows, strict=True) if table.rows else ([] for _ in table.columns)
    data = {name: _unify(values) for name, values in zip(table.columns, columns, strict=True)}
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(data), sink)
    return bytes(sink.getvalue())


FORMATS = {"csv": write_csv, "json": write_json, "parquet": write_parquet}


def _write_cell(value: Any) -> Any:
    if isinstance(value, str):
        return disarm_formula(plain_lines(value))
    return _write_moment(value)


def _write_moment(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _unify(values: Sequence[Any]) -> list[Any]:
    """Return values of one type: text where some are text, or too large for numbers."""
    known = [value for value in values if value is not None]
    has_text = {isinstance(value, str) for value in known}
    limit = EXACT_FLOAT if any(isinstance(value, float) for value in known) else LARGEST_INTEGER
    is_large = any(isinstance(value, int) and abs(value) > limit for value in known)
    as_text = len(has_text) > 1 or is_large
    return [str(value) if as_text and value is not None else value for value in values]
