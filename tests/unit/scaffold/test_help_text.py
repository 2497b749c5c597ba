"""From the text of a program's help to its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpt_cli.scaffold.help_text import parse_help
from hpt_cli.scaffold.options import ProgramOption

HELP = Path(__file__).parents[2] / "data" / "help"
"""Printed by real programs."""


def read_options(program: str) -> dict[str, ProgramOption]:
    return {each.flag: each for each in parse_help((HELP / f"{program}.txt").read_text())}


def test_flags_of_absl_have_type_and_default_on_lines_of_their_own() -> None:
    options = read_options("absl")
    assert {flag: (each.kind, each.default) for flag, each in options.items()} == {
        "--batch_size": ("int", 128),
        "--learning_rate": ("float", 0.001),
        "--model_dir": ("text", "out"),
        "--num_heads": ("int", 8),
        "--num_train_steps": ("int", 500000),
        "--optimizer": ("choice", "adam"),
        "--random_seed": ("int", 0),
        "--use_bfloat16": ("switch", None),
        "--warmup_steps": ("int", 1000),
        "--weight_decay": ("float", 0.0001),
    }
    assert options["--optimizer"].choices == ("adam", "sgd", "lamb")
    assert options["--use_bfloat16"].negative == "--nouse_bfloat16"


def test_flags_of_absl_have_bounds() -> None:
    options = read_options("absl-types")
    bounds = {flag: (each.kind, each.low, each.high) for flag, each in options.items()}
    assert bounds == {
        "--dims": ("text", None, None),
        "--dropout": ("float", 0, 1),
        "--h": ("text", None, None),
        "--layers": ("int", 0, None),
        "--lr": ("float", 0, None),
        "--wd": ("float", None, 3),
        "--width": ("int", 1, 64),
    }


def test_flags_of_fire_are_read() -> None:
    options = read_options("fire")
    expected = {
        "--base_model": ("text", None),
        "--batch_size": ("int", 128),
        "--learning_rate": ("float", 0.0003),
        "--lora_alpha": ("int", 16),
        "--lora_dropout": ("float", 0.05),
        "--lora_target_modules=": ("list", None),
        "--train_on_inputs=": ("switch", None),
        "--resume_from_checkpoint": ("text", None),
    }
    assert {flag: (options[flag].kind, options[flag].default) for flag in expected} == expected


def test_long_options_with_one_dash_are_read() -> None:
    options = read_options("one-dash")
    assert list(options) == ["-net", "-gpu", "-b", "-warm", "-lr"]
    assert [each.name for each in options.values()] == ["net", "gpu", "b", "warm", "lr"]
    assert options["-gpu"].kind == "switch"


def test_options_of_several_values_are_told_apart() -> None:
    options = read_options("lists")
    several = [flag for flag, each in options.items() if each.kind == "list"]
    assert several == ["--hidden", "--betas", "--lrs"]
    assert options["--use-bn"].negative == "--no-use-bn"
    assert (options["--gamma"].kind, options["--gamma"].default) == ("float", 0.99)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  -lr                 learning rate [0.05]", ("-lr", "float", 0.05)),
        ("  --epochs            how many [5]", ("--epochs", "int", 5)),
        ("  -b N, --batch-size N  (default: 256)", ("--batch-size", "int", 256)),
        ("  --dropout P           (default: 0)", ("--dropout", "number", 0)),
    ],
)
def test_a_default_tells_the_kind(line: str, expected: tuple[str, str, float]) -> None:
    (option,) = parse_help(line)
    assert (option.flag, option.kind, option.default) == expected
