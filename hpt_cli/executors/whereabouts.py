"""Whose an attempt is, and where it runs.

A home may be copied or moved while training jobs run, and it may be seen by several machines.

An attempt belongs to the directory that its launcher works in. A copy of that directory holds the
same files, but nothing that runs is the copy's.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hpt_cli.executors import LAUNCHED_IN, Handle, Running, launcher
from hpt_cli.files import open_regular

SILENT_SECONDS = 3 * launcher.BEAT_SECONDS + 1
"""A launcher on another machine that has not touched its claim for so long is gone."""


def find_mark(handle: Handle) -> Path:
    """Return the directory that an attempt's processes have in their environment."""
    return Path(handle.get(LAUNCHED_IN, handle["directory"]))


def is_copied(handle: Handle) -> bool:
    """Return whether an attempt's files were copied from the directory that it was launched in."""
    try:
        return not _is_same(find_mark(handle), Path(handle["directory"]))
    except OSError:
        return False  # one of them is gone: they were moved


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one directory, also by two mounts of its file system.

    Raises:
        OSError: one of them leads nowhere.
    """
    found = one.stat(), other.stat()
    if os.path.samestat(*found) or found[0].st_ino != found[1].st_ino:
        return os.path.samestat(*found)
    mark = other / f".look.{time.monotonic_ns()}"
    mark.touch()
    try:
        return (one / mark.name).exists()
    finally:
        mark.unlink()


def is_own(handle: Handle) -> bool:
    """Return whether a living launcher works for an attempt's directory, and not for a copy's."""
    directory = Path(handle["directory"])
    found = has_open(handle["pid"], directory / launcher.LOG)
    with contextlib.suppress(OSError):
        found = found or _is_same(Path(f"/proc/{handle['pid']}/cwd"), directory)
    # The launcher of an older hpt stays in the tuner's directory; its log may have been removed.
    if found is None or "host" not in handle:
        return found or not is_copied(handle)
    return found


def is_abandoned(handle: Handle) -> bool:
    """Return whether an attempt lives on whose directory was deleted and put back from a copy.

    It cannot be followed any more, but writes to the paths that it was given: those of the copy.
    """
    if find_mark(handle) != Path(handle["directory"]):
        return False
    try:
        return os.stat(f"/proc/{handle['pid']}/cwd").st_nlink == 0
    except OSError:
        return False


def has_open(pid: int, *paths: Path) -> bool | None:
    """Return whether a process has one of these files open; None if that is not known."""
    wanted = []
    for path in paths:
        with contextlib.suppress(OSError):
            wanted.append(os.stat(path))
    try:
        names = [f"/proc/{pid}/fd/{each}" for each in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return None
    for name in names:
        with contextlib.suppress(OSError):
            opened = os.stat(name)
            if any(os.path.samestat(opened, each) for each in wanted):
                return True
    return False


@dataclass
class _Beat:
    """An attempt's last sign of life, and when it was heard, on time.monotonic's clock."""

    sign: int
    heard_at: float
    has_changed: bool = False


class Heartbeats:
    """Listens for attempts that may be alive on other machines."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}

    def listen(self, handle: Handle) -> Running | None:
        """Return that an attempt which is not here runs on another machine; None if it does not."""
        directory = Path(handle["directory"])
        sign = _read_sign(directory) if _may_be_elsewhere(handle) else None
        if sign is None:
            return None
        now, beat = time.monotonic(), self._beats.get(handle["directory"])
        if beat is None:
            beat = _Beat(sign, now - _measure_age(directory, sign))
        elif sign != beat.sign:
            beat = _Beat(sign, now, has_changed=True)
        self._beats[handle["directory"]] = beat
        if now - beat.heard_at > SILENT_SECONDS:
            return None
        host = find_other_host(handle) or f"another machine named {os.uname().nodename}"
        return Running(host=host, is_certain=beat.has_changed)


def find_other_host(handle: Handle) -> str:
    """Return the name of the machine that an attempt was launched on, if it is not this one's."""
    host = str(handle.get("host", ""))
    return host if host != launcher.describe_machine()["host"] else ""


def _may_be_elsewhere(handle: Handle) -> bool:
    boot, colon, _ = handle["identity"].partition(":")
    has_booted = bool(colon) and boot != launcher.BOOT_ID
    here = launcher.describe_machine()
    return has_booted or any(handle.get(name, here[name]) != here[name] for name in here)


def _read_sign(directory: Path) -> int | None:
    """Return when the claim or the log was changed last, in ns by the file system's clock."""
    signs = []
    for name in (launcher.CLAIM, launcher.LOG):
        # Opened, as NFS asks its server again only then.
        with contextlib.suppress(OSError), open_regular(directory / name) as file:
            signs.append(os.fstat(file.fileno()).st_mtime_ns)
    return max(signs, default=None)


def _measure_age(directory: Path, sign: int) -> float:
    """Return the seconds since a sign of life, by the clock that it was made with."""
    now = time.time_ns()
    mark = directory / f".look.{time.monotonic_ns()}"
    with contextlib.suppress(OSError):
        mark.touch()
        now = mark.stat().st_mtime_ns
        mark.unlink()
    return max(0.0, (now - sign) / 1e9)
