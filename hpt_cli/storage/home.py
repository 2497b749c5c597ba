"""The home of tuning jobs on disk: finding, listing and making their directories."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.spec.names import find_name_fault
from hpt_cli.storage.job_directory import PRIVATE, JobDir
from hpt_cli.storage.known_homes import list_homes
from hpt_cli.storage.ownership import check_owner, refuse_link

DEFAULT_HOME = ".hpt"
LAST = "@last"
_NUMBERS = re.compile(r"[0-9]+(?:[,-][0-9]+)*")
"""Training jobs: 7, or 3,5-7."""


def find_home(home: Path | None) -> Path:
    """Return the home: the option, else HPT_HOME, else .hpt in the working directory."""
    return home or Path(os.environ.get("HPT_HOME") or DEFAULT_HOME)


def name_command(command: str, jobdir: JobDir, *arguments: str) -> str:
    """Return a command on a tuning job, as it is to be typed."""
    return shlex.join(["hpt", command, jobdir.name, *arguments, *name_home(jobdir)])


def name_home(jobdir: JobDir) -> list[str]:
    """Return the option, if one is needed, by which a command finds the home of a tuning job."""
    home = jobdir.path.parent
    return [] if _is_default(home) else ["--home", str(home)]


def _is_default(home: Path) -> bool:
    """Return whether a home is the one that a command finds by itself."""
    try:
        return home == Path(DEFAULT_HOME) or home.samefile(DEFAULT_HOME)
    except OSError:  # there is no other
        return False


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
        return find_newest(home)
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
        _name_home(find_elsewhere(home, name))
        or did_you_mean(name, names)
        or "look with 'hpt list', or set --home",
    )


def find_elsewhere(home: Path, name: str = "") -> Path | None:
    """Return the newest other home of this user with a tuning job of a name, or with any."""
    others = (each for each in reversed(list_homes()) if each != home.resolve())
    for other in others:
        with contextlib.suppress(OSError):  # it may have become another user's
            if any(name in ("", LAST, each.name) for each in list_job_dirs(other)):
                return other
    return None


def _name_home(home: Path | None) -> str:
    """Return how a command is told of another home; empty for None."""
    if home is None:
        return ""
    return f"add --home {shlex.quote(str(home))}; 'hpt list --all-homes' shows all you have"


def find_newest(home: Path) -> JobDir:
    """Return the newest tuning job of a home.

    Raises:
        UsageError: there is none.
    """
    newest = max(list_job_dirs(home), key=lambda each: each.created_at, default=None)
    if newest is None:
        hint = _name_home(find_elsewhere(home)) or "'hpt run' starts one; or set --home"
        raise UsageError.of("name-unknown", f"there is no tuning job in {home} yet", hint)
    return newest


def is_job(home: Path, word: str) -> bool:
    """Return whether a first word is a training job of the newest tuning job.

    It is a number, and no tuning job's name; where one begins with it, the training job exists.
    """
    names = [each.name for each in list_job_dirs(home)]
    if word in names or not _NUMBERS.fullmatch(word):
        return False
    begins_name = any(each.startswith(word) for each in names)
    return not begins_name or (
        word.isdecimal() and find_newest(home).training_job(int(word)).is_dir()
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
