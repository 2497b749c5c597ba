"""hpt compare NAME NAME...: tuning jobs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from hpt_cli.cli.options import Home, Json
from hpt_cli.cli.reading import open_summary, print_report


def compare(
    names: Annotated[
        list[str], typer.Argument(help="Tuning jobs; the others are held against the first.")
    ],
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare tuning jobs: counts, times and what was saved, top five, stopped jobs."""
    print_report("compare", [open_summary(home, name) for name in names], as_json=json)
