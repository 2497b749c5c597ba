"""hpt show NAME: one tuning job at a glance."""

from __future__ import annotations

from hpt_cli.cli.load import open_summary, print_report
from hpt_cli.cli.options import Home, Json, Name

EXAMPLES = (
    "hpt show digits",
    "hpt show @last --json",
)


def show(name: Name, home: Home = None, json: Json = False) -> None:
    """Show how a tuning job stands: counts, best training job, times, failures."""
    print_report("show", [open_summary(home, name)], as_json=json)
