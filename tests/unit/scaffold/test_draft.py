"""From a program's help, source and output to a first spec."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.scaffold.draft import (
    Draft,
    choose_tuned,
    fill_command,
    is_shell_line,
    make_command,
    make_comments,
    make_fields,
    name_tuning_job,
    split_line,
)
from hpt_cli.scaffold.help_text import parse_help
from hpt_cli.scaffold.options import (
    ProgramOption,
    find_given,
    merge_options,
    name_placeholders,
    split_usual,
    update_defaults,
)
from hpt_cli.scaffold.ranges import list_switches, propose_range
from hpt_cli.scaffold.source import parse_source
from hpt_cli.spec.model import TuningSpec

HELP = Path(__file__).parents[2] / "data" / "help"
"""Printed by real programs; that of huggingface by a part of its Trainer's options."""


def read_options(program: str) -> dict[str, ProgramOption]:
    return {each.flag: each for each in parse_help((HELP / f"{program}.txt").read_text())}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "argparse",
            {
                "--arch": ("text", "resnet18"),
                "--workers": ("int", 4),
                "--epochs": ("text", None),
                "--batch-size": ("int", 256),
                "--lr": ("text", None),
                "--wd": ("float", 1e-4),
                "--optimizer": ("choice", None),
                "--pretrained": ("switch", None),
            },
        ),
        (
            "typer",
            {
                "--lr": ("float", 0.001),
                "--batch-size": ("int", 64),
                "--optimizer": ("choice", "adam"),
                "--verbose": ("switch", "no-verbose"),
                "--name": ("text", "x"),
                "--dropout": ("float", 0.1),
            },
        ),
        (
            "click",
            {
                "--lr": ("float", 0.001),
                "--batch-size": ("int", None),
                "--optimizer": ("choice", "adam"),
                "--layers": ("int", 2),
            },
        ),
        ("tyro", {"--lr": ("float", 0.001), "--opt": ("text", "adam"), "--layers": ("int", 2)}),
        (
            "hydra",
            {
                "model=": ("choice", None),
                "model.hidden=": ("int", 128),
                "optimizer.lr=": ("float", 0.001),
                "optimizer.name=": ("text", "adam"),
                "batch_size=": ("int", 64),
                "trainer.max_epochs=": ("int", 10),
            },
        ),
        (
            "huggingface",
            {
                "--learning_rate": ("float", 5e-5),
                "--per_device_train_batch_size": ("int", 8),
                "--weight_decay": ("float", 0.0),
                "--lr_scheduler_type": ("choice", "linear"),
            },
        ),
    ],
)
def test_help_is_read(program: str, expected: dict[str, tuple[str, Any]]) -> None:
    options = read_options(program)
    found = {flag: (options[flag].kind, options[flag].default) for flag in expected}
    assert found == expected


def test_bounds_and_choices_are_read() -> None:
    assert read_options("click")["--optimizer"].choices == ("sgd", "adam")
    layers = read_options("click")["--layers"]
    assert (layers.low, layers.high) == (1, 8)
    assert read_options("hydra")["model="].choices == ("cnn", "mlp")


SOURCE = """
p.add_argument("--lr", type=float, default=1e-3)
p.add_argument("--epochs", type=int, default=90)
p.add_argument("-k", "--kernel", choices=["rbf", "linear"], default="rbf")
p.add_argument("--amp", action="store_true")
p.add_argument("data")
@click.option("--opt", type=click.Choice(["sgd", "adam"]))
def main(): ...
"""


def test_the_source_says_what_help_does_not() -> None:
    declared = {each.flag: each for each in parse_source(SOURCE)}
    assert declared["--lr"] == ProgramOption("--lr", "float", 1e-3)
    assert declared["--kernel"].choices == ("rbf", "linear")
    assert declared["--opt"].choices == ("sgd", "adam")
    assert declared["--amp"].kind == "switch"
    told = parse_help((HELP / "argparse.txt").read_text())
    merged = {each.flag: each for each in merge_options(told, declared.values())}
    assert (merged["--lr"].kind, merged["--lr"].default) == ("float", 1e-3)
    assert parse_source("no python (") == ()


def test_the_command_says_what_the_user_means() -> None:
    line = "python t.py --lr 0.5 --wd=1e-5 --bs 8 --flag -b 3 model.hidden=64 --neg -1"
    words = line.split(" ")
    given = find_given(words)
    assert given == {
        "--lr": "0.5",
        "--wd": "1e-5",
        "--bs": "8",
        "model.hidden=": "64",
        "--neg": "-1",
    }
    options = update_defaults([ProgramOption("--lr", "float", 0.1)], given)
    assert [each.default for each in options] == [0.5, 1e-5, 8, 64, -1]


