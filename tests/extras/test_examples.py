"""The examples and guides that need a library tune end to end, where it is installed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.guides import ROOT, run_hpt, tune_guide

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


def test_the_guide_to_xgboost_tunes_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    tune_guide("xgboost", tmp_path)
