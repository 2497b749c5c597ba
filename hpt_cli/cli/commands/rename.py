"""hpt rename NAME NEW: give a tuning job another name."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import check_at_rest
from hpt_cli.cli.load import find_tuning_job
from hpt_cli.cli.options import Home, Name
from hpt_cli.cli.requests import append_at_rest
from hpt_cli.errors import HptError, UsageError
from hpt_cli.spec.names import find_name_fault, mend_name
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.events import SpecChanged

EXAMPLES = ("hpt rename digits first-try",)


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="The new name.", show_default=False)],
    home: Home = None,
) -> None:
    """Rename a tuning job, and its training jobs with it.

    A running one must be stopped first.
    """
    jobdir = find_tuning_job(home, name)
    fault = find_name_fault(new)
    if fault:
        mended = mend_name(new)
        hint = f"did you mean '{mended}'?" if mended else ""
        raise UsageError.of("name", f"'{new}': {fault}", hint)
    target = JobDir(jobdir.path.parent / new)
    if os.path.lexists(target.path):
        raise UsageError.of("name-exists", f"{target.path} already exists")
    check_at_rest(jobdir)
    append_at_rest(jobdir, lambda _: [SpecChanged(at=time.time(), changes={"name": new})])
    try:
        jobdir.path.rename(target.path)
    except OSError as error:
        raise HptError.of("home-write", f"{jobdir.path}: {error.strerror}") from error
    print_message(f"{jobdir.name} is now {new}")
