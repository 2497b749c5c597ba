"""The monitor notes events as they are folded, and reads logs in a step of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpt_cli.runtime.monitor import MAX_LOG_BYTES, Monitor
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from tests import builders as b

SPEC = b.make_spec()
STORY = [*b.created(SPEC), *b.suggested(1), *b.launched(1), b.exited(1, at=9.0)]


def test_no_log_is_read_while_events_are_observed(tmp_path: Path) -> None:
    jobdir = JobDir(tmp_path)
    monitor = Monitor(SPEC, jobdir)
    monitor.observe(STORY)
    log = jobdir.attempt(1, 1).log
    log.parent.mkdir(parents=True)
    log.write_text("validation Loss was 0.25\n")  # after the events: only `read` can see it
    (warning,) = monitor.read(b.fold_all(*STORY), 10.0)
    assert warning.slug == "no-objective"
    assert warning.lines == ("validation Loss was 0.25",)


def test_a_warning_that_was_given_is_not_given_again(tmp_path: Path) -> None:
    monitor = Monitor(SPEC, JobDir(tmp_path))
    monitor.observe(STORY)
    (warning,) = monitor.read(b.fold_all(*STORY), 10.0)
    monitor.observe([warning])
    assert monitor.read(b.fold_all(*STORY, warning), 11.0) == []
    resumed = Monitor(SPEC, JobDir(tmp_path))
    resumed.observe(STORY)
    assert resumed.read(b.fold_all(*STORY, warning), 12.0) == []


def test_a_log_is_not_judged_before_it_is_followed(tmp_path: Path) -> None:
    """A killed tuner may have launched what it has not recorded as launched."""
    *story, launch = [*b.created(SPEC), *b.suggested(1), *b.launched(1)]
    log = JobDir(tmp_path).attempt(1, 1).log
    log.parent.mkdir(parents=True)
    log.write_text("loss=1\n" * 1000)
    assert Monitor(SPEC, JobDir(tmp_path)).read(b.fold_all(*story), 100.0) == []
    (warning,) = Monitor(SPEC, JobDir(tmp_path)).read(b.fold_all(*story, launch), 100.0)
    assert warning.slug == "no-objective"


def test_only_what_has_been_searched_counts(tmp_path: Path) -> None:
    """The first values may be about to be recorded."""
    state = b.fold_all(*b.created(SPEC), *b.suggested(1), *b.launched(1))
    log = JobDir(tmp_path).attempt(1, 1).log
    log.parent.mkdir(parents=True)
    log.write_text("no value\n" * 200 + "loss=1\n" * 1000)
    assert Monitor(SPEC, JobDir(tmp_path)).read(state, 10.0, {1: 199 * 9}) == []
    (warning,) = Monitor(SPEC, JobDir(tmp_path)).read(state, 10.0, {1: 200 * 9})
    assert "loss=1" not in str(warning)


def list_long(monitor: Monitor, state: TuningState, now: float) -> list[str]:
    warnings = monitor.read(state, now)
    return [each.message for each in warnings if each.slug == "log-too-long"]


@pytest.mark.parametrize(
    ("limit", "shown"), [(None, ("1.1 GB", "537 MB")), (1 << 20, ("1.0 MB", "524 kB"))]
)
def test_a_log_that_is_too_long_is_warned_of_once(
    tmp_path: Path, limit: int | None, shown: tuple[str, str]
) -> None:
    spec = b.make_spec(max_log_bytes=limit)
    story = [*b.created(spec), *b.suggested(1), *b.launched(1), *b.suggested(2), *b.launched(2)]
    state, jobdir = b.fold_all(*story), JobDir(tmp_path)
    bound = limit or MAX_LOG_BYTES
    for number in (1, 2):
        log = jobdir.attempt(number, 1).log
        log.parent.mkdir(parents=True)
        log.touch()
        os.truncate(log, bound)
    assert list_long(Monitor(spec, jobdir), state, 3600.0) == []
    os.truncate(log, bound + 1)
    (message,) = list_long(Monitor(spec, jobdir), state, 7200.0)
    size, rate = shown
    text = f"story-0002 has printed {size} in 2 h 00 min ({rate} an hour), more than max_log_bytes"
    assert message == f"{text} ({size})"
    warned = [*story, *Monitor(spec, jobdir).read(state, 7200.0)]
    assert list_long(Monitor(spec, jobdir), b.fold_all(*warned), 7201.0) == []


def test_values_that_came_while_the_tuner_was_suspended_were_not_held_back(tmp_path: Path) -> None:
    def list_slugs(*between: ev.Event) -> list[str]:
        story = [*b.created(SPEC), *b.suggested(1), *b.launched(1), *between]
        story += [b.observed(1, 3.0, 2.0, 1.0, at=59.9), b.exited(1, at=60)]
        monitor = Monitor(SPEC, JobDir(tmp_path))
        monitor.observe(story)
        return [each.slug for each in monitor.read(b.fold_all(*story), 60)]

    assert list_slugs() == ["output-held-back"]
    assert list_slugs(ev.TunerSuspended(at=59, since=1, until=59)) == []
