"""hpt list: the tuning jobs of a home, or of all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_suspended_tuner, read_state, summarize_state
from hpt_cli.cli.options import Home, Json, Wide
from hpt_cli.cli.output import print_json
from hpt_cli.errors import HptError
from hpt_cli.reports.overview import Entry, list_to_json, render_list
from hpt_cli.storage.home import find_elsewhere, find_home, list_job_dirs
from hpt_cli.storage.known_homes import list_homes
from hpt_cli.storage.lock import has_tuner

EXAMPLES = (
    "hpt list",
    "hpt list --all-homes --json",
)


def list_tuning_jobs(
    home: Home = None,
    all_homes: Annotated[
        bool,
        typer.Option(
            "--all-homes", help="Include every home in which you have started tuning jobs."
        ),
    ] = False,
    wide: Wide = False,
    json: Json = False,
) -> None:
    """List tuning jobs, the newest first: status, progress, best value."""
    homes = [find_home(home)]
    if all_homes:
        homes = list({each.resolve(): each for each in [*list_homes(), *homes]})
    entries = [entry for each in homes for entry in _read_entries(each)]
    entries.sort(key=lambda entry: -entry.summary.created_at)
    if json:
        print_json(list_to_json(entries))
        return
    table = render_list(entries, time.time(), with_homes=all_homes, wide=wide)
    Console().print(table, soft_wrap=wide)
    if not entries and not all_homes and find_elsewhere(homes[0]):
        print_message("there are tuning jobs in other homes: hpt list --all-homes")


def _read_entries(home: Path) -> Iterator[Entry]:
    """Yield the tuning jobs of a home that can be read; print why others cannot."""
    for jobdir in list_job_dirs(home):
        try:
            summary = summarize_state(jobdir, read_state(jobdir, only_latest=True))
        except HptError as error:
            print_message(f"{jobdir.name}: {error}")
        else:
            at_work = has_tuner(jobdir)
            is_suspended = at_work and find_suspended_tuner(jobdir) is not None
            yield Entry(summary, at_work, is_suspended, jobdir.measure_size(), str(home))
