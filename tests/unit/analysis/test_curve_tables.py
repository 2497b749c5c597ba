"""Curve tables: reading them, and replaying them."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.analysis.curve_tables import make_chooser, make_spec, read_table, replay_table
from hpt_cli.analysis.replay import Replay, average, replay
from hpt_cli.cli.commands.replay import read_rules
from hpt_cli.errors import UsageError
from hpt_cli.stop_rules import STOP_RULES, load_stop_rule


def write_table(path: Path, **header: Any) -> str:
    """Twelve jobs of four epochs: job n ends with n / 10, and the last diverges."""
    x = {"type": "Integer", "min_value": 1, "max_value": 12}
    fields = {
        "table": "tiny",
        "objective_type": "Maximize",
        "objective_metric_name": "accuracy",
        "hyperparameter_ranges": {"x": x, "y": {"type": "Categorical", "values": ["a", "b"]}},
    }
    rows: list[dict[str, Any]] = [
        {
            "hyperparameters": {"x": n, "y": "a"},
            "curve": [n / 40, n / 30, n / 20, n / 10],
            "seconds": 2.0,
        }
        for n in range(1, 12)
    ]
    rows.append({"hyperparameters": {"x": 12, "y": "a"}, "curve": [0.1, None, None, None]})
    lines = [json.dumps(each) for each in (fields | header, *rows)]
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        file.write("\n".join(lines))
    return str(path)


@pytest.fixture(params=["tiny.jsonl", "tiny.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    write_table(path)
    return path


def test_a_table_is_read_plain_or_gzipped(path: Path) -> None:
    table = read_table(path)
    assert (table.name, len(table.jobs), table.objective.maximize) == ("tiny", 12, True)
    assert table.jobs[0].curve == ((1, 1 / 40), (2, 1 / 30), (3, 1 / 20), (4, 1 / 10))
    assert (table.jobs[0].seconds, table.jobs[11].seconds) == (2, 4)
    assert table.final_losses[-2:] == [-1.1, math.inf]
    near, far = table.encode({"x": 1, "y": "a"}), table.encode({"x": 1, "y": "b"})
    assert math.dist(near, far) == pytest.approx(1), "a categorical that differs counts 1"


def rows_of(run: Replay) -> list[Any]:
    return [job.hyperparameters["x"] for job in run.jobs]


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_each_seed_tries_other_rows_and_no_row_twice(path: Path, strategy: Any) -> None:
    table = read_table(path)
    spec = make_spec(table, strategy, jobs=6, parallel=2)
    drawn = []
    for seed in (0, 0, 1):
        seeded = spec.model_copy(update={"random_seed": seed})
        drawn.append(rows_of(replay(seeded, make_chooser(table, seeded), None)))
    assert drawn[0] == drawn[1] != drawn[2]
    for rows in drawn:
        assert len(rows) == len(set(rows)) == 6


def test_a_table_can_be_used_up(path: Path) -> None:
    table = read_table(path)
    run = replay(spec := make_spec(table, "Random", 12, 3), make_chooser(table, spec), None)
    assert sorted(rows_of(run)) == list(range(1, 13))


def test_parallel_curves_lose_nothing(path: Path) -> None:
    table, rules = read_table(path), read_rules([])
    assert list(rules) == list(STOP_RULES)
    spec = make_spec(table, "Random", 10, 2)
    by_seed = [replay_table(table, spec, list(rules.values()), seed) for seed in range(5)]
    for figures in map(average, zip(*by_seed, strict=True)):
        assert 0 <= figures.epochs_saved < 1
        assert 0 <= figures.tuning_time_saved < 1
        assert (figures.kept_best, figures.loss) == (1, 0)
    asha = average([each[list(rules).index("asha")] for each in by_seed])
    assert asha.epochs_saved > 0.2
    assert asha.jobs_stopped > 2


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    for text in (
        "",
        "no table",
        "[1]",
        '{"objective_type": "Best", "objective_metric_name": "a"}',
        '{"objective_type": "Minimize", "objective_metric_name": "a"}\n{"curve": [1]}',
        '{"objective_type": "Minimize", "objective_metric_name": "a"}\n{"hyperparameters": {},'
        ' "curve": []}',
        '{"objective_type": "Minimize", "objective_metric_name": "a"}\n{"hyperparameters": {},'
        ' "curve": [1], "seconds": NaN}',
    ):
        bad.write_text(text)
        with pytest.raises(UsageError, match="is not a curve table"):
            read_table(bad)
    with pytest.raises(UsageError, match="No such file"):
        read_table(tmp_path / "none.jsonl")
    unzipped = tmp_path / "bad.jsonl.gz"
    unzipped.write_text("{}")
    with pytest.raises(UsageError, match="Not a gzipped file"):
        read_table(unzipped)


def test_what_a_table_cannot_do(tmp_path: Path) -> None:
    table = read_table(Path(write_table(tmp_path / "bare.jsonl", hyperparameter_ranges={})))
    with pytest.raises(UsageError, match="--jobs 13: tiny only has 12"):
        make_spec(table, "Random", 13, 2)
    with pytest.raises(UsageError, match="no hyperparameter_ranges to search"):
        make_spec(table, "Bayesian", 4, 2)


def test_rules_with_parameters() -> None:
    text = "median:min_completed_jobs=5,min_epochs=2"
    rule = read_rules([text, "threshold:worst_loss=-0.5"])[text]
    assert rule == load_stop_rule("median", min_completed_jobs=5, min_epochs=2)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("medain", "did you mean 'median'?"),
        ("median:min_epoch=3", "did you mean 'min_epochs'?"),
        ("median:min_epochs", "RULE:PARAMETER=NUMBER"),
        ("auto:risk=-1", ""),
    ],
)
def test_rules_that_are_none(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rules([text])
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"--rule {text}: ")
    assert hint in problem.hint
