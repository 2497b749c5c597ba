"""The end of an attempt: its slot is free only when nothing of it is left."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hpt_cli.executors import Exited, Handle, LaunchRequest, Lost, Outcome, Running, Swept
from hpt_cli.machine.gpu_monitor import GpuMonitor
from hpt_cli.runtime.attempts import clean_up
from hpt_cli.runtime.attempts import follower as following
from hpt_cli.runtime.attempts.follower import AttemptFollower
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
        self.told: list[tuple[str, Handle]] = []

    def launch(self, request: LaunchRequest) -> Handle:
        raise NotImplementedError

    def find(self, directory: Path) -> Handle | None:
        raise NotImplementedError

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        return [self.outcome for _ in handles]

    def stop(self, handle: Handle, *, force: bool) -> None:
        self.stopped.append((handle, force))

    def pause(self, handle: Handle) -> None:
        self.told.append(("pause", handle))

    def thaw(self, handle: Handle) -> None:
        self.told.append(("thaw", handle))

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        raise NotImplementedError

    def list_leftovers(self, handle: Handle) -> list[str]:
        return ["server (pid 8)"]

    def sweep(self, handle: Handle, grace: float) -> Swept:
        self.graces.append(grace)
        assert self.release.wait(10)
        return Swept(["loader (pid 7)"])

    def pop_notes(self) -> list[str]:
        return []


def follow(executor: SlowExecutor, path: Path, last_alive: float = 0.0) -> AttemptFollower:
    follower = AttemptFollower(
        SPEC, executor, JobDir(path), GpuMonitor(()), time.time, lambda: None, ThreadPoolExecutor(1)
    )
    follower.follow(STATE.jobs[1], last_alive)
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
    return await end_at_last(follower)


async def end_at_last(follower: AttemptFollower) -> list[Any]:
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


async def print_without_a_launcher(path: Path, *texts: str) -> list[Any]:
    executor = SlowExecutor(Lost("its launcher is gone"))
    follower = follow(executor, path)
    log = JobDir(path).attempt(1, 1).log
    log.parent.mkdir(parents=True)
    events, state = [], STATE
    for text in texts:
        with log.open("a") as file:
            file.write(text)
        found = end_all(follower, state)
        state = fold_all_on(state, found)
        events += found
        await asyncio.sleep(0.01)
    executor.release.set()
    while len(follower):
        await asyncio.sleep(0.01)
        events += end_all(follower, state)
    return events


def fold_all_on(state: TuningState, events: list[ev.Event]) -> TuningState:
    for event in events:
        state = fold(state, event)
    return state


def test_what_a_command_prints_without_its_launcher_is_read_to_the_end(tmp_path: Path) -> None:
    texts = "loss=1\n", "loss=2\nlos", "s=3\n", "loss=4"
    events = asyncio.run(print_without_a_launcher(tmp_path, *texts))
    read = [each for event in events[:-2] for each in event.observations]
    assert [each.value for each in read] == [1, 2, 3, 4]
    assert isinstance(events[-2], ev.JobLost)


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


def test_a_lost_attempt_ended_at_its_last_sign_of_life(tmp_path: Path) -> None:
    for name, last_alive, printed, touched in [("a", 50, 9, 9), ("b", 5, 70, 9), ("c", 5, 9, 80)]:
        directory = JobDir(tmp_path / name).attempt(1, 1)
        directory.path.mkdir(parents=True)
        for path, at in ((directory.log, printed), (directory.path / "launcher", touched)):
            path.write_text("")
            os.utime(path, (at, at))
        executor = SlowExecutor(Lost("it is gone"))
        executor.release.set()
        follower = follow(executor, tmp_path / name, last_alive)
        lost, _ = asyncio.run(end_at_last(follower))
        assert lost.ended_at == max(last_alive, printed, touched)


class Watched:
    """An attempt that is followed under a clock of the test's own; what is told is folded."""

    def __init__(
        self, directory: Path, state: TuningState = STATE, now: float = 1000, last_alive: float = 0
    ) -> None:
        self.now = now
        self.state = state
        self.executor = SlowExecutor(Running())
        spec = make_spec(max_silence_seconds=30)
        self.follower = AttemptFollower(
            *(spec, self.executor, JobDir(directory), GpuMonitor(())),
            clock=lambda: self.now,
            wake=lambda: None,
            threads=ThreadPoolExecutor(1),
        )
        self.follower.follow(STATE.jobs[1], last_alive)

    def look(self, *moments: float, suspended: bool = False) -> Watched:
        self.executor.outcome = Running(is_suspended=suspended)
        for self.now in moments:
            for event in end_all(self.follower, self.state):
                self.state = fold(self.state, event)
        return self

    def pause(self) -> Watched:
        """Pause it, as the runner does."""
        event = ev.JobPaused(at=self.now, number=1, attempt=1, reason="job 2 is likelier")
        self.state = fold(self.state, event)
        self.follower.pause(1)
        return self

    def thaw(self) -> Watched:
        """Let it go on, as the runner does."""
        event = ev.JobThawed(at=self.now, number=1, attempt=1, reason="job 2 has ended")
        self.state = fold(self.state, event)
        self.follower.thaw(1)
        return self

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        attempt = self.state.jobs[1].attempt
        assert attempt is not None
        return attempt.suspended

    @property
    def is_judged(self) -> bool:
        return self.follower.list_unjudged() == set()


