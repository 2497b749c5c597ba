"""The heartbeat of a tuner."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hpt_cli.runtime import heartbeat
from hpt_cli.runtime.heartbeat import Heartbeat, read_heartbeat, write_heartbeat


def test_it_says_again_and_again_until_when_the_tuner_lived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    path = tmp_path / "heartbeat"
    assert read_heartbeat(path) is None
    since = time.time()
    with Heartbeat(path, time.time):
        while (read_heartbeat(path) or 0.0) < since + 0.05:
            assert time.time() < since + 10
            time.sleep(0.01)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_later_time_takes_no_more_room(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    for at in (99999.5, 5.25, 1795532711.4462552):
        write_heartbeat(path, at)
        assert read_heartbeat(path) == pytest.approx(at, abs=0.001)
        assert path.stat().st_size == 21


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "1e12", "1\x00"])
def test_what_is_no_time_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heartbeat"
    path.write_text(text)
    assert read_heartbeat(path) is None


def test_a_tuner_works_without_one(tmp_path: Path) -> None:
    write_heartbeat(tmp_path / "gone" / "heartbeat", 1.0)
    os.mkfifo(tmp_path / "pipe")
    assert read_heartbeat(tmp_path / "pipe") is None


class Times:
    """The clocks of a process: the time of day, and its time on processors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.spent = 100.0
        monkeypatch.setattr(time, "process_time", lambda: self.spent)

    def read(self) -> float:
        return self.now


def test_a_tick_that_comes_late_says_when_the_tuner_was_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    beat = Heartbeat(tmp_path / "heartbeat", times.read)
    for at in (101, 102.5, 130, 132.9):
        times.now = at
        assert beat.tick() == at
    assert beat.pop_suspensions() == [(102.5, 130)]
    assert beat.pop_suspensions() == []


def test_a_tuner_that_was_busy_was_not_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    beat = Heartbeat(tmp_path / "heartbeat", times.read)
    times.now, times.spent = 130, 120
    beat.tick()
    times.now, times.spent = 160, 122
    beat.tick()
    assert beat.pop_suspensions() == [(130, 160)]
