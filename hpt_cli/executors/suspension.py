"""Whether a process is suspended: stopped by a signal, or frozen with its control group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

from hpt_cli.files import read_regular

ROOT = Path("/")


def is_suspended(pid: int, root: Path = ROOT) -> bool:
    """Return whether a living process stands still until somebody has it go on.

    Args:
        pid: the process.
        root: where /proc and /sys are.
    """
    return _is_stopped(pid) or any(map(_says_frozen, _list_freezers(pid, root)))


def is_family_suspended(pid: int) -> bool:
    """Return whether a living process is suspended, or its only child, the only child of that, and
    so on: it waits for that one."""
    while not is_suspended(pid):
        # Not every system has this file.
        children = _read(ROOT / f"proc/{pid}/task/{pid}/children").split()
        if len(children) != 1:
            return False
        pid = int(children[0])
    return True


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except (psutil.Error, OSError):
        return False


def _list_freezers(pid: int, root: Path) -> Iterator[Path]:
    """Yield the files that say whether the control groups of a process are frozen."""
    groups = root / "sys/fs/cgroup"
    for line in _read(root / f"proc/{pid}/cgroup").splitlines():
        # cgroups(7): 0::/path in version 2, which may be mounted beside version 1.
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0":
            yield groups / path.lstrip("/") / "cgroup.events"
            yield groups / "unified" / path.lstrip("/") / "cgroup.events"
        elif "freezer" in controllers.split(","):
            yield groups / "freezer" / path.lstrip("/") / "freezer.state"


def _says_frozen(path: Path) -> bool:
    """Return whether a control group is frozen, itself or with one that it is in."""
    lines = _read(path).splitlines()
    return "frozen 1" in lines or "FROZEN" in lines


def _read(path: Path) -> str:
    try:
        return read_regular(path)
    except (OSError, ValueError):
        return ""
