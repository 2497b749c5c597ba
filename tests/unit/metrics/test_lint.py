"""What definitions find in a log, and the warnings about it."""

from __future__ import annotations

import pytest

from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.lint import lint_definitions, scan_and_lint
from hpt_cli.metrics.scan import ScanResult


def read(log: str, kept: int = 0, **fields: str) -> ScanResult:
    data = log.encode()
    blocks = [data[start : start + 7] for start in range(0, len(data), 7)]
    (reading,) = scan_and_lint(blocks, [{"name": "m", **fields}], split_lines(data), kept)
    return reading


def warnings(log: str, **fields: str) -> dict[str, str]:
    return {each.slug: each.message for each in read(log, **fields).warnings}


MANY = "".join(f"epoch {step} loss 0.{step % 3 + 1}5\n" for step in range(1, 10))


@pytest.mark.parametrize(
    ("log", "regex", "slug", "words"),
    [
        ("loss: 9.1e-04\n", r"loss: ([0-9\.]+)", "number-cut", "9.1e-04 is read as 9.1"),
        ("reward=-0.5\n", r"reward=-?([0-9\.]+)", "number-cut", "-0.5 is read as 0.5"),
        ("loss 1,234.5\n", r"loss ([0-9.]+)", "number-cut", "line 1: 1,234.5 is read as 1"),
        ("loss 3.4k\n", r"loss ([0-9.]+)", "number-cut", "line 1: 3.4k is read as 3.4"),
        ("loss 0:12:31\n", r"loss ([0-9.]+)", "number-cut", "line 1: 0:12:31 is read as 0"),
        ("took 9.5ms\ntook 1.2s\n", "took {num}", "units-several", "9.5ms and 1.2s"),
        ("acc=0,91\n", "acc={num}", "number-cut", "0,91 is read as 0"),
        (
            "epoch 1\ntrain acc 0.5\nvalid acc 0.4\n",
            r"acc ({num})",
            "step-twice",
            "2 values for one step: the last counts (step 1: 0.5 and 0.4)",
        ),
        ("reward=0.5\n", r"reward=([0-9\.]+)", "number-form", "would not be found"),
        ("a=1.5 b\n", r"a=([0-9.]*)", "regex-empty", "the empty string"),
        ("F1=0.91\n", "F1=(.*?)", "value-none", "line 1 matches, but '' is not a number"),
        ("\nF1=dog\n", "F1=(.*)", "value-none", "'dog'"),
        ("GAN_loss=1; D_loss=2;\n", "loss={num}", "metrics-several", "D_loss, GAN_loss"),
        ("loss=1 loss=2\n", "loss={num}", "values-several", "several values"),
        ("[1]\tvalidation-auc:0.5\n", "#011validation-auc:({num})", "regex-tab", "CloudWatch"),
        (MANY, "loss ({num})", "number-coarse", "2 digits"),
        ("a 7 x=1\na 3 x=2\n", "a {step} x={num}", "step-back", "from 7 to 3"),
        ("x=nan\nx=2\n", "x={num}", "value-odd", "1 of 2"),
        ("x=2\nx=2\nx=2\n", "x={num}", "value-same", "all values are 2"),
        ("x=2\n", "x={num}", "value-single", "no curve"),
        ("x\n", r"(?:a+)+x={num}", "regex-slow", "forever"),
        ("y" * 70_000 + "\nx=1\n", "[xy]=?{num}", "line-long", "1 line too long"),
    ],
)
def test_what_goes_wrong_silently_is_said(log: str, regex: str, slug: str, words: str) -> None:
    step = {"step": "epoch {step}"} if slug == "step-twice" else {}
    assert words in warnings(log, regex=regex, **step)[slug]


@pytest.mark.parametrize("comma", ["", ","])
def test_a_number_with_commas_between_thousands_is_read_as_one(comma: str) -> None:
    log = "s 1,000 x 1,234.5\ns 12,000 x -2,000,000\ns 12,001 x 934.5\n"
    reading = read(log, regex=f"s {{step{comma}}} x ({{num{comma}}})")
    assert reading.curve == ((1000, 1234.5), (12000, -2e6), (12001, 934.5))
    assert not reading.warnings
    reading = read(log, regex=f"x {{num{comma}}}", step=f"s {{step{comma}}}")
    assert reading.curve[-1] == (12001, 934.5)


