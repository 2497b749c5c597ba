"""The recorded tables that the benchmarks run on: those in scripts/benchmarks/tables, or others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hpt_cli.analysis.curve_tables import Table, read_table
from hpt_cli.analysis.replay import Chooser, RecordedJob
from hpt_cli.errors import UsageError
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.state import TuningState

TABLES = Path(__file__).parent / "tables"


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add --table and --tables."""
    parser.add_argument(
        "--table", type=Path, action="append", metavar="FILE", help="a table to use (repeatable)"
    )
    parser.add_argument(
        "--tables", type=Path, default=TABLES, metavar="DIR", help="use the tables in DIR"
    )


def read_tables(options: argparse.Namespace, *, searchable: bool = False) -> list[Table]:
    """Return the tables that the command line names, sorted by file name.

    Args:
        options: the command line, with the options of `add_table_options`.
        searchable: leave out, with a message, the tables that a strategy cannot search.

    Raises:
        SystemExit: there is no table, or one cannot be read.
    """
    paths = options.table or sorted(options.tables.glob("*.jsonl.gz"))
    if not paths:
        sys.exit(f"error: no tables (*.jsonl.gz) in {options.tables}")
    try:
        tables = [read_table(path) for path in paths]
    except UsageError as error:
        sys.exit(f"error: {error}")
    if not searchable:
        return tables
    left_out = [table.name for table in tables if not is_searchable(table)]
    if left_out:
        print(f"left out, as they serve stop rules only: {', '.join(left_out)}", file=sys.stderr)
    kept = [table for table in tables if is_searchable(table)]
    return kept or sys.exit("error: no table has ranges to search")


def is_searchable(table: Table) -> bool:
    """Return whether a strategy can search a table: it has ranges, and no range is a seed."""
    return bool(table.ranges) and "seed" not in table.ranges


def remember(choose: Chooser, objective: Objective, finals: dict[int, float]) -> Chooser:
    """Return a chooser that notes with which loss each job that it chooses will end."""

    def choose_and_note(state: TuningState, number: int) -> RecordedJob | None:
        job = choose(state, number)
        if job is not None:
            finals[number] = objective.loss(job.curve[-1][1])
        return job

    return choose_and_note
