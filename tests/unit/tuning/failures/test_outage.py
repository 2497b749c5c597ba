"""Outages, from their beginning to their end: simulated tuning jobs."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt_cli.tuning import events as ev
from hpt_cli.tuning import fold as folding
from hpt_cli.tuning.failures.history import ALIKE
from hpt_cli.tuning.failures.outage import LOST_PAUSES, PATIENCE_SECONDS
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from tests.unit.tuning.failures.simulation import Program, Run, simulate
from tests.unit.tuning.failures.simulation import resume as resume_

GOOD = Run(20)


def broken(since: float, until: float, run: Run | None = None, good: Run = GOOD) -> Program:
    """Whatever is launched between two times fails at once."""
    bad = run or Run(0.25, 1, "ImportError: libcuda.so.1")
    return lambda _, now: bad if since <= now < until else good


def in_region(share: float, seed: int, seconds: float = 0.5) -> Program:
    """A share of the jobs fails alike, quickly and always: it is their hyperparameters."""

    def run(job: TrainingJob, _: float) -> Run:
        fails = random.Random(seed * 1000 + job.number).random() < share
        line = f"CUDA out of memory: {job.number} MiB"
        return Run(seconds, 1, line) if fails else GOOD

    return run


@settings(max_examples=40)
@given(
    st.floats(60, 300),
    st.floats(5, 100),
    st.sampled_from([Run(0.25, 1, "no module"), Run(1, None), Run(2, 137, "")]),
    st.integers(1, 8),
)
def test_what_is_mended_costs_nothing(since: float, lasts: float, run: Run, parallel: int) -> None:
    story = simulate(broken(since, since + lasts, run), max_parallel_jobs=parallel, max_jobs=60)
    end = story.run()
    assert end is not None
    assert end.status == "Completed"
    if story.list_kind(ev.LaunchingPaused):
        assert story.phases() == {"Completed": 60}
    assert story.phases().get("Failed", 0) < ALIKE
    assert folding.fold_all(TuningState(), story.events) == story.state


@settings(max_examples=40)
@given(st.sampled_from([Run(0.25, 1, "no module"), Run(1, None)]), st.integers(1, 8))
def test_what_is_never_mended_fails_the_tuning_job_and_spares_its_budget(
    run: Run, parallel: int
) -> None:
    story = simulate(broken(65, 1e9, run), max_parallel_jobs=parallel, max_jobs=80)
    end = story.run()
    assert end is not None
    assert end.status == "Failed"
    assert "the surroundings are at fault" in end.reason
    assert len(story.state.jobs) <= story.phases()["Completed"] + 5 + parallel + 6
    assert 65 + PATIENCE_SECONDS < story.now < 65 + 2 * PATIENCE_SECONDS
    # It is mended only now.
    again = resume_(story, broken(0, 0))
    end = again.run()
    assert end is not None
    assert (end.status, again.phases()) == ("Completed", {"Completed": 80})


def test_what_is_resumed_before_it_is_mended_costs_little() -> None:
    story = simulate(broken(65, 1e9))
    story.run()
    tried = len(story.state.jobs)
    again = resume_(story)
    end = again.run()
    assert end is not None
    assert end.status == "Failed"
    assert len(again.state.jobs) <= tried + 11
    last = resume_(again, broken(0, 0))
    last.run()
    assert last.phases() == {"Completed": 40}


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 4), st.floats(1, 5))
def test_a_busy_machine_changes_nothing(seed: int, parallel: int, slowness: float) -> None:
    """Jobs are short, and a failure may take longer than a job."""

    def run(job: TrainingJob, now: float) -> Run:
        noise = random.Random(f"{seed} {job.number} {len(job.attempts)}").uniform(0, slowness)
        return Run(0.25 + noise, 1, "no module") if now > 30 else Run(0.75 + noise / 2)

    story = simulate(run, max_parallel_jobs=parallel, max_jobs=400)
    end = story.run()
    assert end is not None
    assert (end.status, len(story.list_kind(ev.LaunchingResumed))) == ("Failed", 0)
    assert story.phases()["Failed"] < 100


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_region_that_always_fails_does_not_end_the_search(seed: int, share: float) -> None:
    program = in_region(share, seed)
    story = simulate(program, max_jobs=60)
    end = story.run()
    assert end is not None
    if end.reason.startswith("all of the first"):
        return
    assert end.status == "Completed"
    own = [job for job in story.state.jobs.values() if program(job, 0).exit_code]
    assert {job.phase for job in own} <= {"Failed"}
    assert len(own) + story.phases()["Completed"] == 60
    assert story.count_attempts() <= 60 + 4 * len(story.list_kind(ev.LaunchingPaused))


def test_a_cluster_in_a_region_that_fails_is_left_again() -> None:
    """What an optimizer does that has found a good place which is too large for the memory."""

    def run(job: TrainingJob, _: float) -> Run:
        return Run(0.5, 1, "CUDA out of memory") if 10 <= job.number < 18 else GOOD

    story = simulate(run)
    end = story.run()
    assert end is not None
    assert (end.status, story.phases()) == ("Completed", {"Completed": 32, "Failed": 8})
    assert len(story.list_kind(ev.LaunchingPaused)) == 1


def test_slow_failures_and_different_ones_are_the_jobs_own() -> None:
    slow = simulate(broken(65, 1e9, Run(15, 1, "loss is nan")))
    slow.run()
    assert slow.list_kind(ev.LaunchingPaused) == []

    def differ(job: TrainingJob, now: float) -> Run:
        words = ["apple", "pear", "plum"][job.number % 3]
        return Run(0.25, 1, words) if now > 65 else GOOD

    different = simulate(differ)
    different.run()
    assert different.list_kind(ev.LaunchingPaused) == []


def test_what_ran_when_it_broke_runs_again_too() -> None:
    """A driver is gone: the running jobs die of it after a long time, and the next at once."""

    def run(job: TrainingJob, now: float) -> Run:
        if 65 <= now < 75:
            return Run(0.25, 1, "no driver")
        return Run(65 - now, 1, "CUDA error: unknown") if now < 65 < now + 20 else GOOD

    story = simulate(run)
    story.run()
    assert story.phases() == {"Completed": 40}


def test_other_slots_go_on_meanwhile() -> None:
    """What is launched on one of two slots fails; the other has a long job, and then works."""

    def run(job: TrainingJob, now: float) -> Run:
        if job.number == 7:
            return Run(200)
        return Run(0.25, 1, "no device") if 60 < now < 150 else GOOD

    story = simulate(run)
    end = story.run()
    assert end is not None
    assert story.phases() == {"Completed": 40}
    assert len(story.state.jobs[7].attempts) == 1


@pytest.mark.parametrize("max_jobs", [13, 14, 17])
def test_an_outage_near_the_end_of_the_budget_does_not_spend_it(max_jobs: int) -> None:
    story = simulate(broken(65, 1e9), max_jobs=max_jobs)
    end = story.run()
    assert end is not None
    assert (end.status, "the surroundings are at fault" in end.reason) == ("Failed", True)
    assert story.now > 65 + PATIENCE_SECONDS
    # Not mended yet: each tuner tries one, and leaves the others to the next.
    for _ in range(3):
        attempts = story.count_attempts()
        story = resume_(story)
        end = story.run()
        assert end is not None
        assert end.status == "Failed"
        assert story.count_attempts() > attempts
    again = resume_(story, broken(0, 0))
    end = again.run()
    assert end is not None
    assert (end.status, again.phases()) == ("Completed", {"Completed": max_jobs})


@pytest.mark.parametrize("until", [75, 75 + PATIENCE_SECONDS / 2])
def test_an_outage_near_the_end_is_waited_for_as_any_other(until: float) -> None:
    mended = simulate(broken(65, until), max_jobs=13)
    mended.run()
    assert mended.phases() == {"Completed": 13}


def test_an_outage_of_the_very_last_jobs_is_one() -> None:
    """All of them were launched before the first failed."""
    story = simulate(broken(40, 50), max_jobs=18, max_parallel_jobs=6)
    end = story.run()
    assert end is not None
    assert (end.status, story.phases()) == ("Completed", {"Completed": 18})


def test_one_job_alone_may_have_a_fault_of_its_own() -> None:
    """It is lost again and again, with pauses, and is Failed then."""

    def run(job: TrainingJob, _: float) -> Run:
        return Run(0.25, None) if job.number == 9 else GOOD

    story = simulate(run, max_jobs=9)
    end = story.run()
    assert end is not None
    assert end.status == "Completed"
    assert story.phases() == {"Completed": 8, "Failed": 1}
    starts = [each.submitted_at for each in story.state.jobs[9].attempts]
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert [pause >= least for pause, least in zip(pauses, LOST_PAUSES, strict=True)] == [True] * 2


def test_the_first_five_end_it_as_without_an_outage() -> None:
    story = simulate(broken(0, 1e9))
    end = story.run()
    assert end is not None
    assert end.reason.startswith("all of the first 5 training jobs failed")
    assert story.now < 10
    # The next tuner counts afresh.
    again = resume_(story, broken(0, 0))
    end = again.run()
    assert end is not None
    assert (end.status, again.phases()) == ("Completed", {"Completed": 35, "Failed": 5})


def test_an_outage_ends_with_an_interruption_and_is_remembered() -> None:
    story = simulate(broken(65, 1e9))
    assert story.run(until=90) is None
    again = resume_(story, broken(0, 0))
    again.run()
    assert again.phases() == {"Completed": 40}
