"""Whether a process is suspended: stopped by a signal, or frozen with its control group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

from hpt_cli.files import read_regular

ROOT = Path("/")


def is_suspended(pid: int, root: Path = ROOT) -> bool:
    """Return whether a process stands still, or the one that it waits for, until somebody has it go
    on.

    Args:
        pid: of a living process; one with a single child waits for that.
        root: where /proc and /sys are.
    """
    return any(_is_stopped(each) or _is_frozen(each, root) for each in _list_line(pid, root))


def _list_line(pid: int, root: Path) -> list[int]:
    """Return a process, its only child, the only child of that, and so on."""
    line = [pid]
    # Not every system has this file.
    while len(children := _read(root / f"proc/{line[-1]}/task/{line[-1]}/children").split()) == 1:
        line += map(int, children)
    return line


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except (psutil.Error, OSError):
        return False


def _is_frozen(pid: int, root: Path) -> bool:
    return any(map(_says_frozen, _list_freezers(pid, root)))


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
