"""Which checkpoints are kept (`keep_checkpoints`), through the real hpt."""

from __future__ import annotations

import signal
import sys
from typing import Any

from tests.acceptance.conftest import Terminal

TRAIN = """
import os, sys, time
x, kept = float(sys.argv[1]), os.path.join(os.environ["HPT_CHECKPOINT_DIR"], "weights")
went_on = os.path.exists(kept)
open(kept, "w").write("weights")
print(f"loss={x}", flush=True)
while x == 5 and not went_on:
    time.sleep(0.02)
sys.exit(x == 4 and not went_on)
"""


def write_spec(terminal: Terminal, **changes: Any) -> str:
    (terminal.directory / "keep.py").write_text(TRAIN)
    fields: dict[str, Any] = {
        "command": f"{sys.executable} keep.py {{x}}",
        "hyperparameter_ranges": {"x": {"type": "Integer", "min_value": 1, "max_value": 5}},
        "initial_hyperparameters": [{"x": x} for x in (2, 4, 3, 1, 5)],
        "max_jobs": 5,
        "max_parallel_jobs": 1,
        "keep_checkpoints": 2,
    }
    return terminal.write_spec(**fields | changes)


def list_kept(terminal: Terminal) -> list[int]:
    found = (terminal.directory / ".hpt" / "t" / "jobs").glob("*/checkpoints/weights")
    return sorted(int(path.parts[-3]) for path in found)


def test_the_best_and_what_may_run_again_keep_their_checkpoints(terminal: Terminal) -> None:
    run = terminal.start("run", write_spec(terminal))
    terminal.wait_for_log("t", 5, "loss=5")
    run.send_signal(signal.SIGINT)
    run.wait(60)
    # 2 is Failed, and 5 was interrupted.
    assert list_kept(terminal) == [1, 2, 4, 5]
    log = terminal.hpt("logs", "t", "--tuner")
    assert "t-0003: deleted its checkpoints" in log
    terminal.hpt("resume", "t", "--retry-failed")
    rows = terminal.json("jobs", "t")
    assert [row["training_job_status"] for row in rows] == ["Completed"] * 5
    assert list_kept(terminal) == [1, 4]
    assert terminal.json("best", "t")["training_job_number"] == 4
