"""One way of counting training jobs, and one wording."""

from __future__ import annotations

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.progress import compare_kinds
from hpt_cli.tuning.summary import Summary, summarize
from tests import builders as b

STOPPED = [*b.suggested(2), *b.launched(2), b.observed(2, 1), b.stop(2), b.exited(2, -15)]
STORY: list[ev.Event] = [
    *b.run(1, 0.5),
    *STOPPED,
    *[*b.suggested(3), *b.launched(3), b.stop(3, "MaxRuntimeExceeded"), b.exited(3, -15)],
    *[*b.suggested(4), *b.launched(4), b.exited(4, 1)],
    *[*b.suggested(5), *b.launched(5)],
    *[*b.suggested(6), *b.launched(6), b.stop(6)],
    *[*b.suggested(7), *b.launched(7), ev.JobSuspended(at=9, number=7, attempt=1, since=4)],
    *[*b.suggested(8), *b.launched(8), ev.JobQueued(at=9, number=8, attempt=1, reason="Priority")],
    *[*b.suggested(9), *b.launched(9), b.stop(9, "Interrupted"), b.exited(9, -15)],
    *[*b.suggested(10), *b.launched(10), ev.JobPaused(at=9, number=10, attempt=1, reason="why")],
    *b.suggested(11),
]


def make_summary(*events: ev.Event, at_work: bool = True, max_jobs: int | None = 20) -> Summary:
    spec = b.make_spec(max_jobs=max_jobs, max_parallel_jobs=9, max_runtime_seconds=99)
    return summarize(b.fold_all(*b.created(spec), *events), 10, at_work=at_work)


def test_every_kind_of_training_job_is_counted_once() -> None:
    progress = make_summary(*STORY).progress
    assert str(progress) == (
        "4 of 20 done: 1 completed, 1 stopped early, 1 stopped, 1 failed;"
        " 1 running, 1 stopping, 1 suspended, 1 pending, 1 paused, 1 to run again"
    )
    assert (progress.done, progress.of) == (4, "4 of 20")
    assert sum(progress.kinds.values()) == 10, "the one that was not launched does not count"


def test_what_jobs_do_without_a_tuner_is_not_known() -> None:
    alone = make_summary(*STORY, at_work=False).progress
    assert str(alone).endswith("; 1 paused, 4 in progress, 1 to run again")


def test_nothing_is_said_of_what_there_is_not() -> None:
    assert str(make_summary().progress) == "0 of 20 done"
    assert str(make_summary(*b.suggested(1), *b.launched(1)).progress) == "0 of 20 done; 1 running"
    assert str(make_summary(*b.run(1, 0.5)).progress) == "1 of 20 done: 1 completed"
    assert str(make_summary(*b.run(1, 0.5), max_jobs=None).progress) == "1 done: 1 completed"
    lowered = ev.SpecChanged(at=3, changes={"max_jobs": 1})
    more = make_summary(*b.run(1, 0.5), *b.run(2, 0.5), lowered).progress
    assert str(more) == "2 done: 2 completed"


def test_several_are_counted_side_by_side() -> None:
    several = [
        make_summary(*b.run(1, 0.5), *STOPPED).progress,
        make_summary(*b.run(1, 0.5)).progress,
    ]
    assert dict(compare_kinds(several)) == {"completed": [1, 1], "stopped early": [1, 0]}
