"""The end of an attempt: its slot is free only when nothing of it is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

from hpt_cli.executors import Exited, Handle, LaunchRequest, Lost, Outcome
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.runtime.attempts import AttemptFollower
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.failures.interruption import MOMENT_SECONDS
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState
from tests.builders import created, fold_all, launched, make_spec, suggested

SPEC = make_spec(stop_grace_seconds=7)
STATE = fold_all(*created(SPEC), *suggested(1), *launched(1))


class SlowExecutor:
    """Its attempts leave a process behind, which is killed when `release` is set."""

    poll_seconds = 0.01
    attempts_are_children = False

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.release = Event()
        self.graces: list[float] = []
        self.stopped: list[tuple[Handle, bool]] = []

    def launch(self, request: LaunchRequest) -> Handle:
        raise NotImplementedError

    def find(self, directory: Path) -> Handle | None:
        raise NotImplementedError

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        return [self.outcome for _ in handles]

    def stop(self, handle: Handle, *, force: bool) -> None:
        self.stopped.append((handle, force))

    def list_leftovers(self, handle: Handle) -> list[str]:
        return ["server (pid 8)"]

    def sweep(self, handle: Handle, grace: float) -> list[str]:
        self.graces.append(grace)
        assert self.release.wait(10)
        return ["loader (pid 7)"]

    def pop_notes(self) -> list[str]:
        return []


def follow(executor: SlowExecutor, path: Path) -> AttemptFollower:
    follower = AttemptFollower(
        SPEC, executor, JobDir(path), GpuMonitor(()), time.time, wake=lambda: None
    )
    follower.follow(STATE.jobs[1])
    return follower


def end_all(follower: AttemptFollower, state: TuningState = STATE) -> list[ev.Event]:
    found, _ = follower.reader.read_round()
    events = [event for reading in found for event in follower.describe(state, reading)]
    return [*events, *follower.end(state)]


async def end_slowly(follower: AttemptFollower, executor: SlowExecutor) -> list[Any]:
    """End what fails: nothing is told before the executor has cleaned up."""
    assert end_all(follower) == []
    await asyncio.sleep(0.05)
    assert end_all(follower) == []
    assert len(follower) == 1
    executor.release.set()
    events: list[Any] = []
    while not events:
        await asyncio.sleep(0.01)
        events = end_all(follower)
    assert len(follower) == 0
    return events


def test_a_failed_attempt_ends_when_it_is_cleaned_up(tmp_path: Path) -> None:
    executor = SlowExecutor(Exited(1, time.time()))
    exited, noted = asyncio.run(end_slowly(follow(executor, tmp_path), executor))
    assert exited.exit_code == 1
    assert noted.text == "outlived the job and was killed: loader (pid 7)"
    assert executor.graces == [7]


def test_an_attempt_that_succeeds_ends_at_once(tmp_path: Path) -> None:
    executor = SlowExecutor(Exited(0, time.time()))
    follower = follow(executor, tmp_path)
    (exited,) = end_all(follower)
    assert isinstance(exited, ev.JobExited)
    assert executor.graces == []
    assert len(follower) == 0


def test_what_an_attempt_that_succeeds_left_is_ended_before_its_slot_is_free(
    tmp_path: Path,
) -> None:
    executor = SlowExecutor(Exited(0, time.time(), has_left=True))
    exited, noted = asyncio.run(end_slowly(follow(executor, tmp_path), executor))
    assert exited.exit_code == 0
    assert noted.text == "outlived the job and was killed: loader (pid 7)"
    assert executor.graces == [7]


def test_what_may_live_on_is_told_and_not_ended(tmp_path: Path) -> None:
    executor = SlowExecutor(Exited(0, time.time(), has_left=True))
    follower = follow(executor, tmp_path)
    follower.spec = make_spec(children="keep")

    async def end() -> list[Any]:
        events: list[Any] = []
        while not events:
            await asyncio.sleep(0.01)
            events = end_all(follower)
        return events

    _, noted = asyncio.run(end())
    assert noted.text == "left running (children: keep): server (pid 8)"
    assert executor.graces == []


def test_what_runs_on_a_terminal_without_its_launcher_is_ended_at_once(tmp_path: Path) -> None:
    executor = SlowExecutor(Lost("it is gone"))
    follower = follow(executor, tmp_path)
    follower.spec = make_spec(pty=True, stop_grace_seconds=7)
    _, *notes = asyncio.run(end_slowly(follower, executor))
    assert executor.graces == [0]
    assert notes[-1].text.endswith("its last output may be missing")


def test_when_all_are_killed_nothing_is_given_time(tmp_path: Path) -> None:
    executor = SlowExecutor(Lost("it is gone"))
    follower = follow(executor, tmp_path)
    follower.kill_all()
    assert executor.stopped == [({"pid": 1}, True)]
    lost, _ = asyncio.run(end_slowly(follower, executor))
    assert lost.why == "it is gone"
    assert executor.graces == [0]


def test_the_first_to_be_killed_is_judged_when_the_tuner_may_have_heard_too(
    tmp_path: Path,
) -> None:
    async def end_interrupted() -> Any:
        now = time.time()
        executor = SlowExecutor(Exited(-15, now))
        follower = follow(executor, tmp_path)
        executor.release.set()
        state = STATE
        while not (ended := end_all(follower, state)):
            await asyncio.sleep(0.01)
            if time.time() > now + MOMENT_SECONDS / 2:
                state = fold(STATE, ev.TuningJobStopRequested(at=now, reason="Interrupted"))
        return ended[0]

    exited = asyncio.run(end_interrupted())
    assert exited.interrupted
