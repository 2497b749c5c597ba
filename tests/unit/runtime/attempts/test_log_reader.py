"""What attempts print is read in rounds, in a thread."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from hpt_cli.executors import Executor, Exited, Handle, Outcome, Pending, Running
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.metrics.extractors import compile_definition
from hpt_cli.metrics.thinning import Thinner
from hpt_cli.runtime.attempts import log_reader
from hpt_cli.runtime.attempts.log_reader import FollowedLog, LogReader

pytestmark = pytest.mark.usefixtures("in_time")

LOSS = compile_definition({"name": "loss", "regex": "loss=({num})"})


class Asked:
    """An executor that is only asked how attempts are doing."""

    poll_seconds = 0.01

    def __init__(self) -> None:
        self.outcome: Outcome = Running()
        self.answers = Event()
        self.answers.set()
        self.asked = Event()

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        self.asked.set()
        assert self.answers.wait(10)
        return [self.outcome for _ in handles]


def make_reader(executor: Asked, wake: Event | None = None) -> LogReader:
    return LogReader(cast(Executor, executor), wake.set if wake else lambda: None)


def follow(reader: LogReader, path: Path, job: int, text: str) -> FollowedLog:
    log = path / f"{job}.log"
    log.write_text(text)
    tail = AttemptTail([LOSS], log, path, 0, {}, thinner=Thinner())
    followed = FollowedLog(job, 1, {}, log, tail, "loss")
    reader.follow(followed)
    return followed


def test_a_long_log_is_read_in_rounds_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "ROUND_SECONDS", 60.0)
    executor = Asked()
    reader = make_reader(executor)
    count = 100_000
    flood = follow(reader, tmp_path, 1, "".join(f"loss={i}\n" for i in range(count)))
    follow(reader, tmp_path, 2, "loss=7\n")
    executor.outcome = Exited(0, 1.0)
    found, has_more = reader.read_round()
    assert has_more
    assert flood.unread > 0
    of_flood, of_other = found
    assert not of_flood.is_complete
    assert 0 < len(of_flood.observations) < count / 2
    assert [each.value for each in of_other.observations] == [7]
    assert of_other.is_complete
    while has_more:
        found, has_more = reader.read_round()
    assert found[-1].totals["loss"].count == count
    assert found[-1].is_complete
    assert reader.read_round() == ([], False)


def test_who_has_had_no_turn_is_the_first_in_the_next_round(tmp_path: Path) -> None:
    reader = make_reader(Asked())
    jobs = set(range(1, 13))
    for job in jobs:
        follow(reader, tmp_path, job, "loss=1\n" * 50_000)
    read: list[int] = []
    while not jobs <= set(read):
        found, _ = reader.read_round()
        read += [reading.job for reading in found]
    assert len(read) < 2 * len(jobs)


def test_what_is_left_running_can_print_for_ever(tmp_path: Path) -> None:
    executor = Asked()
    executor.outcome = Exited(0, 1.0)
    reader = make_reader(executor)
    followed = follow(reader, tmp_path, 1, "loss=1\n" * 30_000)
    found, has_more = reader.read_round()
    assert has_more
    for _ in range(100):
        with followed.log.open("a") as file:
            file.write("loss=2\n" * 30_000)
        found, has_more = reader.read_round()
        if not has_more:
            break
    assert found[0].is_complete
    assert found[0].totals["loss"].greatest == 1


def test_no_thread_is_waited_for(tmp_path: Path) -> None:
    executor, news = Asked(), Event()
    executor.answers.clear()  # as a file system that hangs
    reader = make_reader(executor, news)
    follow(reader, tmp_path, 1, "loss=1\n")
    reader.start()
    assert executor.asked.wait(10)
    assert reader.pop() == []
    reader.hold()
    reader.let_go()
    executor.answers.set()
    assert news.wait(10)
    (reading,) = reader.pop()
    assert [each.value for each in reading.observations] == [1]
    reader.close()


def test_a_round_waits_until_the_last_is_taken(tmp_path: Path) -> None:
    executor, news = Asked(), Event()
    executor.outcome = Exited(0, 1.0)
    reader = make_reader(executor, news)
    followed = follow(reader, tmp_path, 1, "loss=1\n" * 100_000)
    reader.start()
    assert news.wait(10)
    size = followed.tail.size
    assert followed.unread
    time.sleep(0.1)
    assert followed.tail.size == size
    found = reader.pop()
    while not found[-1].is_complete:
        assert news.wait(10)
        news.clear()
        found += reader.pop()
    reader.close()
    assert found[-1].totals["loss"].count == 100_000


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop() -> None:
    class Failing(Asked):
        def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
            raise OSError("no descriptors")

    news = Event()
    reader = make_reader(Failing(), news)
    reader.start()
    assert news.wait(10)
    with pytest.raises(OSError, match="no descriptors"):
        reader.pop()


def test_a_job_in_a_queue_is_not_silent(tmp_path: Path) -> None:
    executor = Asked()
    executor.outcome = Pending("Resources")
    reader = make_reader(executor)
    followed = follow(reader, tmp_path, 1, "")
    followed.last_output_at = 0.0
    reader.read_round()
    assert followed.looked_at == followed.last_output_at
    executor.outcome = Running()
    reader.read_round()
    assert followed.looked_at > followed.last_output_at


def test_a_flood_of_values_is_thinned_and_counted(tmp_path: Path) -> None:
    executor = Asked()
    executor.outcome = Exited(0, 1.0)
    reader = make_reader(executor)
    follow(reader, tmp_path, 1, "".join(f"loss={i}\n" for i in range(50_001)))
    readings, has_more = [], True
    while has_more:
        found, has_more = reader.read_round()
        readings += found
    values = [each.value for reading in readings for each in reading.observations]
    assert len(values) < 15_000
    assert values[-1] == 50_000
    totals = readings[-1].totals["loss"]
    assert (totals.count, totals.steps, totals.sum) == (50_001, 50_001, sum(range(50_001)))
    (note,) = [note for reading in readings for note in reading.notes]
    assert "more than 10,000 values of 'loss'" in note


def test_how_much_was_searched_for_the_objective_in_vain(tmp_path: Path) -> None:
    reader = make_reader(Asked())
    followed = follow(reader, tmp_path, 1, "nothing\nnot")
    assert followed.searched == 0
    reader.read_round()
    assert followed.searched == len("nothing\nnot")
    with followed.log.open("a") as file:
        file.write("hing\nloss=1\n")
    reader.read_round()
    assert followed.searched == len("nothing\nnot")


def test_what_is_short_for_a_while_delays_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [OSError(errno.EMFILE, "too many open files")] * 3

    class ShortAsked(Asked):
        def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
            if errors:
                raise errors.pop()
            return super().poll(handles)

    woken = Event()
    reader = make_reader(ShortAsked(), woken)
    follow(reader, tmp_path, 1, "loss=7\n")
    reader.start()
    assert woken.wait(10)
    (reading,) = reader.pop()
    reader.close()
    assert [each.value for each in reading.observations] == [7]
    assert reader.pop_delays() == ["reading is delayed: too many open files"]


def test_a_log_that_cannot_be_read_now_takes_nothing_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = make_reader(Asked())
    follow(reader, tmp_path, 1, "loss=1\n")
    short = follow(reader, tmp_path, 2, "loss=2\n")

    def fail(*, final: bool, may_go_on: object) -> list[object]:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(short.tail, "read", fail)
        (reading,), _ = reader.read_round()
        assert reading.job == 1
    found, _ = reader.read_round()
    assert [each.job for each in found] == [2]