@pytest.mark.parametrize(
    ("log", "regex"),
    [
        ("1,5,0.25\n2,6,0.5\n", "^{step},.*,({num})$"),  # the regex asks for the commas
        ("x=[3,1,2]\nx=[4,1,2]\n", r"x=\[({num})"),  # a list
        ("x=0.5,1\nx=0.25,1\n", "x=({num})"),  # has its point already
        ("x=5, y=1\nx=6, y=1\n", "x=({num})"),
    ],
)
def test_a_comma_that_separates_cuts_no_number(log: str, regex: str) -> None:
    assert "number-cut" not in warnings(log, regex=regex)


@pytest.mark.parametrize(
    ("log", "fields"),
    [
        ("epoch 1 loss -1.25\nepoch 2 loss 1.125\n", {"regex": "epoch {step} loss ({num})"}),
        ("acc: 9901/10000\nacc: 9902/10000\n", {"regex": "acc: {ratio}"}),
        ('{"a": 0.12345}\n{"a": 0.2}\n', {"json": "a"}),
        ("a,b\n1,2.1234\n2,3\n", {"column": "b", "step": "a"}),
        (
            "[0]\tvalid-auc:0.51234\n[1]\tvalid-auc:0.6\n",
            {"preset": "xgboost", "metric": "valid-auc"},
        ),
    ],
)
def test_a_good_definition_has_no_warning(log: str, fields: dict[str, str]) -> None:
    reading = read(log, **fields)
    assert reading.count == 2
    assert not reading.warnings


def test_a_regex_in_another_case_is_told_of() -> None:
    log = "Fold 0 RMSE: 1.5\n"
    assert "same" in warnings(log, regex="Fold {step} rmse: ({num})")["regex-case"]
    assert "regex-case" not in warnings(log, regex="Fold {step} mae: ({num})")
    assert "regex-case" not in warnings(log, regex="Fold {step} RMSE: ({num})")


def test_a_match_tells_its_line_and_where_the_value_stands_in_it() -> None:
    log = 'start\n\rx\r\x1b[1mé {"a": {"b": 0.5}}\nloss=1\n'
    match = read(log, json="a.b").matches[0]
    assert (match.number, match.text[slice(*match.value_span)]) == (2, "0.5")
    match = read(log, regex="loss={num}").matches[0]
    assert (match.number, match.text[slice(*match.span)], match.value) == (3, "loss=1", 1)


def test_of_many_matches_the_first_and_the_last_are_kept() -> None:
    reading = read("".join(f"x={value}\n" for value in range(100)), kept=3, regex="x={num}")
    assert [match.value for match in reading.matches] == [0, 1, 2, 97, 98, 99]
    assert reading.count == len(reading.curve) == 100


def test_the_curve_has_each_step_once_with_its_last_value() -> None:
    reading = read("s 2 x=1\ns 1 x=5\ns 2 x=3\n", regex="s {step} x={num}")
    assert reading.curve == ((1, 5), (2, 3))
    assert reading.count == 3


def test_an_after_that_no_line_matches_is_told() -> None:
    log = "Val (epoch 1)\nloss: 0.1\nVal (epoch 2)\nloss: 0.2\n"
    told = warnings(log, regex="loss: ({num})", after="^Vall")
    assert told["after-none"] == "no line before its matches is one that after: '^Vall' fits"
    assert "after-none" not in warnings(log, regex="loss: ({num})", after="^Val")
    assert "after-none" not in warnings(log, regex="accuracy: ({num})", after="^Vall")
    assert "after-none" in warnings("loss: 1\nVal\n", regex="loss: ({num})", after="^Val")
    definition = {"name": "loss", "regex": "loss: ({num})", "after": "^Vall"}
    found = [each.slug for each in lint_definitions([definition], log.encode())]
    assert found == ["after-none"]
