"""max_log_bytes: a log that grows beyond it is warned of; logs that earlier versions trimmed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.acceptance.conftest import Terminal

WORDY = """
import time
for epoch in range(1, 31):
    print(f"loss={epoch}", flush=True)
    print(("x" * 99 + chr(10)) * 300, end="", flush=True)
    time.sleep(0.1)
"""
LIMIT = 1 << 18
CURVE = [[n, n] for n in range(1, 31)]


def write_spec(terminal: Terminal) -> Path:
    """Write the spec of a job whose log grows longer than it may, and return its log."""
    (terminal.directory / "wordy.py").write_text(WORDY)
    terminal.write_spec(
        command=f"{Terminal.python()} wordy.py --x {{x}}", max_jobs=1, max_log_bytes=LIMIT
    )
    return terminal.log("t", 1)


def trim(log: Path) -> None:
    """Give up the middle of a log, as version 0.1 did."""
    size = log.stat().st_size
    begin, end = LIMIT // 4, size - LIMIT // 2
    end -= end % 4096
    whole = log.read_bytes()
    with log.open("r+b") as file:
        file.truncate(begin)
        file.seek(end)
        file.write(whole[end:])
    state = {"offset": end, "skips": False, "counts": [26], "told_steps": [None], "headers": [None]}
    gap = {"begin": begin, "end": end, "position": end, "anchor": "", "bookmark": state}
    log.with_suffix(".gap").write_text(json.dumps(gap))


def test_a_log_that_grows_too_long_is_kept_and_warned_of_once(terminal: Terminal) -> None:
    log = write_spec(terminal)
    run = terminal.start("run", "t.yaml")
    terminal.wait_for_log("t", 1, "loss=5\n")
    run.kill()
    run.wait()
    terminal.hpt("resume", "t")
    assert log.stat().st_size > 3 * LIMIT
    (row,) = terminal.json("jobs", "t", "--curves")
    assert (row["curve"], row["notes"]) == (CURVE, [])
    warnings = terminal.json("show", "t")["warnings"]
    (warning,) = [each for each in warnings if each["slug"] == "log-too-long"]
    assert "t-0001 has printed" in warning["message"]
    assert len(terminal.hpt("logs", "t", "1").splitlines()) == 30 * 301


def test_a_log_that_an_earlier_version_trimmed_is_shown_and_repaired(terminal: Terminal) -> None:
    log = write_spec(terminal)
    terminal.hpt("run", "t.yaml")
    trim(log)
    lines = terminal.hpt("logs", "t", "1").splitlines()
    assert (lines[0], lines[-301]) == ("loss=1", "loss=30")
    assert not any("\0" in line for line in lines)

    connection = sqlite3.connect(terminal.directory / ".hpt" / "t" / "journal.sqlite")
    with connection:
        connection.execute("UPDATE event SET body = '{' WHERE type = 'TunerStarted'")
    connection.close()
    assert "repaired;" in terminal.hpt("doctor", "t", "--repair")
    terminal.hpt("resume", "t")
    assert terminal.json("jobs", "t", "--curves")[0]["curve"] == CURVE
