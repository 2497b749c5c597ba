"""hpt wait NAME: until a tuning job has ended."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from hpt_cli.cli.liveness import print_end
from hpt_cli.cli.load import find_tuning_job, read_state, read_summary
from hpt_cli.cli.options import Home, Json, OptionalName
from hpt_cli.cli.output import print_report
from hpt_cli.errors import HptError
from hpt_cli.storage.lock import has_tuner

EXAMPLES = (
    "hpt wait digits && hpt best digits --command",
    "hpt wait digits --timeout 3600 --json > digits.json",
)
WAIT_SECONDS = 0.2


def wait(
    name: OptionalName = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0, help="Give up after this many seconds."
        ),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> None:
    """Wait for a tuning job to end; for scripts.

    Exits with 0 if it is Completed, and with 1 if it is Failed or Stopped, or if the timeout
    expires. --json prints the same as 'hpt show --json'.
    """
    jobdir = find_tuning_job(home, name)
    deadline = None if timeout is None else time.monotonic() + timeout
    while has_tuner(jobdir):
        if deadline is not None and time.monotonic() > deadline:
            raise HptError.of("timeout", f"{jobdir.name} has not ended after {timeout:g} s")
        time.sleep(WAIT_SECONDS)
    if json:
        print_report("show", [read_summary(jobdir)], as_json=True)
    print_end(jobdir, read_state(jobdir))
