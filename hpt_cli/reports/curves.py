"""The results table's rows with each job's learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.core.summary import Summary
from hpt_cli.reports.jobs import STYLES, row_to_json
from hpt_cli.wording import draw_sparkline, format_number

WIDTH = 40


def render(summaries: Sequence[Summary]) -> RenderableType:
    """A small curve for each job."""
    return Group(*(_render_table(each) for each in summaries))


def _render_table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("job", justify="right")
    table.add_column(f"{summary.objective.metric} by epoch")
    for heading in ("first", "last", "best", "epochs"):
        table.add_column(heading, justify="right")
    table.add_column("status")
    for row in summary.rows:
        values = [value for _, value in row.curve]
        cells = [
            str(row.number),
            draw_sparkline(values, WIDTH),
            format_number(values[0] if values else None),
            format_number(values[-1] if values else None),
            format_number(row.best),
            str(row.epochs),
            row.status,
        ]
        table.add_row(*map(Text, cells), style=STYLES.get(row.status, "cyan"))
    return table


def to_json(summaries: Sequence[Summary]) -> Any:
    """The contract's rows with `curve`: [[step, value], ...]."""
    return [
        {**row_to_json(row), "curve": [list(point) for point in row.curve]}
        for summary in summaries
        for row in summary.rows
    ]
