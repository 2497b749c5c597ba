"""max_log_bytes: a log that is bounded while its training job runs."""

from __future__ import annotations

import sqlite3

from tests.acceptance.conftest import Terminal

WORDY = """
import time
for epoch in range(1, 61):
    time.sleep(0.1)
    print(f"loss={epoch}", flush=True)
    print(("x" * 99 + chr(10)) * 300, end="", flush=True)
"""
LIMIT = 1 << 18


def test_a_log_is_bounded_while_its_job_runs_and_every_value_is_read(terminal: Terminal) -> None:
    (terminal.directory / "wordy.py").write_text(WORDY)
    terminal.write_spec(
        command=f"{Terminal.python()} wordy.py --x {{x}}", max_jobs=1, max_log_bytes=LIMIT
    )
    log = terminal.log("t", 1)
    run = terminal.start("run", "t.yaml")
    terminal.wait_for_log("t", 1, "loss=20\n")
    run.kill()
    run.wait()
    terminal.wait_for_log("t", 1, "loss=30\n")
    terminal.hpt("resume", "t")
    assert log.stat().st_size > 5 * LIMIT
    assert log.stat().st_blocks * 512 <= LIMIT
    (row,) = terminal.json("jobs", "t", "--curves")
    curve = [[n, n] for n in range(1, 61)]
    assert (row["curve"], row["notes"]) == (curve, [])
    lines = terminal.hpt("logs", "t", "1").splitlines()
    assert sum("left out, by max_log_bytes" in line for line in lines) == 1
    assert (lines[0], lines[-301]) == ("loss=1", "loss=60")
    assert not any("\0" in line for line in lines)

    path = terminal.directory / ".hpt" / "t" / "journal.sqlite"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE event SET body = '{' WHERE type = 'TunerStarted'")
    connection.close()
    assert "repaired;" in terminal.hpt("doctor", "t", "--repair")
    terminal.hpt("resume", "t")
    assert terminal.json("jobs", "t", "--curves")[0]["curve"] == curve