def test_placeholders_name_the_options_that_they_stand_for() -> None:
    told = [ProgramOption("--lr", "float", 0.1), ProgramOption("--bs", "int", 8)]
    words = ["python", "t.py", "{depth}", "--bs", "{batch_size}", "--lr={lr}"]
    named = name_placeholders(told, words, {"lr": 0.5})
    assert [(each.name, each.kind, each.default) for each in named] == [
        ("lr", "float", 0.5),
        ("batch_size", "int", 8),
        ("depth", "text", None),
    ]


def test_placeholders_may_come_with_their_usual_values() -> None:
    words = ["./t.sh", "{lr=1e-3}", "--x={n=4},{m}", "${HOME=/}", "{a=b c}", "{=1}"]
    named, usual = split_usual(words)
    assert named == ["./t.sh", "{lr}", "--x={n},{m}", "${HOME=/}", "{a=b c}", "{=1}"]
    assert usual == {"lr": 0.001, "n": 4}
    options = name_placeholders([], named, usual)
    assert [(each.name, each.kind) for each in options] == [
        ("lr", "float"),
        ("n", "int"),
        ("m", "text"),
    ]


def test_variables_before_a_command_make_it_a_line_for_a_shell() -> None:
    for words in (["LR=0.1", "python", "my train.py"], ["LR=0.1 python 'my train.py'"]):
        line = split_line(words)
        assert line == ["LR=0.1 python 'my train.py'"]
        assert is_shell_line(line)
        options = update_defaults([], find_given(shlex.split(line[0])))
        assert make_command(line, options) == "LR={LR} python 'my train.py'"
    assert split_line(["python", "train.py", "lr=0.1"]) == ["python", "train.py", "lr=0.1"]


def describe_range(flag: str, kind: Any, default: Any, **rest: Any) -> str:
    proposal = propose_range(ProgramOption(flag, kind, default, **rest))
    if proposal is None:
        return ""
    fields = proposal.fields
    likely = "" if proposal.is_likely else " perhaps"
    return f"{fields['min_value']:g} to {fields['max_value']:g} {fields['scaling_type']}{likely}"


@pytest.mark.parametrize(
    ("flag", "kind", "default", "expected"),
    [
        ("--lr", "float", 1e-3, "1e-05 to 0.1 Logarithmic"),
        ("--lr", "float", 0.1, "0.001 to 1 Logarithmic"),
        ("optimizer.learning_rate=", "float", None, "1e-05 to 0.1 Logarithmic"),
        ("--weight-decay", "float", 0.0, "1e-06 to 0.01 Logarithmic"),
        ("--momentum", "float", 0.9, "0 to 0.99 ReverseLogarithmic"),
        ("--beta2", "float", 0.999, "0.99 to 0.9999 ReverseLogarithmic"),
        ("--dropout", "float", 0.1, "0 to 0.5 Linear"),
        ("--subsample", "float", 1.0, "0.5 to 1 Linear"),
        ("--batch-size", "int", 64, "16 to 256 Logarithmic"),
        ("--num-layers", "int", 4, "2 to 8 Linear"),
        ("--hidden_size", "int", 128, "32 to 512 Logarithmic"),
        ("--foo", "float", 0.3, "0.03 to 1 Logarithmic perhaps"),
        ("--foo", "float", None, ""),
        ("--lr", "text", None, "1e-05 to 0.1 Logarithmic"),
        ("--batch-size", "text", None, "16 to 256 Logarithmic"),
        ("--momentum", "float", 0.0, "0 to 0.99 ReverseLogarithmic"),
        ("--warmup-ratio", "float", 0.06, "0 to 0.3 Linear"),
        ("--epochs", "int", 90, ""),
        ("--seed", "int", 1, ""),
        ("--num-workers", "int", 4, ""),
        ("--name", "text", "x", ""),
    ],
)
def test_ranges_are_proposed_around_defaults(
    flag: str, kind: str, default: Any, expected: str
) -> None:
    assert describe_range(flag, kind, default) == expected


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ("The initial learning rate for SGD", "0.0001 to 1 Logarithmic"),
        ("FLOAT  Learning rate [default: 0.01]", "0.0001 to 1 Logarithmic"),
        ("exponent of the learning rate", "0.001 to 0.1 Logarithmic perhaps"),
        ("learning rate decay", "0.001 to 0.1 Logarithmic perhaps"),
    ],
)
def test_help_says_what_a_name_does_not(about: str, expected: str) -> None:
    assert describe_range("--eta0", "float", 0.01, about=about) == expected
    source = f'p.add_argument("--eta0", type=float, default=0.01, help={about!r})'
    assert parse_source(source)[0].about == about


def test_switches_are_named_with_the_way_to_tune_them() -> None:
    options = parse_help(
        "options:\n  --use-bn, --no-use-bn  normalize\n  --amsgrad  other\n  --verbose  talk\n"
    )
    switches = list_switches(options)
    comments = make_comments(Draft(["python", "t.py"], [], switches=switches))
    assert comments["hyperparameter_ranges"] == [
        "On or off: --use-bn/--no-use-bn, --amsgrad. To tune one:",
        "  use_bn: {type: Categorical, values: [--use-bn, --no-use-bn]}, and in the command"
        " {use_bn}",
        '  amsgrad: {type: Categorical, values: [--amsgrad, ""]}, and in the command {amsgrad...}',
    ]


