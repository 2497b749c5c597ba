"""hpt jobs NAME: the results table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.console import Console

from hpt_cli.cli.completion import complete_column
from hpt_cli.cli.load import find_tuning_job, read_summary
from hpt_cli.cli.options import Force, Home, Json, OptionalName, Wide
from hpt_cli.cli.output import print_report, refuse_existing, write_output
from hpt_cli.errors import UsageError, did_you_mean
from hpt_cli.reports.jobs import render_table
from hpt_cli.reports.render.columns import ResultColumn
from hpt_cli.reports.render.formats import FORMATS
from hpt_cli.reports.render.selection import choose_columns, select_rows
from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt jobs digits --top 5",
    "hpt jobs digits --where 'learning_rate < 0.01 and status == Completed' --sort epochs --desc",
    "hpt jobs digits --columns number,learning_rate,objective --format md",
    "hpt jobs digits -o digits.csv",
)
STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")
Format = Literal["table", "csv", "json", "md", "tsv"]
SUFFIXES: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".md": "md"}


Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="A,B,...",
        autocompletion=complete_column,
        help="Sort by these columns: number, objective (the best first), epochs, time, start, a"
        " hyperparameter, ...",
    ),
]
Desc = Annotated[bool, typer.Option("--desc", help="Reverse the order.")]
Top = Annotated[
    int | None,
    typer.Option(
        "--top", metavar="N", min=1, help="Show only the first N; the best N without --sort."
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Show only jobs that match: 'learning_rate < 0.01 and status == Completed'."
        " With and, or, not, in (...), and parentheses.",
    ),
]
Status = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="Show only jobs with this status (repeatable).",
        autocompletion=lambda: list(STATUSES),
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="A,B,...",
        autocompletion=complete_column,
        help="Show these columns, in this order; +A adds A to the usual ones.",
    ),
]
AsFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="|".join(get_args(Format)),
        help="csv, tsv and json are for programs; md is Markdown.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write to a file, in the format of its suffix."
    ),
]
Curves = Annotated[bool, typer.Option("--curves", help="Include the curve of each job.")]


def jobs(
    name: OptionalName = None,
    sort: Sort = None,
    desc: Desc = False,
    top: Top = None,
    where: Where = None,
    status: Status = None,
    columns: Columns = None,
    wide: Wide = False,
    format: AsFormat = None,
    output: Output = None,
    force: Force = False,
    curves: Curves = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """List the training jobs of a tuning job; the best one is marked."""
    refuse_existing(output, force=force)
    summary = read_summary(find_tuning_job(home, name))
    statuses = _check_statuses(status or [])
    selected = select_rows(summary, where=where, statuses=statuses, sort=sort, desc=desc, top=top)
    form = format or ("json" if json else _find_format(output))
    if form == "json" and columns is None and output is None:
        print_report("curves" if curves else "jobs", [selected], as_json=True)
        return
    if curves:
        columns = f"{columns},curve" if columns else "+curve"
    chosen = choose_columns(columns, summary, for_people=form in ("table", "md"))
    if form == "table" and output is None:
        Console().print(render_table(selected, chosen, wide=wide), soft_wrap=wide)
    else:
        write_output(_render(form, selected, chosen), output, force=force)


def _find_format(output: Path | None) -> Format:
    return SUFFIXES.get(output.suffix if output is not None else "", "table")


def _check_statuses(statuses: Sequence[str]) -> Sequence[str]:
    for status in statuses:
        if status not in STATUSES:
            hint = did_you_mean(status, STATUSES) or f"one of {', '.join(STATUSES)}"
            raise UsageError.of(
                "status-unknown", f"--status {status}: there is no such status", hint
            )
    return statuses


def _render(form: Format, summary: Summary, columns: Sequence[ResultColumn]) -> str:
    if form != "table":
        return FORMATS[form](summary, columns)
    file = io.StringIO()
    table = render_table(summary, columns, wide=True)
    Console(file=file, color_system=None).print(table, soft_wrap=True)
    return file.getvalue()
