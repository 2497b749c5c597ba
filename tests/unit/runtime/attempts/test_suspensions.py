"""Which suspensions of an attempt are recorded, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpt_cli import clock
from hpt_cli.executors import Exited, Outcome, Running, launcher
from hpt_cli.runtime.attempts.suspensions import Suspensions
from hpt_cli.tuning.jobs.spans import Span

STOPPED, GOING = Running(is_suspended=True), Running()


class Story:
    """An attempt that is looked at again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.suspensions = Suspensions(directory)
        self.spans: tuple[Span, ...] = ()
        self.known: list[bool] = []

    def look(self, outcome: Outcome, *moments: float) -> Story:
        for now in moments:
            self.spans = self.suspensions.look(outcome, now)
            self.known.append(self.suspensions.are_known(now))
        return self

    def write(self, *spans: Span, boot: str = launcher.BOOT_ID) -> Story:
        (self.directory / launcher.CLAIM).write_text(f"{os.getpid()} {boot}:5")
        with open(self.directory / launcher.SUSPENDED, "a") as file:
            for since, until in spans:
                ticks = [each - clock.at_ticks(0.0) for each in (since, until)]
                file.write(f"{ticks[0]!r} {ticks[1]!r} {until!r}\n")
        return self


def test_an_attempt_that_stands_still_is_suspended_since_it_was_first_seen_so(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path).look(GOING, 100).look(STOPPED, 101, 102, 102.9)
    assert story.spans == ()
    assert story.look(STOPPED, 104, 105, 160).spans == ((101, float("inf")),)
    assert story.look(GOING, 161, 163).spans == ((101, 161),)


def test_its_launcher_knows_better_from_when_to_when(tmp_path: Path) -> None:
    now = clock.now()
    story = Story(tmp_path).look(GOING, now).look(STOPPED, now + 1, now + 9).look(GOING, now + 10)
    span = now + 0.5, now + 9.2
    assert story.write(span).look(GOING, now + 11, now + 15).spans == (pytest.approx(span),)


def test_one_that_is_slowed_down_is_not_suspended(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for at in range(100, 110):
        story.look(STOPPED, at).look(GOING, at + 0.5)
    assert story.spans == ()


def test_it_is_judged_when_it_has_gone_on_for_a_moment(tmp_path: Path) -> None:
    story = Story(tmp_path).look(GOING, 100).look(STOPPED, 101, 150).look(GOING, 151, 153)
    assert story.known == [True, False, False, False, True]


def test_what_its_launcher_has_written_is_read_now_and_then(tmp_path: Path) -> None:
    now = clock.now()
    first, second = (now + 1, now + 30), (now + 31, now + 34)
    story = Story(tmp_path).look(GOING, now + 30).write(first)
    assert story.look(GOING, now + 30.9).spans == ()
    assert story.look(GOING, now + 31).spans == (pytest.approx(first),)
    story.write(second).suspensions.look(GOING, now + 31.1, closely=True)
    both = (pytest.approx(first), pytest.approx(second))
    assert story.look(GOING, now + 31.2).spans == both


def test_all_that_its_launcher_has_written_is_read_in_the_end(tmp_path: Path) -> None:
    now = clock.now()
    story = Story(tmp_path).look(GOING, now).write((now - 9, now - 1))
    assert story.look(Exited(0, now), now + 0.1).spans == (pytest.approx((now - 9, now - 1)),)


def test_a_launcher_of_another_machine_tells_by_the_time_of_day(tmp_path: Path) -> None:
    story = Story(tmp_path).write(boot="another")
    with open(tmp_path / launcher.SUSPENDED, "a") as file:
        file.write("7.5 20.0 1000.0\n8.0 1000.0\nnan 1 2\n3")
    assert story.look(GOING, 1500).spans == ((987.5, 1000),)
