"""The tuner's log."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from hpt_cli.live import tuner_log
from hpt_cli.live.output import Output
from hpt_cli.live.tuner_log import TunerLog
from tests import builders as b


def test_the_log_says_what_happens_and_when(tmp_path: Path) -> None:
    path = tmp_path / "tuner.log"
    events = [*b.created(b.make_spec(max_jobs=9)), *b.run(1, 3.0, 2.0)]
    for _ in range(2):
        with TunerLog(path) as log:
            log.show(b.fold_all(*events), events, 20.0)
            log.write("a message\x1b[2J\nof two lines", 20.0)
    lines = path.read_text().splitlines()
    assert len(lines) == 10, "two sessions"
    assert re.fullmatch(r"19\d\d-\d\d-\d\d \d\d:\d\d:\d\d tuning story", lines[0])
    assert lines[2].endswith("story-0001 Completed after 2 epochs, 1.0 s: loss = 2 ★ best so far")
    assert "\x1b" not in lines[3]
    assert lines[4] == f"{'':20}of two lines"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_found_again_after_a_kill_is_not_said_again(tmp_path: Path) -> None:
    """What the killed tuner had seen and not written; what happens again is said again."""
    path = tmp_path / "tuner.log"
    recorded = [*b.created(b.make_spec()), *b.suggested(1), *b.launched(1, at=10)]
    seen = [b.observed(1, 3.0, at=11), b.exited(1, 1, at=12)]
    with TunerLog(path) as log:
        log.show(b.fold_all(*recorded), recorded, 10.0)
        log.show(b.fold_all(*recorded, *seen), seen, 12.0)
    before = path.read_text()
    assert "Failed: exit code 1" in before
    with TunerLog(path, recorded_until=10.0) as log:
        log.show(b.fold_all(*recorded, *seen), seen, 99.0)
        assert path.read_text() == before
        log.show(b.fold_all(*recorded, *seen), seen, 100.0)
    assert path.read_text().count("Failed: exit code 1") == 2


def test_the_log_says_what_is_wrong_with_the_screen(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")

    def write(data: memoryview) -> int:
        if error.errno:
            raise error
        return len(data)

    screen = Output("the terminal", write)
    path = tmp_path / "tuner.log"
    state = b.fold_all(*b.created(b.make_spec()))
    with TunerLog(path, [screen]) as log:
        for errno_, text in ((errno.ENOSPC, "one"), (0, "two"), (errno.EPIPE, "three")):
            error.errno = errno_
            print(text, file=screen)
            screen.drain()
            log.show(state, [], 20.0)
            log.show(state, [], 21.0)
    assert [line[20:] for line in path.read_text().splitlines()] == [
        "the terminal cannot be written (No space left on device); the tuner goes on without it",
        "the terminal is written again",
        "the terminal is gone (No space left on device); the tuner goes on without it",
    ]


def test_a_long_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner_log, "MAX_BYTES", 3)
    path = tmp_path / "tuner.log"
    for data in (b"one\n", b"two\n", b"three\n", b"four\n"):
        assert tuner_log.append(path, memoryview(data)) == len(data)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "tuner.log.1": "three\n",
        "tuner.log": "four\n",
    }


def test_a_log_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    with TunerLog(tmp_path / "gone" / "tuner.log") as log:
        log.write("one", 1.0)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with TunerLog(tmp_path / "link") as log:
        log.write("one", 1.0)
    assert not (tmp_path / "target").exists()
