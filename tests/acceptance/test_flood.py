"""Training jobs that print more than anybody can read at once."""

from __future__ import annotations

import signal
import sqlite3
from typing import Any

from tests.acceptance.conftest import Terminal, wait_until

FLOOD_BYTES = 10_000_000
FLOOD = f"yes 'step=1 loss=0.5' | head -c {FLOOD_BYTES}"
STEPPED: dict[str, Any] = {
    "metric_definitions": [{"name": "loss", "regex": "step={step} loss=({num})"}],
    "max_jobs": 1,
}


def write_shell_spec(terminal: Terminal, script: str, **changes: Any) -> str:
    (terminal.directory / "job.sh").write_text(script)
    return terminal.write_spec(command="sh job.sh {x}", **STEPPED | changes)


def test_ctrl_c_ends_a_tuner_that_has_much_to_read_and_the_next_one_reads_it(
    terminal: Terminal,
) -> None:
    script = f'[ "$HPT_ATTEMPT" = 1 ] && {{ {FLOOD}; sleep 100; }}; echo step=2 loss=0.25'
    run = terminal.start("run", write_shell_spec(terminal, script))
    log = terminal.log("t", 1)
    wait_until(lambda: log.exists() and log.stat().st_size == FLOOD_BYTES, "the flood")
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 130
    assert terminal.find_processes() == []
    (row,) = terminal.json("jobs", "t")
    assert row["training_job_status"] == "Stopping"
    (note,) = [each for each in row["notes"] if "unread" in each]
    assert "a resumed tuner reads them" in note
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"
    terminal.hpt("resume", "t")
    (row,) = terminal.json("jobs", "t")
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 2)
    assert row["final_objective_value"] == 0.25


def test_a_limit_ends_a_job_that_floods_and_its_neighbour_goes_on(terminal: Terminal) -> None:
    script = f'mkdir flooding && {{ {FLOOD}; sleep 100; }}; echo step=2 loss="$1"; sleep 1000'
    spec = write_shell_spec(terminal, script, max_job_runtime_seconds=2, max_jobs=3)
    terminal.hpt("run", spec)
    rows = terminal.json("jobs", "t")
    assert {row["stop_reason"] for row in rows} == {"MaxRuntimeExceeded"}
    assert all(2 <= row["training_elapsed_time_seconds"] < 60 for row in rows)


def test_a_very_long_curve_is_thinned_and_its_totals_are_exact(terminal: Terminal) -> None:
    script = "seq 60000 | sed 's/.*/step=& loss=&.5/'; echo step=60001 loss=7"
    terminal.hpt("run", write_shell_spec(terminal, script))
    (row,) = terminal.json("jobs", "t", "--curves")
    assert row["epochs"] == 60_001
    assert row["best_objective_value"] == 1.5
    assert row["final_objective_value"] == 7
    assert row["curve"][-1] == [60_001, 7]
    assert 10_000 < len(row["curve"]) < 15_000
    assert len([note for note in row["notes"] if "more than 10,000 values" in note]) == 1
    with sqlite3.connect(terminal.directory / ".hpt/t/journal.sqlite") as journal:
        (body,) = journal.execute(
            "SELECT body FROM event WHERE type = 'ValuesCounted' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    journal.close()
    assert f'"sum":{sum(range(1, 60_001)) + 30_000 + 7:.1f}' in body
