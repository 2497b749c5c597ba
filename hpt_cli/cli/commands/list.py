"""hpt list: the tuning jobs of a home, or of all of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.console import say
from hpt_cli.cli.load import print_json, read_state, summarize_state
from hpt_cli.cli.options import Home, Json, Wide
from hpt_cli.errors import HptError
from hpt_cli.storage.home import find_home, list_job_dirs
from hpt_cli.storage.known_homes import list_homes
from hpt_cli.storage.lock import find_lock_holder

if TYPE_CHECKING:
    from hpt_cli.reports.overview import Entry

EXAMPLES = (
    "hpt list",
    "hpt list --all-homes --json",
)


def list_tuning_jobs(
    home: Home = None,
    all_homes: Annotated[
        bool,
        typer.Option("--all-homes", help="Of every home in which you have started tuning jobs."),
    ] = False,
    wide: Wide = False,
    json: Json = False,
) -> None:
    """List tuning jobs, the newest first: status, progress, best value, size, age."""
    from hpt_cli.reports.overview import list_to_json, render_list

    homes = [find_home(home)]
    if all_homes:
        homes = list({each.resolve(): each for each in [*list_homes(), *homes]})
    entries = [entry for each in homes for entry in _read_entries(each)]
    entries.sort(key=lambda entry: -entry.summary.created_at)
    if json:
        print_json(list_to_json(entries))
        return
    from rich.console import Console

    table = render_list(entries, time.time(), with_homes=all_homes, wide=wide)
    Console().print(table, soft_wrap=wide)


def _read_entries(home: Path) -> list[Entry]:
    """What can be read in a home; what cannot is reported on standard error."""
    from hpt_cli.reports.overview import Entry

    entries = []
    for jobdir in list_job_dirs(home):
        try:
            summary = summarize_state(jobdir, read_state(jobdir, only_latest=True))
        except HptError as error:
            say(f"{jobdir.name}: {error}")
            continue
        at_work = find_lock_holder(jobdir) is not None
        entries.append(Entry(summary, at_work, jobdir.measure_size(), str(home)))
    return entries
