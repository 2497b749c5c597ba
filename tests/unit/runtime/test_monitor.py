"""The monitor notes events as they are folded, and reads logs in a step of its own."""

from __future__ import annotations

from pathlib import Path

from hpt_cli.runtime.monitor import Monitor
from hpt_cli.storage.job_directory import JobDir
from tests.builders import created, exited, fold_all, launched, make_spec, suggested

SPEC = make_spec()
STORY = [*created(SPEC), *suggested(1), *launched(1), exited(1, at=9.0)]


def test_no_log_is_read_while_events_are_observed(tmp_path: Path) -> None:
    jobdir = JobDir(tmp_path)
    monitor = Monitor(SPEC, jobdir)
    monitor.observe(STORY)
    log = jobdir.attempt(1, 1).log
    log.parent.mkdir(parents=True)
    log.write_text("validation Loss was 0.25\n")  # after the events: only `read` can see it
    (warning,) = monitor.read(fold_all(*STORY), 10.0)
    assert warning.slug == "no-objective"
    assert warning.lines == ("validation Loss was 0.25",)


def test_a_warning_that_was_given_is_not_given_again(tmp_path: Path) -> None:
    monitor = Monitor(SPEC, JobDir(tmp_path))
    monitor.observe(STORY)
    (warning,) = monitor.read(fold_all(*STORY), 10.0)
    monitor.observe([warning])
    assert monitor.read(fold_all(*STORY, warning), 11.0) == []
    resumed = Monitor(SPEC, JobDir(tmp_path))
    resumed.observe(STORY)
    assert resumed.read(fold_all(*STORY, warning), 12.0) == []
