"""W&B sweeps as specs."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.importers import import_text
from hpt_cli.spec.model import TuningSpec

HEAD = "program: train.py\nmethod: bayes\nmetric: {name: val_loss}\n"


def read(parameter: str) -> dict[str, Any]:
    fields = import_text(f"{HEAD}parameters: {{x: {{{parameter}}}}}", "s.yaml").fields
    TuningSpec.model_validate(fields)
    return dict(fields["hyperparameter_ranges"]["x"])


@pytest.mark.parametrize(
    ("parameter", "kind", "low", "high", "scaling", "step"),
    [
        ("min: 0.0, max: 0.5", "Continuous", 0, 0.5, "Linear", None),
        ("min: 1, max: 8", "Integer", 1, 8, "Linear", None),
        ("distribution: uniform, min: 1, max: 8", "Continuous", 1, 8, "Linear", None),
        ("distribution: int_uniform, min: 1, max: 8", "Integer", 1, 8, "Linear", None),
        ("distribution: q_uniform, q: 8, min: 8, max: 64", "Integer", 8, 64, "Linear", 8),
        ("distribution: q_uniform, q: 0.1, min: 0, max: 1", "Continuous", 0, 1, "Linear", 0.1),
        (
            *("distribution: log_uniform_values, min: 1e-5, max: 1", "Continuous"),
            *(1e-5, 1, "Logarithmic", None),
        ),
        (
            *("distribution: log_uniform, min: -9.21034, max: 0", "Continuous"),
            *(1e-4, 1, "Logarithmic", None),
        ),
        (
            *("distribution: inv_log_uniform, min: 0, max: 9.21034", "Continuous"),
            *(1e-4, 1, "Logarithmic", None),
        ),
        (
            *("distribution: q_log_uniform_values, q: 8, min: 8, max: 256", "Integer"),
            *(8, 256, "Logarithmic", 8),
        ),
        ("distribution: normal, mu: 1, sigma: 0.1", "Continuous", 0.8, 1.2, "Linear", None),
    ],
)
def test_distributions_are_ranges(
    parameter: str, kind: str, low: float, high: float, scaling: str, step: float | None
) -> None:
    made = read(parameter)
    assert (made["type"], made["min_value"], made["max_value"]) == (kind, low, high)
    assert (made["scaling_type"], made.get("step")) == (scaling, step)


def test_a_sweep_is_a_spec() -> None:
    imported = import_text(
        f"""{HEAD}project: p
run_cap: 40
early_terminate: {{type: hyperband, min_iter: 3, eta: 2}}
parameters:
  amp: {{values: [true, false]}}
  act: {{values: [relu, 'on', 1e-4]}}
  epochs: {{value: 10}}
  opt: {{parameters: {{beta: {{min: 0.8, max: 0.99}}}}}}
""",
        "dir/my_sweep.yaml",
    )
    spec = TuningSpec.model_validate(imported.fields)
    assert (spec.name, spec.command) == ("my-sweep", "python train.py {args}")
    assert spec.hyperparameter_ranges["amp"].values == ("True", "False")  # type: ignore[union-attr]
    assert spec.hyperparameter_ranges["act"].values == ("relu", "on", 1e-4)  # type: ignore[union-attr]
    assert "opt.beta" in spec.hyperparameter_ranges
    assert spec.static_hyperparameters == {"epochs": 10}
    assert (spec.objective_metric_name, spec.objective_type) == ("val_loss", "Minimize")
    assert (spec.strategy, spec.max_jobs, spec.early_stopping_type) == ("Bayesian", 40, "Auto")
    assert imported.left_out == ("project: hpt has no projects",)
    ((_, nested), (_, guess)) = imported.fill_in
    assert "opt.NAME" in nested
    assert "hpt import dir/my_sweep.yaml --log LOG" in guess


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("[python3, -m, pkg, '${args}']", "python3 -m pkg {args}"),
        (
            "['${env}', '${interpreter}', '${program}', '${args_no_hyphens}']",
            "python train.py x={x}",
        ),
        ("[sh, -c, 'a b']", ["sh", "-c", "a b"]),
    ],
)
def test_the_command_has_placeholders_of_hpt(command: str, made: Any) -> None:
    text = f"{HEAD}command: {command}\nparameters: {{x: {{values: [1, 2]}}}}"
    assert import_text(text, "s.yaml").fields["command"] == made


def test_a_sweep_in_source_is_a_sweep() -> None:
    text = """
config = {"method": "random", "metric": {"name": "acc", "goal": "maximize"},
          "parameters": {"lr": {"min": 0.1, "max": top}}}
wandb.sweep(config, project="p")
"""
    imported = import_text(text.replace("top", "0.5"), "s.py")
    assert imported.fields["objective_type"] == "Maximize"
    assert imported.fields["hyperparameter_ranges"]["lr"]["max_value"] == 0.5


def test_a_sweep_of_another_structure_is_refused() -> None:
    with pytest.raises(UsageError, match="W&B documents"):
        import_text(f"{HEAD}parameters: {{x: 1}}", "s.yaml")
