"""hpt wait NAME: until a tuning job has ended."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from hpt_cli.cli.liveness import is_at_work, tell_end
from hpt_cli.cli.load import print_report, read_state, read_summary
from hpt_cli.cli.options import Home, Json, Name
from hpt_cli.errors import HptError
from hpt_cli.storage.home import find_home, find_job_dir

EXAMPLES = (
    "hpt wait digits && hpt best digits --command",
    "hpt wait digits --timeout 3600 --json > digits.json",
)
WAIT_SECONDS = 0.2


def wait(
    name: Name,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0, help="Give up after so long."),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> None:
    """Wait until a tuning job has ended; for scripts.

    Exits with 0 when it is Completed, and with 1 when it is Failed or Stopped, or when the time is
    over. --json prints what 'hpt show' does.
    """
    jobdir = find_job_dir(find_home(home), name)
    deadline = None if timeout is None else time.monotonic() + timeout
    while is_at_work(jobdir):
        if deadline is not None and time.monotonic() > deadline:
            raise HptError.of("timeout", f"{jobdir.name} has not ended after {timeout:g} s")
        time.sleep(WAIT_SECONDS)
    if json:
        print_report("show", [read_summary(jobdir)], as_json=True)
    tell_end(jobdir, read_state(jobdir))
