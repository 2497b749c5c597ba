"""hpt delete NAME...: remove tuning jobs and everything they hold."""

from __future__ import annotations

import shutil
import sys

from hpt_cli.cli.console import confirm, print_message
from hpt_cli.cli.liveness import check_at_rest, check_left_nothing
from hpt_cli.cli.load import find_tuning_job
from hpt_cli.cli.options import Home, Names, Yes
from hpt_cli.errors import HptError, UsageError
from hpt_cli.formatting import format_bytes
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import hold_lock

EXAMPLES = (
    "hpt delete first-try second-try",
    "hpt delete @last --yes",
)


def delete(names: Names, yes: Yes = False, home: Home = None) -> None:
    """Delete tuning jobs with their results, logs and checkpoints.

    It asks first. A running one must be stopped first.
    """
    jobdirs = {each.name: each for each in (find_tuning_job(home, name) for name in names)}
    for jobdir in jobdirs.values():
        check_at_rest(jobdir)
        check_left_nothing(jobdir)
    for jobdir in jobdirs.values():
        if yes or _ask(jobdir):
            _delete(jobdir)
            print_message(f"{jobdir.name}: deleted")


def _ask(jobdir: JobDir) -> bool:
    if not sys.stdin.isatty():
        raise UsageError.of(
            "not-asked", f"{jobdir.name} is not deleted without confirmation", "add --yes"
        )
    size = format_bytes(jobdir.measure_size())
    return confirm(f"delete {jobdir.path} ({size}) with its logs and checkpoints?")


def _delete(jobdir: JobDir) -> None:
    """Hide a tuning job at once, then delete it file by file."""
    if jobdir.path.is_symlink():
        raise HptError.of(
            "home-link",
            f"{jobdir.path} is a symbolic link: its target is not deleted",
            "remove the link, or delete the tuning job in its own home",
        )
    hidden = jobdir.path.with_name(f".deleted-{jobdir.name}")
    try:
        with hold_lock(jobdir):
            shutil.rmtree(hidden, ignore_errors=True)
            try:
                jobdir.path.rename(hidden)
            except OSError:  # not every file system can rename
                hidden = jobdir.path
        shutil.rmtree(hidden)
    except OSError as error:
        raise HptError.of("home-write", f"{jobdir.path}: {error.strerror}") from error
