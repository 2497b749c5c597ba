"""Many training jobs, of which almost all have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.tuning.jobs.index import Jobs
from hpt_cli.tuning.state import forget_curve, forget_curves
from tests import builders as b


@dataclass(frozen=True)
class Job:
    number: int
    phase: str

    @property
    def has_ended(self) -> bool:
        return self.phase in ("Completed", "Failed")


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(["Training", "Completed", "Failed", "gone"]))
    )
)
def test_they_are_a_mapping_whatever_happens_to_them(steps: list[tuple[int, str]]) -> None:
    jobs: Jobs[Job] = Jobs()
    expected: dict[int, Job] = {}
    for number, phase in steps:
        before, copy = jobs, dict(jobs)
        if phase == "gone":
            jobs = jobs.drop(number)
            expected.pop(number, None)
        else:
            jobs = jobs.put(Job(number, phase))
            expected[number] = Job(number, phase)
        assert dict(before) == copy, "what was is not changed"
    assert jobs == expected
    assert list(jobs) == sorted(expected)
    assert [job.number for job in jobs.open] == sorted(
        number for number, job in expected.items() if not job.has_ended
    )
    for phase in ("Completed", "Failed"):
        assert jobs.count(phase) == sum(job.phase == phase for job in expected.values())


def test_what_is_derived_is_computed_again_only_when_another_job_ends() -> None:
    asked = []

    def count(ended: Mapping[int, Job]) -> int:
        asked.append(len(ended))
        return len(ended)

    jobs = Jobs([Job(1, "Completed")])
    for number in (2, 3):
        jobs = jobs.put(Job(number, "Training"))
        assert jobs.cached("count", count) == 1
    assert asked == [1]
    assert jobs.put(Job(2, "Failed")).cached("count", count) == 2
    assert jobs.cached("count", count) == 1
    assert asked == [1, 2]


def test_what_accumulates_counts_each_job_once_in_the_order_in_which_they_ended() -> None:
    added = []

    def add(numbers: tuple[int, ...], job: Job) -> tuple[int, ...]:
        added.append(job.number)
        return (*numbers, job.number)

    begun = []

    def begin() -> tuple[int, ...]:
        begun.append(1)
        return ()

    def cached_fold(jobs: Jobs[Job]) -> tuple[int, ...]:
        return jobs.cached_fold("numbers", begin, add)

    before = Jobs([Job(number, "Training") for number in (1, 2, 3)])
    assert cached_fold(before) == ()
    jobs = before.put(Job(2, "Completed"))
    assert cached_fold(jobs) == (2,)
    jobs = jobs.put(Job(1, "Failed"))
    later = jobs.put(Job(3, "Failed"))
    assert cached_fold(later) == (2, 1, 3)
    assert added == [2, 1, 3]
    assert begun == [1]
    assert cached_fold(jobs) == (2, 1)
    assert cached_fold(before) == ()
    assert cached_fold(before.put(Job(3, "Failed"))) == (3,)
    again = later.put(Job(1, "Completed"))
    assert cached_fold(again) == (2, 3, 1)
    assert cached_fold(later.drop(2)) == (1, 3)


def test_what_is_recalled_belongs_to_the_job_itself() -> None:
    jobs = Jobs([Job(1, "Completed")])
    other = jobs.put(Job(1, "Failed"))
    assert jobs.cached_per_job("phase", jobs[1], lambda job: job.phase) == "Completed"
    assert other.cached_per_job("phase", other[1], lambda job: job.phase) == "Failed"
    assert jobs.cached_per_job("phase", jobs[1], lambda job: job.phase) == "Completed"


def test_a_tuner_keeps_the_objective_and_the_last_of_other_metrics() -> None:
    state = b.fold_all(*b.created(b.make_spec()), *b.run(1, 3.0, 2.0, 1.0))
    for forget in (forget_curve, lambda state, kept, _: forget_curves(state, kept, [1])):
        for kept in ({"loss"}, {"loss", "other"}):
            assert forget(state, kept, 1).jobs[1].curve("loss") == ((1, 3), (2, 2), (3, 1))
        assert forget(state, {"other"}, 1).jobs[1].curve("loss") == ((3, 1),)
