"""What training programs write, and how, through the real hpt."""

from __future__ import annotations

import sys
from typing import Any

from tests.acceptance.conftest import Terminal

WRITES_FILES = """
import json, os, sys, time
directory = os.environ["HPT_JOB_DIR"]
rows = []
for epoch in range(1, 5):
    rows.append(f"{epoch},{float(sys.argv[1]) / epoch:.6f}")
    with open(f"{directory}/history.csv.new", "w") as file:  # written anew each time, and renamed
        file.write("epoch,val_loss\\n" + "\\n".join(rows) + "\\n")
    os.rename(f"{directory}/history.csv.new", f"{directory}/history.csv")
    with open(f"{directory}/metrics.json", "w") as file:  # holds the latest values only
        json.dump({"epoch": epoch, "val": {"f1": 0.1 * epoch}}, file)
    time.sleep(0.3)
"""

TRUNCATES = """
import os, time
for epoch in range(1, 7):
    if epoch == 4:
        os.ftruncate(1, 0)
    print(f"epoch={epoch} loss={1 / epoch:.6f} " + "." * 100, flush=True)
    time.sleep(0.15)
"""

LONG_AND_SLOW = """
print("a" * 60000, flush=True)
for epoch in range(1, 7):
    print("x=" + "a" * 40 + "!", flush=True)
    print(f"loss={1 / epoch:.6f}", flush=True)
print("loss=0 " + "x" * 100_000, flush=True)
"""


def run_program(
    terminal: Terminal, program: str, *definitions: dict[str, str], **changes: Any
) -> dict[str, Any]:
    (terminal.directory / "program.py").write_text(program)
    spec = terminal.write_spec(
        command=f"{sys.executable} program.py {{x}}",
        metric_definitions=list(definitions),
        objective_metric_name=definitions[0]["name"],
        **{"max_jobs": 1, "max_parallel_jobs": 1, **changes},
    )
    terminal.hpt("run", spec)
    (row,) = terminal.json("jobs", "t", "--curves")
    return dict(row)


def test_a_metric_is_read_from_a_file_that_is_written_anew(terminal: Terminal) -> None:
    definition = {"name": "l", "column": "val_loss", "step": "epoch", "file": "history.csv"}
    row = run_program(terminal, WRITES_FILES, definition)
    (x,) = row["hyperparameters"].values()
    assert [step for step, _ in row["curve"]] == [1, 2, 3, 4]
    assert abs(row["final_objective_value"] - x / 4) < 1e-5


def test_a_file_that_holds_the_latest_value_only_makes_a_curve(terminal: Terminal) -> None:
    definition = {"name": "f1", "json": "val.f1", "step": "epoch", "file": "metrics.json"}
    row = run_program(terminal, WRITES_FILES, definition)
    assert row["curve"][-1] == [4, 0.4]
    assert len(row["curve"]) >= 3, "each of them stood there for 300 ms"


def test_an_output_that_is_truncated_is_read_on(terminal: Terminal) -> None:
    row = run_program(terminal, TRUNCATES, {"name": "l", "regex": "epoch={step} loss={num}"})
    assert [step for step, _ in row["curve"]] == [1, 2, 3, 4, 5, 6]


def test_neither_a_slow_regex_nor_a_long_line_stops_the_tuner(terminal: Terminal) -> None:
    row = run_program(
        terminal,
        LONG_AND_SLOW,
        {"name": "loss", "regex": "loss={num}"},
        {"name": "slow", "regex": r"x=(?:(?:a|aa)+)+b({num})"},
    )
    assert row["training_job_status"] == "Completed"
    assert row["final_objective_value"] == 0
    notes = " ".join(row["notes"])
    assert "'slow' is no longer searched for" in notes
    assert "the output has lines of more than 64 KiB" in notes
