"""Going on in the background: a process in a session of its own, without a terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import typer

from hpt_cli.live.output import drain_outputs
from hpt_cli.tuning.events import Event
from hpt_cli.tuning.state import TuningState

READY = b"ready"
HANG_UP = {signal.SIGHUP}
MAX_DESCRIPTORS = 65_536


def detach() -> Callable[[], None]:
    """Go on in a new process and a session of its own; the process that called ends here.

    It ends with the exit code of the new one, or with 0 as soon as that is ready.

    Returns:
        What the new process calls when it is ready: it then prints nothing any more.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    # A terminal that closes hangs up on all of its session: not on a child on its way out of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANG_UP)
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANG_UP)
        os.close(writing)
        raise typer.Exit(_wait_for(child, reading))
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does: the commands inherit it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANG_UP)
    # Whatever else was inherited: a pipe would stay open for its reader, a lock locked.
    os.closerange(3, writing)
    os.closerange(writing + 1, MAX_DESCRIPTORS)
    _point_to_null(0)
    return partial(_let_go, writing)


def _let_go(writing: int) -> None:
    """Tell the first process, and leave its outputs: a pipe would stay open for its reader."""
    drain_outputs()
    _point_to_null(1, 2)
    with suppress(BrokenPipeError):  # it was killed, as by a terminal that closed
        os.write(writing, READY)
    os.close(writing)


def _point_to_null(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for each in descriptors:
        os.dup2(null, each)
    os.close(null)


def _wait_for(child: int, reading: int) -> int:
    """Return an exit code when the child is ready, or has ended; Ctrl-C ends it."""
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    with open(reading, "rb") as pipe:
        is_ready = pipe.read() == READY
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if is_ready:
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


class DetachedView:
    """Calls a function once, when the tuner is at work: at the first turn of its loop."""

    def __init__(self, when_tuning: Callable[[], None]) -> None:
        self._when_tuning: Callable[[], None] | None = when_tuning

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:  # noqa: ARG002
        """Call it, unless these are the first events: they are not written yet."""
        if self._when_tuning is not None and not list(events):
            self._when_tuning()
            self._when_tuning = None
