"""The home of tuning jobs on disk: finding, listing and making their directories."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.spec.names import find_name_fault
from hpt_cli.storage.job_directory import PRIVATE, JobDir
from hpt_cli.storage.ownership import check_owner, refuse_link

DEFAULT_HOME = ".hpt"
LAST = "@last"


def find_home(home: Path | None) -> Path:
    """Return the home: the option, else HPT_HOME, else .hpt in the working directory."""
    return home or Path(os.environ.get("HPT_HOME") or DEFAULT_HOME)


def list_job_dirs(home: Path) -> list[JobDir]:
    """Return the directories of the tuning jobs in a home, by name."""
    if not home.is_dir():
        return []
    found = (JobDir(path) for path in sorted(home.iterdir()) if not find_name_fault(path.name))
    return [each for each in found if _may_have_journal(each)]


def _may_have_journal(jobdir: JobDir) -> bool:
    try:
        return jobdir.journal.is_file()
    except OSError:  # another user's, in a home that is shared: reading it says so
        return True


def find_job_dir(home: Path, name: str) -> JobDir:
    """Return the tuning job of this name, or the only one that begins so; `@last`: the newest.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = list_job_dirs(home)
    if name == LAST and found:
        return max(found, key=lambda each: each.created_at)
    names = [each.name for each in found]
    matches = [each for each in names if name and each.startswith(name)]
    matches = [name] if name in names else matches
    if len(matches) == 1:
        return JobDir(home / matches[0])
    if matches:
        raise UsageError.of(
            "name-ambiguous", f"'{name}' could be any of {', '.join(matches)}", "type more of it"
        )
    known = f"there are: {', '.join(names)}" if names else "there is none yet"
    raise UsageError.of(
        "name-unknown",
        f"no tuning job is named '{name}' in {home}; {known}",
        did_you_mean(name, names) or "look with 'hpt list', or set --home",
    )


def find_anywhere(home: Path, name: str) -> JobDir:
    """Return a tuning job by its directory, or by its name in a home.

    Raises:
        UsageError: there is none, or more than one.
    """
    directory = JobDir(Path(name))
    return directory if directory.journal.is_file() else find_job_dir(home, name)


def make_job_dir(home: Path, name: str) -> JobDir:
    """Make and return the directory of a new tuning job, private to its user.

    Raises:
        HptError: the home cannot be written, or what is there is not this user's.
    """
    directory = home / name
    try:
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        for path in (directory, directory / "requests", directory / "jobs"):
            refuse_link(path)
            path.mkdir(mode=PRIVATE, exist_ok=True)
            check_owner(path)
            with contextlib.suppress(OSError):  # not every file system has modes
                path.chmod(PRIVATE)
    except OSError as error:
        raise HptError.of(
            "home-write",
            f"{directory} cannot be created: {error.strerror}",
            "choose another place with --home DIR or HPT_HOME",
        ) from error
    return JobDir(directory)
