"""hpt compare NAME NAME...: tuning jobs side by side."""

from __future__ import annotations

from hpt_cli.cli.options import Home, Json, Names
from hpt_cli.cli.reading import open_summary, print_report


def compare(
    names: Names,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare tuning jobs: counts, times and what was saved, top five, stopped jobs."""
    print_report("compare", [open_summary(home, name) for name in names], as_json=json)
