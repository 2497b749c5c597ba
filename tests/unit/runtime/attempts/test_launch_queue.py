"""Launches that have to wait."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hpt_cli.executors import Handle, LaunchRequest, Outcome, Swept
from hpt_cli.machine.claims import Claim
from hpt_cli.runtime.attempts import launch_queue
from hpt_cli.runtime.attempts.launch_queue import LaunchQueue
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from tests.builders import created, fold_all, make_spec, suggested

pytestmark = pytest.mark.usefixtures("in_time")

STATE = fold_all(*created(make_spec()), *suggested(1), ev.JobSubmitting(at=1, number=1, attempt=1))


class ShortExecutor:
    """Launches as soon as it has run out of errors."""

    poll_seconds = 0.01
    attempts_are_children = False
    now = 1.5

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.launched: list[LaunchRequest] = []

    def launch(self, request: LaunchRequest) -> Handle:
        if self.errors:
            raise self.errors.pop(0)
        self.launched.append(request)
        self.now += 100
        return {"directory": str(request.directory)}

    def find(self, directory: Path) -> Handle | None:
        return None

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        raise NotImplementedError

    def stop(self, handle: Handle, *, force: bool) -> None: ...

    def pause(self, handle: Handle) -> None:
        raise NotImplementedError

    def thaw(self, handle: Handle) -> None:
        raise NotImplementedError

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        raise NotImplementedError

    def list_leftovers(self, handle: Handle) -> list[str]:
        return []

    def sweep(self, handle: Handle, grace: float) -> Swept:
        return Swept()

    def pop_notes(self) -> list[str]:
        return []


@pytest.fixture
def make_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[ShortExecutor], LaunchQueue]]:
    monkeypatch.setattr(launch_queue, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(launch_queue, "STOP_SECONDS", 0.01)
    made: list[LaunchQueue] = []

    def make(executor: ShortExecutor) -> LaunchQueue:
        made.append(LaunchQueue(executor, JobDir(tmp_path), lambda: executor.now, lambda: None))
        return made[-1]

    yield make
    for each in made:
        each.close()


def request_in(path: Path, working_directory: Path | None = None) -> LaunchRequest:
    return LaunchRequest(["train"], {}, working_directory or path, path / "jobs" / "0001" / "a1")


def wait_for(queue: LaunchQueue) -> ev.Event:
    while not (done := list(queue.pop_done(STATE, 2.0))):
        time.sleep(0.005)
    return done[0]


SHORTAGES = [
    *(OSError(number, "it is short") for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)),
    *(OSError(number, "it is short") for number in (errno.ENOSPC, errno.EROFS, errno.EIO)),
    RuntimeError("can't start new thread"),
    MemoryError(),
]


@pytest.mark.parametrize("error", SHORTAGES, ids=str)
def test_a_launch_waits_for_what_is_short(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue], error: Exception
) -> None:
    queue = make_queue(ShortExecutor(error, error, error))
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False)
    assert isinstance(wait_for(queue), ev.JobLaunched)
    assert len(queue.pop_delays()) == 1, "it is told once"


def test_no_processes_are_told_with_the_way_out(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue]
) -> None:
    queue = make_queue(ShortExecutor(BlockingIOError(errno.EAGAIN, "it is short")))
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False)
    wait_for(queue)
    (told,) = queue.pop_delays()
    assert "no more processes or threads can be started" in told
    assert "ulimit -u" in told


def test_a_launch_waits_for_its_working_directory(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue]
) -> None:
    queue = make_queue(ShortExecutor())
    work = tmp_path / "work"
    queue.submit(1, tmp_path, request_in(tmp_path, work), may_exist=False)
    while not (told := queue.pop_delays()):
        time.sleep(0.005)
    assert told == [f"the working directory {work} is gone"]
    work.mkdir()
    assert isinstance(wait_for(queue), ev.JobLaunched)


@pytest.mark.parametrize(("are_children", "since"), [(True, 1.5), (False, None)])
def test_an_attempt_of_this_machine_runs_since_its_launch_began(
    tmp_path: Path,
    make_queue: Callable[[ShortExecutor], LaunchQueue],
    are_children: bool,
    since: float | None,
) -> None:
    """The tuner may be suspended in the middle of it; on a cluster it may wait for its turn."""
    executor = ShortExecutor()
    executor.attempts_are_children = are_children
    queue = make_queue(executor)
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False)
    launched = wait_for(queue)
    assert isinstance(launched, ev.JobLaunched)
    assert launched.since == since


def test_nothing_is_launched_before_it_is_recorded(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue]
) -> None:
    executor, recorded = ShortExecutor(), threading.Event()
    queue = make_queue(executor)
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False, recorded=recorded)
    time.sleep(0.05)
    assert executor.launched == []
    recorded.set()
    assert isinstance(wait_for(queue), ev.JobLaunched)


def test_what_cannot_be_recorded_can_be_given_up(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue]
) -> None:
    executor = ShortExecutor()
    queue = make_queue(executor)
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False, recorded=threading.Event())
    queue.give_up()
    lost = wait_for(queue)
    assert isinstance(lost, ev.JobLost)
    assert lost.evicted
    assert executor.launched == []


def test_a_command_that_can_never_run_is_not_waited_for(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue]
) -> None:
    queue = make_queue(ShortExecutor(OSError(errno.E2BIG, "too long")))
    queue.submit(1, tmp_path, request_in(tmp_path), may_exist=False)
    lost = wait_for(queue)
    assert isinstance(lost, ev.JobLost)
    assert "too long" in lost.why


@pytest.mark.parametrize("inherits", [True, False])
def test_a_launch_waits_for_what_another_tuning_job_holds(
    tmp_path: Path, make_queue: Callable[[ShortExecutor], LaunchQueue], inherits: bool
) -> None:
    """A tuner was killed before the launch, and another has been faster since."""
    executor = ShortExecutor()
    queue = make_queue(executor)
    answers = [None, Claim(7)]
    request = replace(request_in(tmp_path), inherits_claim=inherits)
    queue.submit(1, request.directory, request, may_exist=True, take=lambda: answers.pop(0))
    assert isinstance(wait_for(queue), ev.JobLaunched)
    assert queue.pop_delays() == ["another tuning job holds its cores or GPUs"]
    assert [each.claim for each in executor.launched] == [7 if inherits else None]
