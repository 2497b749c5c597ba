"""The local executor: training jobs as processes of this machine.

Every attempt is a session of its own, led by a launcher (launcher.py); its pid and identity are the
handle. A pid alone is never trusted: after a reboot, or a long time, another process may have it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from itertools import groupby
from pathlib import Path

import psutil

from hpt_cli.errors import HptError
from hpt_cli.executors import Exited, Handle, LaunchRequest, Lost, Outcome, Running, Swept, launcher
from hpt_cli.executors.attempt_files import (
    is_of_this_boot,
    prepare,
    read_claim,
    read_exit,
    read_failure,
)
from hpt_cli.executors.pausing import pause, thaw
from hpt_cli.executors.processes import (
    describe,
    end_processes,
    find_processes,
    list_children,
    list_descendants,
    measure_memory,
    send,
    wake,
)
from hpt_cli.executors.suspension import is_family_suspended
from hpt_cli.executors.whereabouts import (
    Heartbeats,
    find_mark,
    find_other_host,
    is_abandoned,
    is_copied,
    is_own,
)
from hpt_cli.machine.threads import start_thread

AGAIN_SECONDS = 1.0
"""Time until what was not possible, as something was short, is tried again."""
KILLED = "it was killed, or the machine went down"
INHERITED = 3
"""The number of the descriptor that a launcher and its command inherit, besides the usual ones."""
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
LOOK_SECONDS = 1.0
"""Time between two looks at whether attempts are suspended."""
FIND_PATIENCE_SECONDS = 0.5
"""Time that a launcher started by the last tuner may take to claim its directory."""


QUICK_LOOKS = 3
"""Looks for what a paused attempt has just started: one may miss a process whose parent ends."""
LAUNCHER_SECONDS = 0.2
"""Longest time that a launcher takes to end after the last of its children."""
TERM_SECONDS = 2.0
"""Longest time between SIGTERM and SIGKILL for what outlives its job."""


class _Wish(Enum):
    END = auto()
    DIE = auto()
    PAUSE = auto()
    GO_ON = auto()


@dataclass(frozen=True)
class _Order:
    """What all processes of an attempt are to do; to end, its group has been asked already."""

    handle: Handle
    wish: _Wish
    own: Sequence[psutil.Process] = ()
    """Its launcher, if it is to end and was alive."""


class LocalExecutor:
    """Launches, polls and ends attempts on this machine."""

    poll_seconds = 0.05
    attempts_are_children = True

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._own: set[tuple[int, str]] = set()
        """The pids and identities of launchers that were seen alive, for directories of ours."""
        self._heartbeats = Heartbeats()
        self._suspended: set[int] = set()
        self._looked_at = -math.inf
        self._paused: set[int] = set()
        """The pids of launchers whose attempts this one has paused."""
        self._orders: list[_Order] = []
        self._changed = threading.Condition()
        """Held to change the orders."""
        self._thread: threading.Thread | None = None

    def launch(self, request: LaunchRequest) -> Handle:
        """Start a launcher in a new session."""
        prepare(request)
        pid = os.posix_spawn(
            sys.executable,
            [
                *(sys.executable, *launcher.OPTIONS, _find_program()),
                *([launcher.PTY] if request.pty else []),
                *([launcher.CORES, ",".join(map(str, request.cores))] if request.cores else []),
                *(str(request.directory), str(request.working_directory)),
                *request.argv,
            ],
            request.environment,
            file_actions=[
                # The user's terminal is the tuner's. The command's output goes to the log, which
                # the launcher opens itself; it has it from its first moment for its own errors.
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, str(request.directory / launcher.LOG), LOG_FLAGS, 0o600),
                *([] if request.claim is None else [_inherit(request.claim)]),
            ],
            setsid=True,
        )
        self._children.add(pid)
        identity = _identify(pid)
        self._own.add((pid, identity))
        return _make_handle(pid, identity, request.directory, launcher.describe_machine())

    def find(self, directory: Path) -> Handle | None:
        """Return the attempt whose launcher has claimed a directory, waiting a little for it."""
        deadline = time.monotonic() + FIND_PATIENCE_SECONDS
        while True:
            claim = read_claim(directory)
            if claim is not None:
                return _make_handle(claim.pid, claim.identity, directory, claim.machine)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        """Return the outcome of each attempt, in order."""
        for pid in list(self._children):  # a copy: launches add to it from other threads
            # Only to leave no zombie: how the command ended is in the launcher's file.
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    self._children.discard(pid)
            except ChildProcessError:  # reaped with orphans
                self._children.discard(pid)
        self._look_at({each["pid"] for each in handles})
        return [self._poll_one(handle) for handle in handles]

    def _look_at(self, launchers: set[int]) -> None:
        """See which are suspended: once a second, and always which of those, and of what is paused,
        go on."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
        else:
            launchers &= self._suspended | self._paused
        self._suspended = {*filter(is_family_suspended, launchers)}

    def stop(self, handle: Handle, *, force: bool) -> None:
        """Ask all processes of an attempt to end, also those that left its group; or kill them.

        Its group is asked at once, and the rest by a thread, as it takes its time to look at all
        processes: once for all attempts that are stopped in that time. So is killing, as what is
        killed later would seem to outlive the command.

        The launcher is not killed, so that it writes down the end of the command; unless it has
        nothing to wait for.
        """
        own = self._find_launcher(handle)
        # The group of a launcher that is gone may be another's by now, with the same number.
        for each in [] if force else own:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(each.pid, signal.SIGTERM)
        wake(own)
        if handle["pid"] in self._paused:
            thaw(self._list_descendants([handle]))
        self._order(_Order(handle, _Wish.DIE if force else _Wish.END, own))

    def pause(self, handle: Handle) -> None:
        """Have all processes of an attempt but its launcher stand still.

        Those that are found at once do so at once, and a thread looks for others.
        """
        pause(partial(self._list_descendants, [handle]))
        self._order(_Order(handle, _Wish.PAUSE))

    def thaw(self, handle: Handle) -> None:
        """Let the processes of a paused attempt go on, in the same way."""
        thaw(self._list_descendants([handle]))
        self._order(_Order(handle, _Wish.GO_ON))

    def _order(self, order: _Order) -> None:
        if self._has_thread():
            with self._changed:
                self._orders.append(order)
                self._changed.notify_all()
        else:
            self._carry_out([order])

    def _has_thread(self) -> bool:
        """Return whether there is a thread for orders, after trying to start it."""
        if self._thread is None:
            with contextlib.suppress(HptError):
                self._thread = start_thread(self._work, "signals")
        return self._thread is not None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._orders)
                orders, self._orders = self._orders, []
            try:
                self._carry_out(orders)
            except OSError:  # there are no file descriptors left
                time.sleep(AGAIN_SECONDS)
                with self._changed:
                    self._orders = [*orders, *self._orders]

    def _carry_out(self, orders: Sequence[_Order]) -> None:
        """Signal the processes of attempts, in order; those with the same wish at once.

        Raises:
            OSError: there are no file descriptors left.
        """
        for wish, group in groupby(orders, lambda order: order.wish):
            same = [*group]
            handles = [each.handle for each in same]
            find = partial(self._find_all, handles)
            if wish is _Wish.PAUSE:
                self._paused |= {each["pid"] for each in handles}
                pause(find, *[partial(self._list_descendants, handles)] * QUICK_LOOKS)
            elif wish is _Wish.GO_ON:
                self._paused -= {each["pid"] for each in handles}
                thaw(find())
            else:
                for order, family in zip(same, find(), strict=True):
                    _end(order, family)
                    # One that was just told to stand still does so only in a moment.
                    thaw([family] if order.handle["pid"] in self._paused else [])

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        """Return how many bytes the descendants of launchers use."""
        return [
            measure_memory(list_descendants(each["pid"])) if self._is_alive(each) else 0.0
            for each in handles
        ]

    def list_leftovers(self, handle: Handle) -> list[str]:
        """Return a description of each process that an attempt left running."""
        return [*map(describe, self._find_left(handle))]

    def sweep(self, handle: Handle, grace: float) -> Swept:
        """End the attempt's processes that outlive it by more than `grace` seconds."""
        swept = self._end_left(handle, grace)
        # A launcher that stays has seen others.
        while not swept.refused and self._stays(handle):
            more = self._end_left(handle, 0.0)
            swept = Swept([*swept.ended, *more.ended], more.refused)
            if not more.ended:
                break
        return swept

    def _end_left(self, handle: Handle, grace: float) -> Swept:
        seconds = min(grace, TERM_SECONDS)
        return end_processes(lambda: self._find_left(handle), grace, seconds)

    def _stays(self, handle: Handle) -> bool:
        """Return whether the launcher is alive a moment after what it waits for has ended."""
        own = self._find_launcher(handle)
        wake(own)
        return bool(psutil.wait_procs(own, timeout=LAUNCHER_SECONDS)[1])

    def pop_notes(self) -> list[str]:
        """Return nothing: this machine always answers."""
        return []

    def _poll_one(self, handle: Handle) -> Outcome:
        alive = self._is_alive(handle)  # before the file: it is written before the launcher goes
        this_boot = is_of_this_boot(handle["identity"])
        ended = read_exit(Path(handle["directory"]), this_boot=this_boot)
        if ended is not None:
            # A launcher that stays waits for what the command left running.
            has_left = self._is_alive(handle) or not ended.adopted
            asked = ended.was_signalled
            return Exited(ended.exit_code, ended.ended_at, has_left=has_left, was_asked=asked)
        if alive:
            return Running(is_suspended=handle["pid"] in self._suspended)
        if _is_foreign(handle):
            return Lost(_describe_copy(handle), evicted=True)
        if elsewhere := self._heartbeats.listen(handle):
            return elsewhere
        where = find_other_host(handle)
        unheard = f"nothing is heard of {where}, where it ran" if where else ""
        why = read_failure(Path(handle["directory"])) or unheard or KILLED
        return Lost(f"its launcher left no exit code ({why})")

    def _find_left(self, handle: Handle) -> list[psutil.Process]:
        """Return the attempt's living processes without the launcher.

        Raises:
            OSError: there are no file descriptors left.
        """
        return self._find_all([handle])[0]

    def _find_all(self, handles: Sequence[Handle]) -> list[list[psutil.Process]]:
        """Return the same for several attempts, in order, by one look at all processes."""
        marks, parents, sessions = dict[int, Path](), dict[int, Path](), dict[int, Path]()
        for number, handle in enumerate(handles):
            mark, pid = find_mark(handle), handle["pid"]
            if self._is_alive(handle) or (_has_launcher(handle) and is_abandoned(handle)):
                marks[number] = parents[pid] = mark
            elif not _is_foreign(handle):
                # Nobody adopts orphans any more. The session has kept its number, if this process
                # saw its leader live: it cannot be another's so soon.
                marks[number] = mark
                if (pid, handle["identity"]) in self._own:
                    sessions[pid] = mark
        if not marks:
            return [[] for _ in handles]
        wanted = {*marks.values()}
        found = find_processes(wanted.__contains__, parents=parents, sessions=sessions)
        families = [
            [each for each, mark in found.items() if mark == marks.get(number)]
            for number in range(len(handles))
        ]
        # Looking at all processes takes longer than one may live that always starts another.
        return [
            family or (list_children(handle["pid"]) if handle["pid"] in parents else [])
            for handle, family in zip(handles, families, strict=True)
        ]

    def _list_descendants(self, handles: Iterable[Handle]) -> list[list[psutil.Process]]:
        """Return what launchers that are alive have started, where the system tells it at once."""
        return [list_descendants(each["pid"]) for each in handles if self._is_alive(each)]

    def _is_alive(self, handle: Handle) -> bool:
        """Return whether an attempt's launcher is alive, and not that of a copied directory."""
        key = (handle["pid"], handle["identity"])
        if not _has_launcher(handle) or (key not in self._own and not is_own(handle)):
            return False
        self._own.add(key)
        return True

    def _find_launcher(self, handle: Handle) -> list[psutil.Process]:
        """Return the attempt's launcher, if it is alive."""
        with contextlib.suppress(psutil.Error):
            return [psutil.Process(handle["pid"])] if self._is_alive(handle) else []
        return []


