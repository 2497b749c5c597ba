"""Whose an attempt is: copies, moves, and other machines."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpt_cli.executors import Exited, Handle, LaunchRequest, Lost, Running, launcher, place
from hpt_cli.executors import whereabouts as w
from hpt_cli.executors.local import LocalExecutor
from hpt_cli.executors.processes import find_below

PATIENCE = 20.0


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "t" / "a1"


@pytest.fixture
def handle(directory: Path) -> Iterator[Handle]:
    """An attempt that waits, launched by a tuner that is gone; and what it left behind, too."""
    executor = LocalExecutor()
    asked = LaunchRequest(
        argv=["/bin/sh", "-c", "sleep 60 & echo begun; wait"],
        environment={**os.environ, "HPT_ATTEMPT_DIR": str(directory)},
        working_directory=directory.parent.parent,
        directory=directory,
    )
    handle = executor.launch(asked)
    log = directory / "output.log"
    wait_until(lambda: log.exists() and "begun" in log.read_text())
    yield handle
    executor.stop(handle, force=True)
    with_one = psutil.Process(handle["pid"]) if psutil.pid_exists(handle["pid"]) else None
    if with_one is not None:
        with_one.kill()
    executor.sweep(handle, 0.0)


def list_pids(handle: Handle) -> list[int]:
    launched = psutil.Process(handle["pid"])
    return [launched.pid, *(each.pid for each in launched.children(recursive=True))]


def test_a_copy_has_no_part_in_what_runs_for_the_original(handle: Handle, directory: Path) -> None:
    copy = directory.parent.with_name("copy") / "a1"
    shutil.copytree(directory.parent, copy.parent)
    before = list_pids(handle)
    placed = place(handle, copy)
    for copied in (placed, {**handle, "directory": str(copy)}):  # also as its claim has it
        executor = LocalExecutor()
        (lost,) = executor.poll([copied])
        assert isinstance(lost, Lost)
        assert lost.evicted
        assert "is a copy" in lost.why
        for force in (False, True):
            executor.stop(copied, force=force)
        assert executor.list_leftovers(copied) == executor.sweep(copied, 0.0).ended == []
    # Nor once its launcher is dead, and its processes are known by their environment alone.
    psutil.Process(handle["pid"]).kill()
    wait_until(lambda: LocalExecutor().poll([handle]) != [Running()])
    (lost,) = LocalExecutor().poll([placed])
    assert isinstance(lost, Lost)
    assert lost.evicted
    assert LocalExecutor().sweep(placed, 0.0).ended == []
    assert all(psutil.pid_exists(pid) for pid in before[1:])


def test_what_has_ended_by_then_is_the_copy_s_as_well(tmp_path: Path, handle: Handle) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "exit").write_text("0 12.5 2.5")
    (ended,) = LocalExecutor().poll([place(handle, copy)])
    assert isinstance(ended, Exited)
    assert not ended.has_left, "what lives on is the original's"


def test_a_copy_in_the_place_of_the_original_is_another(handle: Handle, directory: Path) -> None:
    shutil.copytree(directory, directory.with_name("backup"))
    moved = directory.rename(directory.with_name("moved"))
    directory.with_name("backup").rename(directory)
    (lost,) = LocalExecutor().poll([handle])
    assert isinstance(lost, Lost)
    assert lost.evicted
    assert f"process {handle['pid']} " in lost.why
    assert LocalExecutor().sweep(handle, 0.0).ended == []
    assert LocalExecutor().poll([place(handle, moved)]) == [Running()]


def test_what_goes_on_for_a_directory_that_was_put_back_from_a_copy_is_ended(
    handle: Handle, directory: Path
) -> None:
    shutil.copytree(directory, directory.with_name("backup"))
    shutil.rmtree(directory)
    directory.with_name("backup").rename(directory)
    (lost,) = LocalExecutor().poll([handle])
    assert isinstance(lost, Lost)
    assert lost.evicted
    assert "was deleted while it ran" in lost.why
    assert len(LocalExecutor().sweep(handle, 0.0).ended) == 2
    wait_until(lambda: not LocalExecutor().list_leftovers(handle))


def test_the_processes_below_a_directory_are_those_of_the_launchers_that_work_there(
    handle: Handle, directory: Path
) -> None:
    moved = directory.parent.rename(directory.parent.with_name("moved"))
    shutil.copytree(moved, directory.parent)
    assert len(find_below(moved)) == 2
    assert find_below(directory.parent) == []


def test_an_attempt_that_was_moved_is_still_one_s_own(handle: Handle, directory: Path) -> None:
    moved = directory.parent.rename(directory.parent.with_name("moved")) / "a1"
    placed = place(handle, moved)
    executor = LocalExecutor()
    assert executor.poll([placed]) == [Running()]
    assert len(executor.list_leftovers(placed)) == 2
    executor.stop(placed, force=True)
    wait_until(lambda: isinstance(executor.poll([placed])[0], Exited))
    assert executor.sweep(placed, 0.0).ended == []


def test_a_log_that_is_gone_does_not_make_it_another_s(handle: Handle, directory: Path) -> None:
    (directory / "output.log").unlink()
    assert LocalExecutor().poll([handle]) == [Running()]


def test_an_older_launcher_is_known_by_its_log_or_its_path(directory: Path) -> None:
    directory.mkdir(parents=True)
    old: dict[str, Any] = {"pid": os.getpid(), "identity": launcher.identify(os.getpid())}
    old |= {"directory": str(directory)}
    assert LocalExecutor().poll([old]) == [Running()]
    copy = shutil.copytree(directory, directory.with_name("copy"))
    (lost,) = LocalExecutor().poll([place(old, copy)])
    assert isinstance(lost, Lost)
    assert lost.evicted
    with open(copy / "output.log", "w"):
        assert LocalExecutor().poll([place(old, copy)]) == [Running()]


@pytest.fixture
def far(tmp_path: Path) -> dict[str, Any]:
    """An attempt of another machine."""
    (tmp_path / "launcher").touch()
    return {"pid": 1, "identity": "b:1", "directory": str(tmp_path), "host": "far"}


def age(directory: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(directory / "launcher", (at, at))


def test_an_attempt_of_another_machine_lives_while_its_claim_is_touched(
    far: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LocalExecutor()
    age(tmp_path, 2.0)
    assert executor.poll([far]) == [Running(host="far", is_certain=False)]
    age(tmp_path, 1.0)
    assert executor.poll([far]) == [Running(host="far", is_certain=True)]
    monkeypatch.setattr(w, "SILENT_SECONDS", 0.0)
    time.sleep(0.01)
    (lost,) = executor.poll([far])
    assert isinstance(lost, Lost)
    assert not lost.evicted
    assert "nothing is heard of far" in lost.why


def test_an_attempt_that_was_silent_for_long_is_gone_at_once(
    far: dict[str, Any], tmp_path: Path
) -> None:
    age(tmp_path, w.SILENT_SECONDS + 5)
    assert isinstance(LocalExecutor().poll([far])[0], Lost)
    # An older hpt does not touch its claim; but a log that grows is a sign of life.
    (tmp_path / "output.log").touch()
    assert isinstance(LocalExecutor().poll([far])[0], Running)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["launcher", "output.log"]


@pytest.mark.parametrize("name", ["host", "namespace"])
def test_what_is_gone_from_this_machine_is_not_waited_for(far: dict[str, Any], name: str) -> None:
    here = {**far, "identity": f"{launcher.BOOT_ID}:1", **launcher.describe_machine()}
    assert isinstance(LocalExecutor().poll([here])[0], Lost)
    # Containers may share the machine, and see each other's processes or not.
    assert isinstance(LocalExecutor().poll([{**here, name: "other"}])[0], Running)


def test_a_process_that_is_here_is_one_s_own_whatever_the_host_is_called(
    handle: Handle, directory: Path
) -> None:
    assert LocalExecutor().poll([{**handle, "host": "renamed"}]) == [Running()]


def test_open_files_tell_what_a_process_works_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert w.has_open(os.getpid(), path, tmp_path) is False
    with path.open():
        assert w.has_open(os.getpid(), tmp_path / "missing", path) is True
    assert w.has_open(2**30, path) is None


def test_a_directory_is_the_same_by_another_mount(
    handle: Handle, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(one: os.stat_result, other: os.stat_result) -> bool:
        """As of two mounts of one file system: what they are on differs."""
        return False

    monkeypatch.setattr(os.path, "samestat", compare)
    by_other_mount = {**handle, "launched_in": str(directory.parent / "." / "a1")}
    assert not w.is_copied(by_other_mount)
    assert LocalExecutor().poll([by_other_mount]) == [Running()]
    assert sorted(path.name for path in directory.iterdir()) == ["launcher", "output.log"]
