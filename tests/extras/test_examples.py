"""The examples and guides that need a library tune end to end, where it is installed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guides import write_guide

ROOT = Path(__file__).parents[2]
JOBS = 4


@pytest.mark.parametrize(
    ("name", "module", "epochs"),
    [("xgboost", "xgboost", 50), ("lightgbm", "lightgbm", 50), ("scikit-learn", "sklearn", 20)],
)
def test_an_example_tunes(tmp_path: Path, name: str, module: str, epochs: int) -> None:
    pytest.importorskip(module)
    home = ("--home", str(tmp_path))
    run_hpt(ROOT, "run", f"configs/{name}.yaml", "--set", f"max_jobs={JOBS}", "--plain", *home)
    rows = json.loads(run_hpt(ROOT, "jobs", name, "--json", "--curves", *home))
    assert len(rows) == JOBS
    for row in rows:
        assert row["objective_status"] == "Succeeded"
        assert all(value is not None and math.isfinite(value) for _, value in row["curve"])
        if row["training_job_status"] == "Completed":
            assert len(row["curve"]) == epochs
            assert row["final_objective_value"] == row["curve"][-1][1]


@pytest.mark.parametrize(
    ("guide", "module"),
    [("xgboost", "xgboost"), ("keras", "keras"), ("pytorch", "torch"), ("lightning", "lightning")],
)
def test_a_guide_tunes_what_it_says(tmp_path: Path, guide: str, module: str) -> None:
    pytest.importorskip(module)
    name = write_guide(guide, tmp_path)
    run_hpt(tmp_path, "run", "spec.yaml", "--set", "max_jobs=2", "--plain")
    for row in json.loads(run_hpt(tmp_path, "jobs", name, "--json")):
        assert row["objective_status"] == "Succeeded"
        assert row["epochs"] > 2


def run_hpt(directory: Path, *words: str) -> str:
    """What hpt prints in a directory."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "hpt"), *words],
        cwd=directory,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
