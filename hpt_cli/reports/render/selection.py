"""Which rows and columns of the results table are shown, in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hpt_cli.errors import UsageError
from hpt_cli.filter.condition import parse_condition
from hpt_cli.reports.render.columns import (
    ResultColumn,
    default_columns,
    find_columns,
    index_roles,
    list_columns,
    list_values,
    name_columns,
)
from hpt_cli.tuning.summary import Row, Summary


def select_rows(
    summary: Summary,
    *,
    where: str | None = None,
    statuses: Sequence[str] = (),
    sort: str | None = None,
    desc: bool = False,
    top: int | None = None,
) -> Summary:
    """Return the summary with only some rows, in another order.

    Args:
        where: a condition on the columns.
        sort: names of columns, separated by commas; the first counts most.
        top: how many rows are left, the best ones unless they are sorted.

    Raises:
        UsageError: `where` or `sort` is wrong.
    """
    rows = [row for row in summary.rows if not statuses or row.status in statuses]
    if where is not None:
        columns = name_columns(summary)
        meets = parse_condition(where, columns)
        rows = [row for row in rows if meets(list_values(row, columns))]
    by = [] if sort is None else find_columns(_split(sort, "--sort"), summary, "--sort")
    if top is not None and sort is None:
        by = [index_roles(list_columns(summary).values())["objective"]]
    if by:
        for column in reversed(by):
            rows = _sort(rows, column, summary, desc=desc)
    elif desc:
        rows.reverse()
    return replace(summary, rows=tuple(rows[:top]))


def _split(names: str, option: str) -> list[str]:
    wanted = [each.strip() for each in names.split(",") if each.strip()]
    if not wanted:
        raise UsageError.of(
            "column-none", f"{option} names no column", "for example: number,objective"
        )
    return wanted


def _sort(rows: list[Row], column: ResultColumn, summary: Summary, *, desc: bool) -> list[Row]:
    """Return the rows sorted by a column; those without a value in it come last either way."""

    def key(row: Row) -> tuple[float, str]:
        if column.role == "objective":
            loss = summary.objective.loss(row.final or 0.0)
            return (math.inf if math.isnan(loss) else loss), ""
        return column.key(row)

    present = [row for row in rows if column.value(row) is not None]
    missing = [row for row in rows if column.value(row) is None]
    return sorted(present, key=key, reverse=desc) + missing


def choose_columns(
    names: str | None, summary: Summary, *, for_people: bool
) -> Sequence[ResultColumn]:
    """Return the columns of the names, or the usual ones.

    Args:
        names: separated by commas; if each begins with +, they are added to the usual ones.
        for_people: whether the usual ones leave out what few people look at.

    Raises:
        UsageError: there is no such column.
    """
    every = [each for each in list_columns(summary).values() if each.role != "curve"]
    usual = default_columns(summary) if for_people else every
    if names is None:
        return usual
    wanted = _split(names, "--columns")
    adds = all(each.startswith("+") for each in wanted)
    found = find_columns([each.removeprefix("+") for each in wanted], summary, "--columns")
    return [*usual, *(each for each in found if each not in usual)] if adds else found
