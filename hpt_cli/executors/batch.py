"""What a launcher does besides in a batch job: pass signals on, and end what the command left.

It is imported by launcher.py alone, as quickly as possible, without the packages that hpt needs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterable, Sequence

KILL_ALL = 60
"""The signal by which hpt asks a launcher to kill the command with all that it started. A real-time
signal, as SIGUSR1, SIGUSR2 and others are used for warnings before a time limit."""
TERM_SECONDS = 2.0
"""Time between SIGTERM and SIGKILL for what outlives the command."""
KILL_SECONDS = 1.0
"""Time after which what was killed is killed again."""
HEARING_SECONDS = 0.2
"""Longest time until the witness has heard what all processes of the job were sent."""


def list_family(directory: str) -> list[int]:
    """Return the pids of all that the command is and started: descendants, and marked processes."""
    parents, own = _read_parents(), os.getpid()
    family = {pid for pid in parents if _is_marked(pid, directory)} | {own}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return [*(family - {own})]


def _read_parents() -> dict[int, int]:
    """Return the parent of each living process; nothing without /proc."""
    parents = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue  # gone
            if state != b"Z":
                parents[int(name)] = int(parent)
    return parents


def _is_marked(pid: int, directory: str) -> bool:
    """Return whether a process has the attempt's directory in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return os.fsencode(f"HPT_ATTEMPT_DIR={directory}") in file.read().split(b"\0")
    except OSError:
        return False  # gone, or another user's


def kill(pids: Iterable[int], number: int) -> int:
    """Signal processes; return how many could be signalled."""
    count = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            count += 1
        except OSError:
            continue  # gone, or another user's
    return count


def describe(pid: int) -> str:
    """Return a process's name and pid."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return f"{file.read().strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"


def kill_family(directory: str) -> int:
    """Kill the command and all that it started; return the number of processes."""
    return kill(list_family(directory), signal.SIGKILL)


class BatchJob:
    """The launcher's part in a batch job: it passes signals on, and ends what is left.

    A batch system signals either the batch shell, which the launcher has become (`--signal=B:...`),
    or all processes of the job (`scancel --full`, a time limit). A witness, a child that does
    nothing but listen, tells which it was: what the witness hears, the command has heard as well.
    """

    def __init__(
        self, directory: str, caught: set[int], grace: float, die_along: Callable[[], None]
    ) -> None:
        """Start the witness, and listen to KILL_ALL.

        Args:
            directory: the attempt's.
            caught: the signals that the launcher handles.
            grace: seconds that what is left of a command may take to end by itself.
            die_along: has a child killed with its parent.
        """
        self._directory = directory
        self._grace = grace
        self._passed = 0
        self._heard, writer = os.pipe()
        signal.signal(KILL_ALL, lambda *_: kill_family(directory))
        numbers = caught - {KILL_ALL}
        # Blocked before there is a witness, so that it misses none.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        self._witness = os.fork()
        if self._witness == 0:
            try:
                die_along()
                while True:
                    os.write(writer, bytes([signal.sigwait(numbers)]))
            finally:
                os._exit(1)
        os.close(writer)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def pass_on(self, command: int, received: Sequence[int]) -> None:
        """Pass on the signals that have come since the last time, and only to the launcher.

        Args:
            command: its pid.
            received: all signals so far, in order.
        """
        fresh, self._passed = received[self._passed :], len(received)
        heard = self._listen({*fresh})
        for number in fresh:
            if number not in heard:
                kill(_find_listeners(command, number, _read_parents()) or [command], number)
        if signal.SIGTERM in fresh:  # what is suspended would not handle it
            kill(filter(_is_suspended, list_family(self._directory)), signal.SIGCONT)

    def _listen(self, wanted: set[int]) -> set[int]:
        """Return the signals that the witness has heard, waiting a little for those wanted."""
        heard = set[int]()
        while wanted - heard and select.select([self._heard], [], [], HEARING_SECONDS)[0]:
            data = os.read(self._heard, 1024)
            if not data:  # somebody has killed the witness: better twice than never
                break
            heard |= {*data}
        return heard

    def end_rest(
        self, wait: Callable[[float], bool], say: Callable[[str], object], *, at_once: bool
    ) -> None:
        """End what the command left running, and say so.

        Args:
            wait: waits until nothing is left, or for so many seconds; returns whether nothing is.
            say: writes a line into the log.
            at_once: whether it has no time to end by itself.
        """
        kill([self._witness], signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # somebody had killed it, and it was reaped
            os.waitpid(self._witness, 0)  # or else it would seem to outlive the command
        left = [] if at_once or wait(self._grace) else list_family(self._directory)
        if left:
            with contextlib.suppress(OSError):  # no room on the disk
                say(f"outlived the job and was killed: {', '.join(map(describe, left))}")
            kill(left, signal.SIGTERM)
            wait(TERM_SECONDS)
        while kill_family(self._directory):
            wait(KILL_SECONDS)


def _find_listeners(pid: int, number: int, parents: dict[int, int]) -> list[int]:
    """Return the processes that handle a signal: the first in each line of descent from `pid`.

    A shell around the program would only die of it, and what handles it passes it on itself.
    """
    if _handles(pid, number):
        return [pid]
    children = [each for each, parent in parents.items() if parent == pid]
    return [found for each in children for found in _find_listeners(each, number, parents)]


def _is_suspended(pid: int) -> bool:
    return _read_status(pid).get(b"State", b"").strip().startswith(b"T")


def _handles(pid: int, number: int) -> bool:
    """Return whether a process catches a signal, or blocks it to wait for it."""
    status = _read_status(pid)
    masks = [int(status.get(name, b"0"), 16) for name in (b"SigCgt", b"SigBlk")]
    return any(mask >> (number - 1) & 1 for mask in masks)


def _read_status(pid: int) -> dict[bytes, bytes]:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return dict(line.partition(b":")[::2] for line in file)
    except OSError:
        return {}  # gone
