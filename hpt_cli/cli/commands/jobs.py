"""hpt jobs NAME: the results table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hpt_cli.cli.completion import complete_column
from hpt_cli.cli.load import open_summary, print_report
from hpt_cli.cli.options import Force, Home, Json, Name, Wide
from hpt_cli.cli.output import refuse_existing, write_output
from hpt_cli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from hpt_cli.reports.render.columns import ResultColumn
    from hpt_cli.tuning.summary import Row, Summary

EXAMPLES = (
    "hpt jobs digits --top 5",
    "hpt jobs digits --where 'learning_rate < 0.01 and status == Completed' --sort epochs --desc",
    "hpt jobs digits --columns number,learning_rate,objective --format md",
    "hpt jobs digits -o digits.csv",
)
STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")
SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".md": "md"}
Format = Literal["table", "csv", "json", "md", "tsv"]


def jobs(
    name: Name,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="A,B,...",
            autocompletion=complete_column,
            help="By these columns: number, objective (the best first), epochs, time, start, a"
            " hyperparameter, ...",
        ),
    ] = None,
    desc: Annotated[bool, typer.Option("--desc", help="The other way around.")] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Only the first N; the best N unless sorted.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only jobs that meet it: 'learning_rate < 0.01 and status == Completed'. Knows"
            " and, or, not, in (...), and parentheses.",
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            help="Only jobs of this status (repeatable).",
            autocompletion=lambda: list(STATUSES),
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="A,B,...",
            autocompletion=complete_column,
            help="These columns, in this order; +A adds to the usual.",
        ),
    ] = None,
    wide: Wide = False,
    format: Annotated[
        Format | None,
        typer.Option("--format", help="csv, tsv and json are for programs; md is Markdown."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write to a file; its suffix says the format."),
    ] = None,
    force: Force = False,
    curves: Annotated[bool, typer.Option("--curves", help="With each job's curve.")] = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """List the training jobs of a tuning job: the best one marked, stopped ones muted."""
    refuse_existing(output, force=force)
    summary = open_summary(home, name)
    selected = _select(summary, where, _check_statuses(status or []), sort, desc=desc, top=top)
    form = _choose_format(format, output, json=json)
    if form == "json" and columns is None and output is None:
        print_report("curves" if curves else "jobs", [selected], as_json=True)
        return
    if curves:
        columns = f"{columns},curve" if columns else "+curve"
    chosen = _choose_columns(columns, summary, for_people=form in ("table", "md"))
    if form == "table" and output is None:
        from rich.console import Console

        from hpt_cli.reports.jobs import render_table

        Console().print(render_table(selected, chosen, wide=wide), soft_wrap=wide)
        return
    write_output(_render(form, selected, chosen), output, force=force)


def _check_statuses(statuses: Sequence[str]) -> Sequence[str]:
    for status in statuses:
        if status not in STATUSES:
            hint = did_you_mean(status, STATUSES) or f"one of {', '.join(STATUSES)}"
            raise UsageError.of(
                "status-unknown", f"--status {status}: there is no such status", hint
            )
    return statuses


def _select(
    summary: Summary,
    where: str | None,
    statuses: Sequence[str],
    sort: str | None,
    *,
    desc: bool,
    top: int | None,
) -> Summary:
    """The summary with only the rows that were asked for, in the order that was."""
    rows = [row for row in summary.rows if not statuses or row.status in statuses]
    if where is not None:
        rows = _filter(rows, where, summary)
    if top is not None and sort is None:
        sort = "objective"
    if sort is not None:
        rows = _sort(rows, sort, summary, desc=desc)
    elif desc:
        rows.reverse()
    return replace(summary, rows=tuple(rows[:top]))


def _filter(rows: list[Row], where: str, summary: Summary) -> list[Row]:
    from hpt_cli.filter.condition import parse_condition
    from hpt_cli.reports.render.columns import list_values, name_columns

    columns = name_columns(summary)
    meets = parse_condition(where, columns)
    return [row for row in rows if meets(list_values(row, columns))]


def _sort(rows: list[Row], names: str, summary: Summary, *, desc: bool) -> list[Row]:
    """Sorted by columns, the first of them above all."""
    from hpt_cli.reports.render.columns import find_columns

    wanted = _split(names, "--sort")
    for column in reversed(find_columns(wanted, summary, "--sort")):
        rows = _sort_by(rows, column, summary, desc=desc)
    return rows


def _split(names: str, option: str) -> list[str]:
    """The names of columns, with commas between them.

    Raises:
        UsageError: there is none.
    """
    wanted = [each.strip() for each in names.split(",") if each.strip()]
    if not wanted:
        raise UsageError.of("column-none", f"{option} names no column", "as in: number,objective")
    return wanted


def _sort_by(rows: list[Row], found: ResultColumn, summary: Summary, *, desc: bool) -> list[Row]:
    """Sorted by a column; rows without a value in it come last either way."""

    def key(row: Row) -> tuple[float, str]:
        if found.name == "objective":
            loss = summary.objective.loss(row.final or 0.0)
            return (math.inf if math.isnan(loss) else loss), ""
        return found.key(row)

    present = [row for row in rows if found.value(row) is not None]
    missing = [row for row in rows if found.value(row) is None]
    return sorted(present, key=key, reverse=desc) + missing


def _choose_format(form: Format | None, output: Path | None, *, json: bool) -> Format:
    if form is not None:
        return form
    if json:
        return "json"
    suffix = output.suffix if output is not None else ""
    return SUFFIXES.get(suffix, "table")  # type: ignore[return-value]


def _choose_columns(
    names: str | None, summary: Summary, *, for_people: bool
) -> Sequence[ResultColumn]:
    from hpt_cli.reports.render.columns import default_columns, find_columns, list_columns

    every = [each for name, each in list_columns(summary).items() if name != "curve"]
    usual = default_columns(summary) if for_people else every
    if names is None:
        return usual
    wanted = _split(names, "--columns")
    added = all(each.startswith("+") for each in wanted)
    found = find_columns([each.removeprefix("+") for each in wanted], summary, "--columns")
    return [*usual, *(each for each in found if each not in usual)] if added else found


def _render(form: Format, summary: Summary, columns: Sequence[ResultColumn]) -> str:
    from hpt_cli.reports.render.formats import FORMATS

    if form != "table":
        return FORMATS[form](summary, columns)
    import io

    from rich.console import Console

    from hpt_cli.reports.jobs import render_table

    file = io.StringIO()
    table = render_table(summary, columns, wide=True)
    Console(file=file, color_system=None).print(table, soft_wrap=True)
    return file.getvalue()
