"""Parameters of Hydra's sweepers as specs."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.importers import import_text
from hpt_cli.importers.hydra import Sweep, parse_sweep
from hpt_cli.spec.model import TuningSpec

HEAD = "hydra:\n  sweeper:\n"
OPTUNA = f"{HEAD}    n_trials: 9\n    direction: maximize\n"


def read(value: str, head: str = OPTUNA) -> dict[str, Any]:
    fields = import_text(f"{head}    params:\n      x: {value}\n", "conf/config.yaml").fields
    TuningSpec.model_validate(fields)
    return dict(fields["hyperparameter_ranges"]["x"])


def numbers(kind: str, low: float, high: float, scaling: str = "Linear", **more: Any) -> Any:
    return {"type": kind, "min_value": low, "max_value": high, "scaling_type": scaling, **more}


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("interval(0.1, 0.5)", numbers("Continuous", 0.1, 0.5)),
        ("interval(1, 9)", numbers("Integer", 1, 9)),
        ("interval(start=1, end=9.5)", numbers("Continuous", 1, 9.5)),
        ("int(interval(-5, 5.0))", numbers("Integer", -5, 5)),
        ("tag(log, interval(1e-5, 1e-1))", numbers("Continuous", 1e-5, 0.1, "Logarithmic")),
        ("tag(a, log, interval(1, 100))", numbers("Integer", 1, 100, "Logarithmic")),
        ("range(1, 9, step=2)", numbers("Integer", 1, 9, step=2)),
        ("range(0, 1.0, 0.25)", numbers("Continuous", 0, 1, step=0.25)),
        ("choice(a, 'b, c', 1)", {"type": "Categorical", "values": ["a", "b, c", 1]}),
        ("shuffle(choice(1, 2))", {"type": "Categorical", "values": [1, 2]}),
        ("0.1, 0.2", {"type": "Categorical", "values": [0.1, 0.2]}),
        ("adam,sgd", {"type": "Categorical", "values": ["adam", "sgd"]}),
        ("choice([1,2],[3])", {"type": "Categorical", "values": ["[1,2]", "[3]"]}),
        ("choice(true, false)", {"type": "Categorical", "values": ["true", "false"]}),
    ],
)
def test_sweeps_are_ranges(value: str, made: Any) -> None:
    assert read(value) == made


def test_the_basic_sweeper_tries_all_and_leaves_out_the_stop() -> None:
    text = f"{HEAD}    params:\n      x: range(1, 9, 2)\n      y: a,b\n      z: 7\n"
    fields = import_text(text, "config.yaml").fields
    assert fields["hyperparameter_ranges"]["x"]["max_value"] == 7
    assert (fields["strategy"], fields.get("max_jobs")) == ("Grid", None)
    assert fields["static_hyperparameters"] == {"z": 7}
    assert fields["command"] == "python train.py z={z} x={x} y={y}"


def test_a_sweeper_is_a_spec() -> None:
    imported = import_text(
        f"""{OPTUNA}    n_jobs: 2
    storage: sqlite:///x.db
    sampler: {{_target_: optuna.samplers.RandomSampler, seed: 5}}
    params: {{model.lr: 'interval(0.1, 1)'}}
""",
        "config.yaml",
    )
    spec = TuningSpec.model_validate(imported.fields)
    assert (spec.objective_type, spec.strategy, spec.random_seed) == ("Maximize", "Random", 5)
    assert (spec.max_jobs, spec.max_parallel_jobs) == (9, 2)
    assert spec.command == "python train.py model.lr={model.lr}"
    assert [each.partition(":")[0] for each in imported.left_out] == ["storage"]
    fields = [field for field, _ in imported.fill_in]
    assert fields == ["command", "objective_metric_name", "metric_definitions"]


def test_the_search_space_of_hydra_1_1_is_read() -> None:
    text = f"""{HEAD}    direction: minimize
    search_space:
      x: {{type: float, low: 1e-5, high: 0.1, log: true}}
      y: {{type: int, low: 1, high: 9, step: 2}}
      z: {{type: categorical, choices: [a, b]}}
"""
    ranges = import_text(text, "config.yaml").fields["hyperparameter_ranges"]
    assert ranges["x"] == numbers("Continuous", 1e-5, 0.1, "Logarithmic")
    assert ranges["y"] == numbers("Integer", 1, 9, step=2)
    assert ranges["z"]["values"] == ["a", "b"]


def test_overrides_are_parsed() -> None:
    assert parse_sweep("tag(log, interval(1, 2))") == Sweep("tag", ("log", "interval(1, 2)"), {})
    assert parse_sweep("a(b") == "a(b"
    assert parse_sweep("[1, 2]") == "[1, 2]"
