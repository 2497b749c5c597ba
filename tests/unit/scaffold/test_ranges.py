"""From an option to the range to search for it."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.scaffold.ranges import list_several, propose_range, propose_ranges
from hpt_cli.spec.hyperparameters import Value


def describe(option: ProgramOption) -> str:
    proposal = propose_range(option)
    if proposal is None:
        return ""
    fields = proposal.fields
    likely = "" if proposal.is_likely else " perhaps"
    bounds = f"{fields['min_value']:g} to {fields['max_value']:g}"
    return f"{fields['type']} {bounds} {fields['scaling_type']}{likely}"


@pytest.mark.parametrize(
    ("flag", "default"),
    [
        ("--lr_drop", 200),
        ("--c_out", 7),
        ("--C", 10),
        ("--alpha", 16),
        ("--dropout", 1),
        ("--lr", 3),
        ("--gamma", 2),
        ("--momentum", 4),
        ("--ratio", 5),
        ("--decay", 8),
    ],
)
def test_a_whole_number_gets_an_integer_range(flag: str, default: int) -> None:
    assert describe(ProgramOption(flag, "int", default)).startswith("Integer")


@pytest.mark.parametrize(
    "flag",
    [
        "--lr_scheduler",
        "--dropout_type",
        "--weight_decay_schedule",
        "--lr_drop",
        "--batch_type",
        "--learning-rate-policy",
        "--momentum-mode",
        "--alpha",
        "--c_out",
        "--gamma",
        "--warmup",
        "--gamma_fn",
    ],
)
def test_the_name_of_a_thing_is_left_alone(flag: str) -> None:
    assert describe(ProgramOption(flag, "text")) == ""


@pytest.mark.parametrize(
    ("flag", "default", "expected"),
    [
        ("--gamma", 0.99, "0.9 to 0.9999 ReverseLogarithmic"),
        ("--gamma", 0.9, "0.9 to 0.9999 ReverseLogarithmic"),
        ("--gamma", 1.0, "0.9 to 1 Linear"),
        ("--gamma", 0.1, "0.01 to 1 Logarithmic"),
        ("--gamma", 0.5, "0 to 0.95 ReverseLogarithmic"),
        ("--beta2", 0.999, "0.99 to 0.9999 ReverseLogarithmic"),
        ("--lr_decay", 0.95, "0.5 to 0.995 ReverseLogarithmic"),
        ("--decay_rate", 1.0, "0.9 to 1 Linear"),
        ("--ema-decay", 0.999, "0.99 to 0.9999 ReverseLogarithmic"),
        ("--weight_decay", 0.5, "0.005 to 1 Logarithmic"),
        ("--hidden_dropout_prob", 0.1, "0 to 0.5 Linear"),
        ("--dropout", 0.95, "0 to 0.95 Linear"),
        ("--mask_ratio", 0.75, "0 to 1 Linear"),
        ("--subsample", 0.5, "0.1 to 1 Linear"),
        ("--lr", 1.0, "0.01 to 1 Logarithmic"),
        ("--warmup_lr", 1e-6, "1e-08 to 0.0001 Logarithmic"),
        ("--lambda_gp", 10.0, "1 to 100 Logarithmic"),
        ("-C", 1.0, "0.01 to 100 Logarithmic"),
        ("--min_lr", 1e-6, ""),
        ("--tau", 0.005, "0.0005 to 0.05 Logarithmic"),
        ("--tau", 1.0, "0.1 to 1 Logarithmic"),
    ],
)
def test_ranges_stay_where_the_parameter_lives(flag: str, default: float, expected: str) -> None:
    kind = f"Continuous {expected}" if expected else ""
    assert describe(ProgramOption(flag, "float", default)) == kind


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (ProgramOption("--warmup_steps", "int", 1000), "Integer 250 to 4000 Logarithmic"),
        (ProgramOption("-warm", "int", 1), "Integer 1 to 4 Linear"),
        (ProgramOption("-b", "int", 128, about="batch size"), "Integer 32 to 512 Logarithmic"),
        (ProgramOption("--lora_rank", "int", 8), "Integer 4 to 16 Linear"),
        (ProgramOption("--micro_batch_size", "int", 8), ""),
        (ProgramOption("--local_rank", "int", 8), ""),
        (ProgramOption("--dropout", "number", 0), "Continuous 0 to 0.5 Linear"),
        (ProgramOption("--num-layers", "number", 1), "Integer 1 to 4 Linear"),
        (ProgramOption("--warmup", "number", 0), ""),
        (ProgramOption("--layers", "list", 3), ""),
    ],
)
def test_ranges_of_other_options(option: ProgramOption, expected: str) -> None:
    assert describe(option) == expected


def test_a_name_that_is_surely_a_number_gets_a_range() -> None:
    names = ("--lr", "--optim.learning-rate", "--batch_size", "--weight-decay", "--dropout_rate")
    assert all(describe(ProgramOption(flag, "text")) for flag in names)


def test_what_the_user_wants_gets_a_range() -> None:
    options = [ProgramOption("--epochs", "int", 8), ProgramOption("--seed", "int", 8)]
    assert [each.option.name for each in propose_ranges(options, {"epochs"})] == ["epochs"]


def test_options_of_several_values_are_listed() -> None:
    options = [ProgramOption("--hidden", "list"), ProgramOption("--gpus", "list")]
    assert [each.flag for each in list_several(options)] == ["--hidden"]


@pytest.mark.parametrize(
    ("heads", "width", "values", "bounds"),
    [
        (8, 256, [4, 8, 16], (64, 1024, 16)),
        (12, 768, [6, 12, 24], (192, 3072, 24)),
        (3, 192, [3, 6], (48, 768, 6)),
    ],
)
def test_every_width_is_a_multiple_of_every_number_of_heads(
    heads: Value, width: int, values: list[int], bounds: tuple[int, int, int]
) -> None:
    options = [ProgramOption("--nheads", "int", heads), ProgramOption("--hidden_dim", "int", width)]
    first, second = (dict[str, Any](each.fields) for each in propose_ranges(options))
    assert first["values"] == values
    assert (second["min_value"], second["max_value"], second["step"]) == bounds
    assert all(bounds[0] % each == 0 and bounds[2] % each == 0 for each in values)
