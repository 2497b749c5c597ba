"""The runner in this process, with attempts that are only told of."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.executors import Exited, Handle, LaunchRequest, Outcome, Swept
from hpt_cli.runtime.heartbeat import write_heartbeat
from hpt_cli.runtime.runner import Runner
from hpt_cli.runtime.signals import Signals
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import Journal, create_journal, open_journal
from hpt_cli.storage.mailbox import send_request
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from tests.builders import created, make_spec, suggested

pytestmark = pytest.mark.usefixtures("in_time")


class FailingExecutor:
    """Runs attempts that fail at once, with these last words."""

    poll_seconds = 0.01
    attempts_are_children = False

    def __init__(self, words: str = "") -> None:
        self.words = words
        self.launched: list[LaunchRequest] = []

    def launch(self, request: LaunchRequest) -> Handle:
        self.launched.append(request)
        request.directory.mkdir(parents=True)
        (request.directory / "output.log").write_text(self.words)
        return {"directory": str(request.directory)}

    def find(self, directory: Path) -> Handle | None:
        return None

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        return [Exited(1, time.time()) for _ in handles]

    def stop(self, handle: Handle, *, force: bool) -> None: ...

    def sweep(self, handle: Handle, grace: float) -> Swept:
        return Swept()

    def pop_notes(self) -> list[str]:
        time.sleep(0.02)  # threads are faster than the tuner
        return []


class NoView:
    """Shows nothing."""

    def show(self, state: TuningState, events: Iterable[ev.Event], now: float) -> None: ...


def run(
    home: Path, executor: FailingExecutor, *story: ev.Event, ask: Any = None, **fields: Any
) -> TuningState:
    """Go on after a story, to the end; what has been asked is known before."""
    spec = make_spec(max_jobs=1, **fields)
    jobdir: JobDir = make_job_dir(home, spec.name)
    create_journal(jobdir.journal, created(spec)[0])
    if ask is not None:
        send_request(jobdir, ask)
    with open_journal(jobdir.journal, write=True) as journal:
        journal.append(story)
        state = journal.state()
    return Runner(spec, jobdir, executor, NoView(), state).run()


def test_what_was_about_to_be_launched_is_not_launched_by_a_stop(tmp_path: Path) -> None:
    executor = FailingExecutor()
    state = run(
        *(tmp_path, executor, *suggested(1), ev.JobSubmitting(at=1, number=1, attempt=1)),
        ask={"stop_jobs": None},
        environment={"TOKEN": "${HPT_TEST_NOT_SET}"},
    )
    assert state.status == "Stopped"
    assert executor.launched == []


def test_a_job_whose_last_launch_fails_while_it_is_stopped_has_failed(tmp_path: Path) -> None:
    class Executor(FailingExecutor):
        def launch(self, request: LaunchRequest) -> Handle:
            raise FileNotFoundError("no such interpreter")

    story = [
        event
        for attempt in (1, 2, 3)
        for event in (
            ev.JobSubmitting(at=attempt, number=1, attempt=attempt),
            ev.JobLost(at=attempt, number=1, attempt=attempt, why="gone"),
        )
    ]
    state = run(tmp_path, Executor(), *suggested(1), *story[:-1], ask={"stop_jobs": [1]})
    assert state.jobs[1].phase == "Failed"


def test_the_next_tuner_knows_until_when_the_last_one_lived(tmp_path: Path) -> None:
    class DyingExecutor(FailingExecutor):
        def launch(self, request: LaunchRequest) -> Handle:
            raise SystemError("it dies of this")

    spec = make_spec(max_jobs=1)
    jobdir = make_job_dir(tmp_path, spec.name)
    create_journal(jobdir.journal, created(spec)[0])

    def tune(executor: FailingExecutor, *, now: float) -> TuningState:
        with open_journal(jobdir.journal) as journal:
            state, start = journal.state(), time.monotonic() - now
        runner = Runner(
            *(spec, jobdir, executor, NoView(), state), clock=lambda: time.monotonic() - start
        )
        return runner.run()

    with pytest.raises(SystemError):
        tune(DyingExecutor(), now=10)
    write_heartbeat(jobdir.heartbeat, 60)
    first, *_ = tune(FailingExecutor(), now=1000).past_sessions[1:]
    assert first == (pytest.approx(10, abs=5), 60)


def test_a_slow_regex_of_retry_holds_nobody_up(tmp_path: Path) -> None:
    executor = FailingExecutor("a" * 40 + "!\n")
    state = run(tmp_path, executor, retry={"max_attempts": 3, "when": ["((a|aa)+)+$"]})
    assert len(executor.launched) == 1
    assert "takes too long" in state.jobs[1].notes[0]


def test_only_what_hpt_itself_may_ask_for_is_done(tmp_path: Path) -> None:
    for number, each in enumerate(
        [
            {"changes": {"command": "touch pwned"}},
            {"changes": {"max_jobs": "many"}},
            {"changes": {"nothing": 1}},
            {"changes": []},
            {"stop_jobs": 7},
            {"stop_jobs": [None, [], "x", 99]},
            {"run": "touch pwned"},
        ]
    ):
        executor = FailingExecutor()
        state = run(tmp_path / str(number), executor, ask=each)
        assert len(executor.launched) == 1
        assert executor.launched[0].argv[0] == "train"
        assert state.reason != "StoppedByUser"
    assert state.spec["max_jobs"] == 1


def test_who_is_asked_twice_to_stop_still_writes_what_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def append_slowly(self: Journal, events: Iterable[ev.Event]) -> None:
        time.sleep(0.1)
        append(self, events)

    monkeypatch.setattr(Journal, "append", append_slowly)
    monkeypatch.setattr(Signals, "pop_impatience", lambda _: True)
    monkeypatch.setattr(
        "hpt_cli.runtime.runner.LEAST_WRITE_SECONDS", 20
    )  # this machine may be busy
    state = run(tmp_path, FailingExecutor(), ask={"stop_jobs": None})
    assert state.status == "Stopped"
    with open_journal(tmp_path / state.spec["name"] / "journal.sqlite") as journal:
        assert journal.state().status == "Stopped"