@pytest.mark.parametrize(
    ("regex", "counts"),
    [(r"fold {step} acc ({num})", "mean"), (r"epoch {step} acc ({num})", "last")],
)
def test_the_spec_says_which_value_counts(regex: str, counts: str) -> None:
    curve = ((1.0, 0.5), (2.0, 0.6))
    metric = DetectedMetric({"name": "acc", "regex": regex}, "Maximize", curve, example="")
    draft = Draft(["python", "t.py"], [], metric=metric)
    assert f"The {counts} " in make_comments(draft)["objective_metric_name"][0]
    assert make_fields(draft).get("objective_value", "last") == counts


def test_ranges_stay_within_what_the_program_takes() -> None:
    assert describe_range("--layers", "int", 6, low=1, high=8) == "3 to 8 Linear"


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize("default", [math.inf, -math.inf, math.nan])
def test_nothing_is_searched_around_a_default_that_is_not_finite(kind: Any, default: float) -> None:
    assert propose_range(ProgramOption("--batch-size", kind=kind, default=default)) is None


@given(
    st.sampled_from(["--lr", "--wd", "--momentum", "--dropout", "--batch", "--layers", "--foo"]),
    st.sampled_from(["float", "int"]),
    st.none() | st.floats(-1e6, 1e6) | st.integers(-10, 10**6),
)
def test_every_range_proposed_is_a_range(flag: str, kind: Any, default: Any) -> None:
    proposal = propose_range(ProgramOption(flag, kind, default))
    if proposal is not None:
        fields = make_fields(Draft(["python", "t.py"], [proposal]))
        TuningSpec.model_validate({k: v for k, v in fields.items() if v is not None})


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["python", "t.py"], "python t.py --lr {lr}"),
        (["python", "t.py", "--lr", "1", "-v"], "python t.py --lr {lr} -v"),
        (["python", "t.py", "--lr=1"], "python t.py --lr={lr}"),
        (["python", "t.py", "a b"], "python t.py 'a b' --lr {lr}"),
        (["python", "t.py", "--rate", "{lr}"], "python t.py --rate {lr}"),
        (["cd x && python t.py --lr 1 | tee log"], "cd x && python t.py --lr {lr} | tee log"),
        (["python t.py --lr 1"], "python t.py --lr {lr}"),
    ],
)
def test_the_command_gets_placeholders(words: list[str], command: str) -> None:
    assert make_command(words, [ProgramOption("--lr", "float", 0.1)]) == command


def test_hydra_options_are_assignments() -> None:
    option = ProgramOption("optimizer.lr=", "float", 0.1)
    assert make_command(["python", "t.py"], [option]) == "python t.py optimizer.lr={optimizer.lr}"


def test_the_command_can_be_run_as_it_stands() -> None:
    options = [ProgramOption("--lr", "text"), ProgramOption("--bs", "int", 8)]
    tuned = [each for each in map(propose_range, options) if each]
    assert fill_command(["t", "{lr}", "--bs", "{bs}"], tuned) == ["t", "0.001", "--bs", "8"]
    assert fill_command(["a | b"], tuned) == ["/bin/sh", "-c", "a | b"]


def test_the_command_can_be_run_with_values() -> None:
    tuned = [each for each in [propose_range(ProgramOption("--lr", "float", 0.1))] if each]
    assert fill_command(["t", "-v"], tuned, {"lr": 1}) == ["t", "-v", "--lr", "1"]
    assert fill_command(["t", "--x={lr}"], tuned, {"lr": 1}) == ["t", "--x=1"]
    assert fill_command(["a | b"], tuned, {"lr": 1})[2] == "a | b --lr 1"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "src/train_it.py", "--x"], "train-it"),
        (["python", "-m", "pkg.train"], "train"),
        (["./run.sh"], "run"),
        (["xgboost"], "xgboost"),
        (["cd x && python y.py"], "y"),
        (["___"], "tuning"),
    ],
)
def test_a_tuning_job_is_named_after_the_script(words: list[str], name: str) -> None:
    assert name_tuning_job(words) == name


def test_what_no_rule_knows_is_tuned_only_if_the_user_names_it() -> None:
    options = [ProgramOption(flag, "float", 0.3) for flag in ("--foo", "--bar", "--lr")]
    proposals = [each for each in map(propose_range, options) if each]
    assert choose_tuned(proposals, {"--foo": "0.3"}) == [2]
    assert choose_tuned(proposals[:2], {"--bar": "0.3"}) == [1]
    assert choose_tuned(proposals[:2], {}) == [0, 1]
    assert choose_tuned(proposals, {}, {"bar"}) == [1, 2]
