"""Pauses processes where they are (SIGSTOP), and lets them go on (SIGCONT)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeAlias

import psutil

from hpt_cli.executors.processes import send

Families: TypeAlias = Iterable[Iterable[psutil.Process]]
"""The processes of each of some attempts."""


def pause(*looks: Callable[[], Families]) -> None:
    """Stop processes, with each look until it finds no more: one may have started another.

    Parents come before their children, so that no shell sees that its command was stopped.
    """
    stopped = set[psutil.Process]()
    for look in looks:
        while found := {*chain(*look())} - stopped:
            send(sorted(found, key=_find_start), signal.SIGSTOP)
            stopped |= found


def thaw(families: Families) -> None:
    """Let processes go on, children before their parents."""
    # Also those that are not stopped yet: a signal that waits for them is taken back.
    send(sorted(chain(*families), key=_find_start, reverse=True), signal.SIGCONT)


def _find_start(process: psutil.Process) -> tuple[float, int]:
    """Return when a process started, in seconds since the epoch, and its pid for a tie."""
    try:
        return process.create_time(), process.pid
    except psutil.Error:
        return 0.0, process.pid  # gone
