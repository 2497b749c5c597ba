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
    origin = find_mark(handle)
    try:
        return not os.path.samefile(origin, handle["directory"])
    except OSError:
        return False  # one of them is gone: they were moved


def is_own(handle: Handle) -> bool:
    """Return whether a living launcher works for an attempt's directory, and not for a copy's."""
    directory = Path(handle["directory"])
    found = has_open(handle["pid"], directory, directory / launcher.LOG)
    # The launcher of an older hpt stays in the tuner's directory; its log may have been removed.
    if found is None or "host" not in handle:
        return found or not is_copied(handle)
    return found


def has_open(pid: int, *paths: Path) -> bool | None:
    """Return whether a process has one of these files open, or works in one; None if unknown."""
    wanted = []
    for path in paths:
        with contextlib.suppress(OSError):
            wanted.append(os.stat(path))
    try:
        names = [f"/proc/{pid}/fd/{each}" for each in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return None
    for name in (f"/proc/{pid}/cwd", *names):
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
        return Running(host=handle.get("host", "another machine"), is_certain=beat.has_changed)


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
