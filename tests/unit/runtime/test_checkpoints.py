"""Which checkpoints are deleted, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from threading import Event

import pytest

from hpt_cli.runtime.checkpoints import CheckpointKeeper, list_superfluous
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.jobs.training_job import TrainingJob
from tests import builders as b

pytestmark = pytest.mark.usefixtures("in_time")


def state_of(*events: ev.Event, **changes: object) -> Mapping[int, TrainingJob]:
    return b.fold_all(*b.created(b.make_spec(**changes)), *events).jobs.ended


def failed(number: int, value: float) -> list[ev.Event]:
    start = [*b.suggested(number), *b.launched(number)]
    return [*start, b.observed(number, value), b.exited(number, 1)]


def stopped(number: int, value: float) -> list[ev.Event]:
    start = [*b.suggested(number), *b.launched(number), b.observed(number, value)]
    return [*start, b.stop(number), b.exited(number, -15)]


def test_the_best_are_kept_whichever_way_is_better() -> None:
    jobs = [*b.run(1, 5.0), *b.run(2, 1.0), *b.run(3, 3.0)]
    assert list_superfluous(b.make_spec(), state_of(*jobs), 2) == [1]
    most = b.make_spec(objective_type="Maximize")
    assert list_superfluous(most, state_of(*jobs), 1) == [3, 2]


def test_the_one_that_is_shown_as_the_best_wins_a_tie() -> None:
    jobs = [*stopped(1, 1.0), *b.run(2, 1.0), *b.run(3, 1.0)]
    assert list_superfluous(b.make_spec(), state_of(*jobs), 1) == [3, 1]


def test_with_repeats_the_best_of_each_of_the_best_configurations_is_kept() -> None:
    repeats = {"count": 3, "seed": "seed"}
    spec = b.make_spec(command="train --x {x} --seed {seed}", repeats=repeats)
    # The third configuration has the best single result, and the second the best mean.
    losses = {(1, 1): 2.0, (2, 1): 1.1, (2, 2): 1.0, (2, 3): 1.2, (3, 1): 0.9, (3, 2): 1.9}
    events = [
        event
        for number, ((x, seed), loss) in enumerate(losses.items(), 1)
        for event in b.run(number, loss, x=x, seed=seed)
    ]
    ended = b.fold_all(*b.created(spec), *events).jobs.ended
    assert list_superfluous(spec, ended, 1) == [5, 1, 2, 6, 4]
    assert list_superfluous(spec, ended, 2) == [1, 2, 6, 4]


def test_what_may_run_again_is_kept_and_what_has_no_result_goes_first() -> None:
    jobs = [*b.run(1), *failed(2, 9.0), *b.run(3, math.nan), *b.run(4, 7.0), *b.run(5, 8.0)]
    running = [*b.suggested(6), *b.launched(6)]
    ended = state_of(*jobs, *running)
    assert list_superfluous(b.make_spec(), ended, 2) == [1, 3]
    assert list_superfluous(b.make_spec(), ended, 3) == [3]


class Kept:
    """A tuning job of three training jobs, the first of which is the best."""

    def __init__(self, path: Path) -> None:
        self.spec = b.make_spec(keep_checkpoints=1)
        events = [*b.run(1, 1.0), *b.run(2, 2.0), *b.run(3, 3.0)]
        self.state = b.fold_all(*b.created(self.spec), *events)
        self.jobdir = JobDir(path / "story")
        for number in (1, 2, 3):
            self.jobdir.make_training_job(number)
            self.write(number)
        self.woken = Event()
        self.keeper = CheckpointKeeper(self.jobdir, self.woken.set)

    def write(self, number: int) -> Path:
        path = self.jobdir.checkpoints(number) / "epoch-1" / "weights"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(5000))
        return path

    def delete(self) -> list[str]:
        self.keeper.keep_best(self.spec, self.state)
        assert self.keeper.is_busy
        assert self.woken.wait(10)
        return self.keeper.pop_notes()

    def list_kept(self) -> list[int]:
        return [number for number in (1, 2, 3) if (self.jobdir.checkpoints(number)).exists()]


def test_checkpoints_are_deleted_once_and_told_of(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    notes = kept.delete()
    assert kept.list_kept() == [1]
    assert [note.partition(" (")[0] for note in notes] == [
        "story-0002: deleted its checkpoints",
        "story-0003: deleted its checkpoints",
    ]
    assert "as it is not among the best 1 (keep_checkpoints)" in notes[0]
    kept.keeper.keep_best(kept.spec, kept.state)
    assert not kept.keeper.is_busy
    # A later tuner has nothing to say of it.
    kept.woken.clear()
    kept.keeper = CheckpointKeeper(kept.jobdir, kept.woken.set)
    assert kept.delete() == []


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("precious")
    (kept.jobdir.checkpoints(2) / "link").symlink_to(outside)
    checkpoints = kept.jobdir.checkpoints(3)
    checkpoints.rename(tmp_path / "scratch")
    checkpoints.symlink_to(tmp_path / "scratch")
    notes = kept.delete()
    assert (outside / "data").read_text() == "precious"
    assert (tmp_path / "scratch" / "epoch-1" / "weights").exists()
    assert not kept.jobdir.checkpoints(2).exists()
    assert notes[1].startswith("story-0003: a symbolic link leads to ")


def test_where_all_jobs_are_behind_a_link_nothing_is_deleted(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    jobs = kept.jobdir.path / "jobs"
    jobs.rename(tmp_path / "scratch")
    jobs.symlink_to(tmp_path / "scratch")
    assert len(kept.delete()) == 1
    assert kept.list_kept() == [1, 2, 3]


def test_a_home_behind_a_link_is_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    kept = Kept(tmp_path / "home")
    kept.delete()
    assert kept.list_kept() == [1]
