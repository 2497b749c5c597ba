"""The local executor: training jobs as processes of this machine.

Every attempt is a session of its own, led by a launcher (launcher.py); its pid and identity are the
handle. A pid alone is never trusted: after a reboot, or a long time, another process may have it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from hpt_cli.errors import NO_DESCRIPTORS
from hpt_cli.executors import Exited, Handle, LaunchRequest, Lost, Outcome, Running, launcher
from hpt_cli.executors.attempt_files import is_of_this_boot, read_claim, read_exit
from hpt_cli.machine.gpus import describe_process

FIND_PATIENCE_SECONDS = 0.5
"""Time that a launcher started by the last tuner may take to claim its directory."""


class LocalExecutor:
    """Launches, polls and ends attempts on this machine."""

    poll_seconds = 0.05
    attempts_are_children = True

    def __init__(self) -> None:
        self._children: set[int] = set()

    def launch(self, request: LaunchRequest) -> Handle:
        """Start a launcher in a new session."""
        request.directory.mkdir(parents=True, exist_ok=True)
        pid = os.posix_spawn(
            sys.executable,
            [
                # Without site-packages it starts sooner; isolated, no PYTHON* variable of the job
                # and no file in the working directory can change what it imports.
                *(sys.executable, "-I", "-S", _find_program()),
                *([launcher.PTY] if request.pty else []),
                *([launcher.CORES, ",".join(map(str, request.cores))] if request.cores else []),
                *(str(request.directory), str(request.working_directory)),
                *request.argv,
            ],
            request.environment,
            file_actions=[
                # The user's terminal is the tuner's. The command's output goes to the log, which
                # the launcher opens itself.
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._children.add(pid)
        return _make_handle(pid, _identify(pid), request.directory)

    def find(self, directory: Path) -> Handle | None:
        """Return the attempt whose launcher has claimed a directory, waiting a little for it."""
        deadline = time.monotonic() + FIND_PATIENCE_SECONDS
        while True:
            claim = read_claim(directory)
            if claim is not None:
                return _make_handle(claim.pid, claim.identity, directory)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        """Return the outcome of each attempt, in order."""
        for pid in list(self._children):  # a copy: launches add to it from other threads
            # Only to leave no zombie: how the command ended is in the launcher's file.
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._children.discard(pid)
        return [_poll_one(handle) for handle in handles]

    def stop(self, handle: Handle, *, force: bool) -> None:
        """Signal the whole process group, and those of its processes that left the group."""
        number = signal.SIGKILL if force else signal.SIGTERM
        # The group of a launcher that is gone may be another's by now, with the same number.
        if _is_alive(handle):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(handle["pid"], number)
        strays = [each for each in _find_marked(handle) if _read_group(each) != handle["pid"]]
        _signal(strays, number)

    def sweep(self, handle: Handle, grace: float) -> list[str]:
        """Kill the attempt's processes that outlive it by more than `grace` seconds."""
        deadline = time.monotonic() + grace
        while (left := list(_find_marked(handle))) and time.monotonic() < deadline:
            time.sleep(0.05)
        killed = [describe_process(process.pid) for process in left]
        # Again until none is found: one may have started another just before it was killed.
        while left:
            _signal(left, signal.SIGKILL)
            psutil.wait_procs(left, timeout=1)
            left = list(_find_marked(handle))
        return killed

    def pop_notes(self) -> list[str]:
        """Return nothing: this machine always answers."""
        return []


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


def _make_handle(pid: int, identity: str, directory: Path) -> Handle:
    return {"pid": pid, "identity": identity, "directory": str(directory)}


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


def _is_alive(handle: Handle) -> bool:
    identity = handle["identity"]
    return bool(identity) and _identify(handle["pid"]) == identity


def _poll_one(handle: Handle) -> Outcome:
    alive = _is_alive(handle)  # before the file: it is written before the launcher goes
    this_boot = is_of_this_boot(handle["identity"])
    ended = read_exit(Path(handle["directory"]), this_boot=this_boot)
    if ended is not None:
        return Exited(ended.exit_code, ended.ended_at)
    if alive:
        return Running()
    return Lost("its launcher left no exit code (it was killed, or the machine went down)")


def _find_marked(handle: Handle) -> Iterator[psutil.Process]:
    """Yield the living processes with the attempt's directory in their environment.

    Children inherit it, whatever session or group they move to. The launcher is left out: it ends
    by itself.

    Raises:
        OSError: there are no file descriptors left.
    """
    mark = handle["directory"]
    own = os.getuid()
    for process in psutil.process_iter():
        if process.pid == handle["pid"]:
            continue
        try:
            is_marked = (
                # First, as the environment of another user's process may not be read.
                process.uids().real == own
                and process.environ().get("HPT_ATTEMPT_DIR") == mark
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError) as error:
            # Every process would look unmarked, and what is left of the attempt would live on.
            if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
                raise
            continue
        if is_marked:
            yield process


def _read_group(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return -1


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
