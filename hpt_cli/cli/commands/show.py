"""hpt show NAME: one tuning job at a glance."""

from __future__ import annotations

from hpt_cli.cli.load import find_tuning_job, read_summary
from hpt_cli.cli.options import Home, Json, OptionalName
from hpt_cli.cli.output import print_report

EXAMPLES = (
    "hpt show",
    "hpt show digits --json",
)


def show(name: OptionalName = None, home: Home = None, json: Json = False) -> None:
    """Show the status of a tuning job: counts, best, times, failures."""
    print_report("show", [read_summary(find_tuning_job(home, name))], as_json=json)
