"""The processes on this machine that belong to training jobs, and how they are ended.

A process belongs to an attempt if its environment says so, or if it descends from one that does:
from the launcher, which adopts orphans. So it is found in any session, and with any environment.
Environments name the directory that the attempt was launched in. It may have been moved since, and
a copy be in its place: where its launcher lives, the attempt's directory is where that works.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil

from hpt_cli.errors import NO_DESCRIPTORS
from hpt_cli.executors import Swept, launcher
from hpt_cli.executors.suspension import is_suspended

PAUSE_SECONDS = 0.02
MARK = "HPT_ATTEMPT_DIR"
"""The variable with the attempt's directory, which its processes inherit."""
NONE: Mapping[int, Path] = MappingProxyType({})
SLICE_SECONDS = 0.5
"""A wait for so long that takes longer was suspended meanwhile."""


def find_processes(
    is_wanted: Callable[[Path], bool],
    *,
    parents: Mapping[int, Path] = NONE,
    sessions: Mapping[int, Path] = NONE,
) -> dict[psutil.Process, Path]:
    """Return the living processes of attempts, each with its attempt's directory.

    Launchers are left out: they end by themselves.

    Args:
        is_wanted: tells attempts by their directory.
        parents: pids of processes whose descendants are wanted too, with their attempt's directory.
        sessions: sessions whose processes are wanted too, unless the leader is alive.

    Raises:
        OSError: there are no file descriptors left.
    """
    processes, marks, parent_of = dict[int, psutil.Process](), dict[int, Path](), dict[int, int]()
    for process in psutil.process_iter():
        try:
            parent_of[process.pid] = process.ppid()
        except psutil.Error:
            continue
        processes[process.pid] = process
        if mark := _read_mark(process):
            marks[process.pid] = Path(mark)
    directories = _find_directories(processes, marks, parent_of)
    wanted = {pid: path for pid, path in directories.items() if is_wanted(path)}
    orphaned = {each: path for each, path in sessions.items() if each not in processes}
    members = {pid: _find_session(pid) for pid in processes} if orphaned else {}
    strays = {pid: orphaned[each] for pid, each in members.items() if each in orphaned}
    roots = {**parents, **strays, **wanted}
    spared = {*parents, *_list_line(os.getpid(), parent_of)}
    found = {}
    for pid in processes.keys() - spared:
        root = next((each for each in _list_line(pid, parent_of) if each in roots), None)
        if root is not None and _is_living(processes[pid]):
            found[processes[pid]] = roots[root]
    return {each: path for each, path in found.items() if not _is_launcher(each)}


def list_children(pid: int) -> list[psutil.Process]:
    """Return the living children of a process, where the system tells them at once."""
    found = []
    with contextlib.suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(child))
    return [each for each in found if _is_living(each)]


def list_descendants(pid: int) -> list[psutil.Process]:
    """Return the living children of a process, theirs, and so on, where the system tells them."""
    children = list_children(pid)
    return [*children, *(each for child in children for each in list_descendants(child.pid))]


def measure_memory(processes: Iterable[psutil.Process]) -> float:
    """Return how many bytes processes use; of what they share with others, their part."""
    return float(sum(map(_measure, processes)))


