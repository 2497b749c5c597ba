"""Whether a process is suspended: stopped by a signal, or frozen with its control group."""

from __future__ import annotations

from collections.abc import Iterator

import psutil


def is_suspended(pid: int, root: str = "") -> bool:
    """Return whether a living process stands still until somebody has it go on.

    Args:
        pid: the process.
        root: where /proc and /sys are, if not in /.
    """
    return _is_stopped(pid) or any(map(_says_frozen, _list_freezers(pid, root)))


def is_family_suspended(pid: int) -> bool:
    """Return whether a living process is suspended, or has children that all are, by the same rule:
    it waits for those."""
    return is_suspended(pid) or _waits_for_suspended(pid)


def _waits_for_suspended(pid: int) -> bool:
    # Not every system has this file.
    children = map(int, _read(f"/proc/{pid}/task/{pid}/children").split())
    living = [each for each in children if _read_status(each) not in (None, psutil.STATUS_ZOMBIE)]
    return bool(living) and all(_is_stopped(each) or _waits_for_suspended(each) for each in living)


def _is_stopped(pid: int) -> bool:
    return _read_status(pid) == psutil.STATUS_STOPPED


def _read_status(pid: int) -> str | None:
    """Return what a process does; None if it is gone."""
    try:
        return str(psutil.Process(pid).status())
    except (psutil.Error, OSError):
        return None


def _list_freezers(pid: int, root: str) -> Iterator[str]:
    """Yield the files that say whether the control groups of a process are frozen."""
    groups = f"{root}/sys/fs/cgroup"
    for line in _read(f"{root}/proc/{pid}/cgroup").splitlines():
        # cgroups(7): 0::/path in version 2, which may be mounted beside version 1.
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0":
            yield f"{groups}{path}/cgroup.events"
            yield f"{groups}/unified{path}/cgroup.events"
        elif "freezer" in controllers.split(","):
            yield f"{groups}/freezer{path}/freezer.state"


def _says_frozen(path: str) -> bool:
    """Return whether a control group is frozen, itself or with one that it is in."""
    lines = _read(path).splitlines()
    return "frozen 1" in lines or "FROZEN" in lines


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except (OSError, ValueError):
        return ""
