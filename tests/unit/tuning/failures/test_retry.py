"""What follows on a training job that fails, hangs, or prints what a log rule looks for."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.metrics.log_rules import compile_rule
from hpt_cli.metrics.patterns import compile_line_regex
from hpt_cli.metrics.reader import MetricReader
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Command, End, Launch, Stop
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.failures.retry import is_worth_retrying, judge_match
from hpt_cli.tuning.jobs.training_job import TrainingJob
from tests import builders as b

RETRY = {"retry": {"max_attempts": 3}}


def job_after(*events: ev.Event, **changes: Any) -> TrainingJob:
    spec = b.make_spec(**changes)
    return b.fold_all(*b.created(spec), *b.suggested(1), *b.launched(1), *events).jobs[1]


def failed(attempt: int = 1, *, retry: bool = True) -> ev.JobExited:
    return ev.JobExited(at=1, number=1, attempt=attempt, exit_code=3, ended_at=1, retry=retry)


def test_a_failure_that_is_tried_again_is_followed_by_an_attempt() -> None:
    job = job_after(failed())
    assert (job.phase, job.attempts[0].failure) == ("Interrupted", "exit code 3")
    assert job.notes == ("attempt 1 failed: exit code 3",)
    again = job_after(failed(), *b.launched(1, attempt=2), b.exited(1, attempt=2))
    assert (again.phase, again.failure_reason) == ("Completed", "")


def test_the_number_of_failures_is_bounded() -> None:
    spec = b.make_spec(**RETRY)
    once = job_after(failed(), *b.launched(1, attempt=2))
    assert is_worth_retrying(spec, once, ["x"])
    twice = job_after(
        failed(), *b.launched(1, attempt=2), failed(2), *b.launched(1, attempt=3), **RETRY
    )
    assert not is_worth_retrying(spec, twice, ["x"])
    assert not is_worth_retrying(b.make_spec(), once, ["x"])


def test_interrupted_attempts_are_no_failures() -> None:
    job = job_after(
        b.stop(1, "Interrupted"), b.exited(1, -15, at=2), *b.launched(1, attempt=2), **RETRY
    )
    assert [attempt.failure for attempt in job.attempts] == ["", ""]


@pytest.mark.parametrize(
    ("when", "not_when", "words", "again"),
    [
        ([], [], ["anything"], True),
        (["out of memory"], [], ["CUDA out of memory", "exit code 1"], True),
        (["SIGKILL"], [], ["", "killed by SIGKILL"], True),
        (["out of memory"], [], ["Traceback", "exit code 1"], False),
        ([], ["^Traceback"], ["Traceback (most recent call last)", "exit code 1"], False),
        (["memory"], ["Traceback"], ["Traceback", "out of memory"], False),
    ],
)
def test_the_last_lines_say_whether_it_is_tried_again(
    when: list[str], not_when: list[str], words: list[str], again: bool
) -> None:
    spec = b.make_spec(retry={"max_attempts": 2, "when": when, "not_when": not_when})
    assert is_worth_retrying(spec, job_after(), words) is again


def test_what_a_log_rule_asks_for() -> None:
    job = job_after()
    assert judge_match(b.make_spec(), job, "stop") == "LogRule"
    assert judge_match(b.make_spec(), job, "fail") == "Failed"
    assert judge_match(b.make_spec(), job, "warn") is None
    assert judge_match(b.make_spec(**RETRY), job, "retry") == "Retry"
    assert judge_match(b.make_spec(), job, "retry") == "Failed"


def test_what_was_found_in_the_output_weighs_more_than_the_exit_code() -> None:
    for at in (0, 5):  # it is asked to stop before, or after it has ended
        request = ev.JobStopRequested(at=at, number=1, reason="Failed", explanation="'oom'")
        job = job_after(b.observed(1, 1.0), request, b.exited(1, 0, at=2))
        assert (job.phase, job.failure_reason) == ("Failed", "'oom'")
        request = ev.JobStopRequested(at=at, number=1, reason="Retry", explanation="'oom'")
        job = job_after(request, b.exited(1, 0, at=2))
        assert (job.phase, job.attempts[0].failure) == ("Interrupted", "'oom'")


def commands(*events: ev.Event, silent: tuple[int, ...] = (), **changes: Any) -> list[Command]:
    spec = b.make_spec(**changes)
    return decide(spec, b.fold_all(*b.created(spec), *events), 0, silent=silent)


def test_a_silent_job_is_hung_or_tried_again() -> None:
    running = [*b.suggested(1), *b.launched(1)]
    limit = {"max_silence_seconds": 5, "max_jobs": 1}
    why = "it printed nothing for 5 s"
    assert commands(*running, silent=(1,), **limit) == [Stop(1, "Hung", explanation=why)]
    again = commands(*running, silent=(1,), **limit, **RETRY)
    assert again == [Stop(1, "Retry", explanation=why)]
    only = {"retry": {"max_attempts": 2, "when": ["memory"]}}
    assert commands(*running, silent=(1,), **limit, **only) == [Stop(1, "Hung", explanation=why)]
    assert commands(*running, b.stop(1, "Hung"), silent=(1,), **limit) == []


def test_fail_fast_ends_everything_with_the_first_failure() -> None:
    bad = [*b.suggested(2), *b.launched(2), b.exited(2, 1)]
    going = [*b.run(1, 1.0), *bad, *b.suggested(3), *b.launched(3)]
    assert commands(*going, fail_fast=True) == [Stop(3, "TuningJobFinished")]
    (ended,) = commands(*b.run(1, 1.0), *bad, fail_fast=True)
    assert isinstance(ended, End)
    assert (ended.completion.status, ended.completion.reason) == (
        "Failed",
        "fail_fast: training job 2 failed",
    )
    again = [*b.suggested(1), *b.launched(1), failed()]
    assert commands(*again, fail_fast=True)[0] == Launch(1)


def test_a_rule_answers_once() -> None:
    rules = [compile_rule("memory", "fail"), compile_rule("^warn", "warn")]
    reader = MetricReader((), rules)
    log = b"warn: low memory\nout of memory\nwarn\n"
    reader.feed(log)
    assert [(each.action, each.line) for each in reader.pop_matches()] == [
        ("fail", "warn: low memory"),
        ("warn", "warn: low memory"),
    ]
    reader.feed(log)
    assert reader.pop_matches() == []


@pytest.mark.parametrize("pattern", ["(", "x*", "^"])
def test_a_pattern_that_finds_nothing_or_everything_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="the regex"):
        compile_line_regex(pattern)