def _measure(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        try:
            return int(process.memory_full_info().pss)
        except (psutil.AccessDenied, AttributeError):  # another user's, or not on Linux
            return int(process.memory_info().rss)
    return 0


def _find_directories(
    processes: Mapping[int, psutil.Process], marks: Mapping[int, Path], parent_of: Mapping[int, int]
) -> dict[int, Path]:
    """Return the directory of the attempt of each process that has one in its environment."""
    places = {
        pid: _read_directory(processes[pid], mark)
        for pid, mark in marks.items()
        if _is_launcher(processes[pid])
    }
    found = {}
    for pid, mark in marks.items():
        nearest = (places[each] for each in _list_line(pid, parent_of) if each in places)
        found[pid] = next(nearest, mark)
    return found


def _read_directory(process: psutil.Process, mark: Path) -> Path:
    """Return the directory that a launcher works in; of an older hpt it is not the attempt's."""
    with contextlib.suppress(psutil.Error, OSError):
        directory = Path(process.cwd())
        return directory if directory.name == mark.name else mark
    return mark


def find_below(directory: Path) -> list[psutil.Process]:
    """Return the living processes of all attempts below a directory."""
    root = directory.resolve()
    return [*find_processes(lambda attempt: root in attempt.parents)]


def _find_session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _read_mark(process: psutil.Process) -> str:
    """Return the directory of a process's attempt, as its environment has it; empty for none."""
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError) as error:
        # Every process would look unmarked, and what is left of the attempt would live on.
        if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
            raise
        return ""


def _list_line(pid: int, parent_of: Mapping[int, int]) -> list[int]:
    """Return a process and its ancestors, the nearest first."""
    line: list[int] = []
    while pid and pid not in line:  # pids that are used again could make a circle
        line.append(pid)
        pid = parent_of.get(pid, 0)
    return line


def _is_living(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def _is_launcher(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return words[1:3] == [*launcher.OPTIONS] and Path(words[3]).name.startswith("launcher.")


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> list[psutil.Process]:
    """Signal processes; return those that this user may not signal."""
    refused = []
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.AccessDenied:
            refused.append(process)
        except psutil.Error:
            continue
    return refused


def wake(processes: Iterable[psutil.Process]) -> None:
    """Let suspended processes (SIGSTOP, Ctrl-Z) run on, so that they handle what they were sent."""
    for process in processes:
        if is_suspended(process.pid):
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)


def may_signal(process: psutil.Process) -> bool:
    """Return whether this user may signal a process; a dead one, too."""
    try:
        os.kill(process.pid, 0)
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def describe(process: psutil.Process) -> str:
    """Return a process's name and pid, and the user that it belongs to if that is another."""
    try:
        other = process.uids().real != os.getuid()
        user = f", user {process.username()}" if other else ""
        return f"{process.name()} (pid {process.pid}{user})"
    except psutil.Error:
        return f"pid {process.pid}"


def end_processes(
    find: Callable[[], Iterable[psutil.Process]], patience: float, grace: float
) -> Swept:
    """End processes; call it in a thread.

    They get SIGKILL until none is found: one may have started another just before it was killed.

    Args:
        find: returns those that are alive.
        patience: seconds that they may take to end by themselves.
        grace: seconds between SIGTERM and SIGKILL; 0: no SIGTERM.
    """
    while (left := [*find()]) and patience > 0:
        patience = _wait_for(left, patience) - PAUSE_SECONDS
        time.sleep(PAUSE_SECONDS)  # one that always starts another is found each time
    ended, refused = {each: describe(each) for each in left}, set[psutil.Process]()
    if left and grace > 0:
        refused |= {*send(left, signal.SIGTERM)}
        wake(left)
        _wait_for({*left} - refused, grace)
    while left := [each for each in find() if each not in refused]:
        ended |= {each: describe(each) for each in left if each not in ended}
        refused |= {*send(left, signal.SIGKILL)}
        psutil.wait_procs([*{*left} - refused], timeout=1)
    return Swept(
        [words for each, words in ended.items() if each not in refused],
        [words for each, words in ended.items() if each in refused],
    )


def _wait_for(processes: Iterable[psutil.Process], seconds: float) -> float:
    """Wait until processes have ended, at most so long; return how much of that is left.

    The time in which this process, and perhaps the others, were suspended is none of it.
    """
    left = [*processes]
    while left and seconds > 0:
        began = time.monotonic()
        left = psutil.wait_procs(left, timeout=min(SLICE_SECONDS, seconds))[1]
        seconds -= min(SLICE_SECONDS, time.monotonic() - began)
    return seconds