def _end(order: _Order, family: Sequence[psutil.Process]) -> None:
    """Ask what is outside the group of an attempt to end, or kill all of it."""
    if order.wish is _Wish.DIE:
        refused = send(family, signal.SIGKILL)
        if len(refused) == len(family):
            send(order.own, signal.SIGKILL)
    else:
        group = order.handle["pid"]
        strays = [each for each in family if not order.own or _read_group(each) != group]
        send(strays, signal.SIGTERM)
    wake([*order.own, *family])


def _inherit(descriptor: int) -> tuple[int, int, int]:
    """Return what has a process, and what it starts, inherit a descriptor."""
    return os.POSIX_SPAWN_DUP2, descriptor, INHERITED


def make_executor(settings: object = None) -> LocalExecutor:  # noqa: ARG001
    """Return a new local executor; it has no settings."""
    return LocalExecutor()


def _find_program() -> str:
    """Return the path of the launcher: compiled, as it starts sooner, if that is up to date.

    Python writes the compiled file (PEP 552: magic, flags, time and size of the source); but where
    it is told not to write such files, one of an older source may be there.
    """
    source = launcher.__file__
    try:
        compiled = importlib.util.cache_from_source(source)
        with open(compiled, "rb") as file:
            flags, seconds, size = struct.unpack("<4xIII", file.read(16))
        status = os.stat(source)
    except (OSError, struct.error, NotImplementedError):
        return source
    # With any flag set, a hash stands where the time and the size would be.
    is_current = not flags and (seconds, size) == (int(status.st_mtime), status.st_size)
    return compiled if is_current else source


def _make_handle(pid: int, identity: str, directory: Path, machine: Mapping[str, str]) -> Handle:
    return {"pid": pid, "identity": identity, "directory": str(directory), **machine}


def _identify(pid: int) -> str:
    identity = launcher.identify(pid)
    # Where there is /proc, an empty identity means that the process is dead.
    if identity or os.path.exists("/proc/self/stat"):
        return identity
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return ""


def _has_launcher(handle: Handle) -> bool:
    identity = handle["identity"]
    return bool(identity) and _identify(handle["pid"]) == identity


def _is_foreign(handle: Handle) -> bool:
    """Return whether an attempt that is not alive for its directory is so for another, or was."""
    return _has_launcher(handle) or is_copied(handle)


def _describe_copy(handle: Handle) -> str:
    if is_abandoned(handle):
        return f"{find_mark(handle)} was deleted while it ran, and is a copy"
    who = f"process {handle['pid']} runs it" if _has_launcher(handle) else "it ran"
    return f"{who} for {find_mark(handle)}, of which this directory is a copy"


def _read_group(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return -1
