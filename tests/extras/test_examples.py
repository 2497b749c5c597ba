"""The examples in configs/ that need a library tune end to end, where it is installed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JOBS = 4


@pytest.mark.parametrize(
    ("name", "module", "epochs"),
    [("xgboost", "xgboost", 50), ("lightgbm", "lightgbm", 50), ("scikit-learn", "sklearn", 20)],
)
def test_an_example_tunes(tmp_path: Path, name: str, module: str, epochs: int) -> None:
    pytest.importorskip(module)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def hpt(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "hpt"), *words, "--home", str(tmp_path)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    hpt("run", f"configs/{name}.yaml", "--set", f"max_jobs={JOBS}", "--plain")
    rows = json.loads(hpt("jobs", name, "--json", "--curves"))
    assert len(rows) == JOBS
    for row in rows:
        assert row["objective_status"] == "Succeeded"
        assert all(value is not None and math.isfinite(value) for _, value in row["curve"])
        if row["training_job_status"] == "Completed":
            assert len(row["curve"]) == epochs
            assert row["final_objective_value"] == row["curve"][-1][1]