def test_an_attempt_is_judged_only_after_it_was_seen_alive(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert not watched.is_judged
    assert watched.look(1000).is_judged


def test_an_attempt_that_is_only_believed_to_live_is_not_judged(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.executor.outcome = Running(is_certain=False)
    end_all(watched.follower)
    assert not watched.is_judged
    assert watched.look(1001).is_judged


def test_what_is_suspended_is_recorded_when_it_has_lasted_and_when_it_is_over(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path).look(1000, 1001).look(1002, 1003.9, suspended=True)
    assert watched.spans == ()
    assert not watched.is_judged
    assert watched.look(1005, 1060, suspended=True).spans == ((1002, math.inf),)
    assert not watched.look(1061, 1062).is_judged
    assert watched.look(1063, 1070).is_judged
    assert watched.spans == ((1002, 1061),)


def test_after_the_tuner_was_suspended_attempts_are_looked_at_before_they_are_judged(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path).look(1000, 1001)
    assert watched.follower.settle([]) == []
    assert watched.is_judged
    suspended = ev.TunerSuspended(at=1001, since=985, until=1001)
    assert watched.follower.settle([(985, 1001)]) == [suspended]
    assert not watched.is_judged
    assert not watched.look(1002).is_judged
    directory = JobDir(tmp_path).attempt(1, 1).path
    directory.mkdir(parents=True)
    (directory / "suspended").write_text("5 17 997\n")
    assert watched.look(1003.5).is_judged
    assert watched.spans == ((985, 997),)
    # However fast that is: what was seen before is no answer.
    for _ in range(2):
        watched.follower.settle([(990, 1003.5)])
    assert not watched.is_judged
    assert watched.look(1006).is_judged


def test_a_suspension_that_ended_without_a_tuner_ended_when_it_was_last_seen(
    tmp_path: Path,
) -> None:
    first = Watched(tmp_path).look(1000, 1050, suspended=True).state
    assert Watched(tmp_path, first, 1900, 1060).look(1900, 1901).spans == ((1000, 1060),)
    still = Watched(tmp_path, first, 1900, 1060).look(1900, 1901, suspended=True)
    assert still.spans == ((1000, math.inf),)
    assert still.look(1905, 1907).spans == ((1000, 1905),)


def test_an_attempt_that_is_over_is_not_judged(tmp_path: Path) -> None:
    async def lose() -> None:
        executor = SlowExecutor(Lost("it is gone"))
        follower = follow(executor, tmp_path)
        assert end_all(follower) == []
        assert follower.list_unjudged() == {1}
        executor.release.set()

    asyncio.run(lose())


def test_a_job_is_not_silent_while_it_is_suspended(tmp_path: Path) -> None:
    watched = Watched(tmp_path).look(1000).look(1010, 1013, suspended=True)
    assert watched.look(1100, suspended=True).follower.list_silent(watched.state) == []
    assert watched.look(1119, 1138).follower.list_silent(watched.state) == []
    assert watched.look(1140).follower.list_silent(watched.state) == [1]


def test_what_is_short_for_a_while_delays_signals_and_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (following, clean_up):
        monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    executor = SlowExecutor(Exited(1, time.time()))
    executor.release.set()
    shortage = OSError(errno.EMFILE, "too many open files")
    errors = {"stop": [shortage] * 2, "sweep": [shortage] * 2}

    def fail_first(name: str) -> None:
        call = getattr(executor, name)

        def call_or_fail(*arguments: Any, **more: Any) -> Any:
            if errors[name]:
                raise errors[name].pop()
            return call(*arguments, **more)

        monkeypatch.setattr(executor, name, call_or_fail)

    async def stop_and_end() -> list[ev.Event]:
        follower = follow(executor, tmp_path)
        follower.stop(1)
        while not executor.stopped:
            await asyncio.sleep(0.005)
        while not (events := end_all(follower)):
            await asyncio.sleep(0.005)
        return events

    for name in errors:
        fail_first(name)
    exited, _ = asyncio.run(stop_and_end())
    assert isinstance(exited, ev.JobExited)
    assert len(executor.stopped) == 1
    assert errors == {"stop": [], "sweep": []}


def test_a_pause_is_no_suspension_by_somebody_else(tmp_path: Path) -> None:
    watched = Watched(tmp_path).look(1000, 1010).pause().look(1010.1)
    assert watched.look(1011, 1100, suspended=True).spans == ((1010, math.inf),)
    assert watched.thaw().look(1100.1, suspended=True).look(1101, 1110).spans == ((1010, 1100),)
    assert watched.is_judged
    assert watched.executor.told == [("pause", {"pid": 1}), ("thaw", {"pid": 1})]
    assert watched.look(1120, 1130, suspended=True).spans[1:] == ((1120, math.inf),)


def test_what_somebody_else_continues_is_not_paused_any_more(tmp_path: Path) -> None:
    watched = Watched(tmp_path).look(1000, 1010).pause().look(1010.1).look(1011, suspended=True)
    assert watched.state.jobs[1].phase == "Paused"
    assert watched.look(1050).state.jobs[1].phase == "Training"
    assert watched.look(1060).spans == ((1010, 1050),)


def test_a_later_tuner_follows_what_is_paused(tmp_path: Path) -> None:
    paused = Watched(tmp_path).look(1000, 1010).pause().look(1011, suspended=True).state
    later = Watched(tmp_path, paused, 1900, 1020)
    later.follower.pause(1)
    later.look(1900).look(1901, 1950, suspended=True)
    assert later.state.jobs[1].phase == "Paused"
    assert later.thaw().look(1951, 1960).spans == ((1010, 1950),)
