"""The lock where locks are removed, refused, or not seen by others; and the tuner without one."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpt_cli.errors import HptError
from hpt_cli.storage import last_tuner, lock
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal
from hpt_cli.storage.last_tuner import find_last_tuner
from hpt_cli.storage.lock import find_lock_holder, hold_lock
from hpt_cli.tuning import events as ev
from tests import builders as b

HOST = socket.gethostname()


@pytest.fixture
def jobdir(tmp_path: Path) -> JobDir:
    return make_job_dir(tmp_path, "t")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another living process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that refuses flock."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Touch a file again and again."""
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(0.05):
            path.touch()

    path.touch()
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def start_tuner(jobdir: JobDir, pid: int, host: str, *more: ev.Event) -> None:
    """A journal that says that a tuner has started."""
    assert isinstance(b.FIRST, ev.TuningJobCreated)
    create_journal(jobdir.journal, b.FIRST, ev.TunerStarted(at=2.0, pid=pid, host=host), *more)
    jobdir.heartbeat.touch()


def wait_until(is_done: Callable[[], bool]) -> None:
    moment = threading.Event()
    for _ in range(2000):
        if is_done():
            return
        moment.wait(0.01)
    raise AssertionError("it did not happen in time")


def test_a_lock_that_is_removed_is_made_anew(
    jobdir: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOOK_SECONDS", 0.02)
    path = jobdir.path / "lock"
    with hold_lock(jobdir):
        path.unlink()
        wait_until(lambda: path.exists() and bool(path.read_text()))
        holder = find_lock_holder(jobdir)
        assert holder is not None
        assert holder["pid"] == os.getpid()
        with pytest.raises(HptError, match="being tuned by"), hold_lock(jobdir):
            pass
    assert find_lock_holder(jobdir) is None


def test_a_directory_that_was_moved_or_deleted_gets_no_new_lock(
    jobdir: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOOK_SECONDS", 0.01)
    with hold_lock(jobdir):
        jobdir.path.rename(jobdir.path.with_name("moved"))
        jobdir.path.mkdir()
        (jobdir.path.with_name("moved") / "lock").unlink()
        wait_until((jobdir.path.with_name("moved") / "lock").exists)
        assert list(jobdir.path.iterdir()) == []


def test_a_lock_is_held_where_the_file_system_has_none(jobdir: JobDir, no_locks: None) -> None:
    with hold_lock(jobdir) as caution:
        assert "has no locks" in caution
        holder = find_lock_holder(jobdir)
        assert holder is not None
        assert holder["pid"] == os.getpid()
        with pytest.raises(HptError, match=f"process {os.getpid()} on {HOST}"), hold_lock(jobdir):
            pass
    assert find_lock_holder(jobdir) is None
    with hold_lock(jobdir):
        pass


def test_without_locks_a_dead_holder_keeps_nobody_out(
    jobdir: JobDir, no_locks: None, other: subprocess.Popen[bytes]
) -> None:
    entry = {"pid": other.pid, "host": HOST, "identity": "another-boot:1"}
    (jobdir.path / "lock").write_text(json.dumps(entry))
    assert find_lock_holder(jobdir) is None
    with hold_lock(jobdir):
        assert json.loads((jobdir.path / "lock").read_text())["pid"] == os.getpid()


def test_without_locks_a_holder_elsewhere_is_alive_while_its_lock_is_touched(
    jobdir: JobDir, no_locks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_tuner, "BEAT_PATIENCE_SECONDS", 0.5)
    path = jobdir.path / "lock"
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "identity": "b:1"}))
    with beating(path), pytest.raises(HptError, match="process 1 on elsewhere"), hold_lock(jobdir):
        pass
    with hold_lock(jobdir):
        pass


def test_a_living_tuner_keeps_others_out_without_its_lock(jobdir: JobDir) -> None:
    directory = os.open(jobdir.path, os.O_RDONLY)  # as the holder of a lock has it
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[directory]
    ) as tuner:
        os.close(directory)
        start_tuner(jobdir, tuner.pid, HOST)
        assert find_lock_holder(jobdir) == {"pid": tuner.pid, "host": HOST}
        with pytest.raises(HptError, match=f"process {tuner.pid} on {HOST}"), hold_lock(jobdir):
            pass
        tuner.kill()
    with hold_lock(jobdir):
        pass


def test_the_tuner_of_the_original_is_not_that_of_a_copy(
    jobdir: JobDir, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_tuner, "is_beating", pytest.fail)
    start_tuner(jobdir, other.pid, HOST)
    with hold_lock(jobdir):
        pass


def test_a_tuner_of_another_machine_is_alive_while_its_heart_beats(
    jobdir: JobDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_tuner, "BEAT_PATIENCE_SECONDS", 0.5)
    start_tuner(jobdir, 1, "elsewhere")
    with beating(jobdir.heartbeat):
        assert find_last_tuner(jobdir) == {"pid": 1, "host": "elsewhere"}
    assert find_last_tuner(jobdir) is None


def test_a_tuner_that_is_gone_or_done_is_not_waited_for(
    jobdir: JobDir, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_tuner, "is_beating", pytest.fail)
    assert find_last_tuner(jobdir) is None
    ended = ev.TuningJobEnded(at=3.0, status="Stopped", reason="")
    start_tuner(jobdir, other.pid, HOST, ended)
    assert find_last_tuner(jobdir) is None
    for pid in (os.getpid(), 2**40):
        start_tuner(jobdir, pid, HOST)
        assert find_last_tuner(jobdir) is None
