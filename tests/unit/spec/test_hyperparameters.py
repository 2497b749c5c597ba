"""Values are compared as numbers, and passed on as they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.errors import UsageError
from hpt_cli.formatting import format_setting
from hpt_cli.spec.command_template import Filling, render_argv
from hpt_cli.spec.hyperparameters import read_value, write_values
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.spec.yaml.reader import parse_spec
from hpt_cli.spec.yaml.writer import write_spec
from hpt_cli.tuning import events as ev
from tests import builders as b

SPEC = """
name: t
command: train
hyperparameter_ranges: {{x: {range}}}
static_hyperparameters: {{s: {static}}}
initial_hyperparameters: {initial}
metric_definitions: [{{name: loss, regex: 'loss=({{num}})'}}]
objective_metric_name: loss
objective_type: Minimize
"""
CONTINUOUS = "{type: Continuous, min_value: 0, max_value: 10000}"
NUMBERS = st.from_regex(
    r"[-+]?([0-9]{1,6}\.?[0-9]{0,3}|\.[0-9]{1,4})([eE][-+]?[0-9])?", fullmatch=True
)
WORDS = st.from_regex(
    r"[A-Za-z_][A-Za-z0-9_./-]{0,8}|0x[0-9a-f]+|[0-9]+(_[0-9]+)+|[0-9]+:[0-9]+", fullmatch=True
)
SCALARS = (NUMBERS | WORDS).filter(lambda text: text.lower() != "null")


def read(values: str = CONTINUOUS, static: str = "1", initial: str = "[]") -> TuningSpec:
    each = f"{{type: Categorical, values: {values}}}" if values[0] == "[" else values
    return parse_spec(SPEC.format(range=each, static=static, initial=initial), "spec.yaml")


def record(spec: TuningSpec) -> dict[str, Any]:
    """Return the spec as a journal has it."""
    fields: dict[str, Any] = json.loads(json.dumps(spec.model_dump(mode="json")))
    return fields


def pass_on(spec: TuningSpec, value: Any, name: str = "x") -> str:
    """Return what a command gets for a value that a strategy chose, and again after a resume."""
    fields = record(spec)
    first = str(spec.write({name: value})[name])
    written = write_values(json.loads(json.dumps({name: value})), fields)
    argv = render_argv("train", Filling(written))
    assert argv == ["train", f"--{name}", first]
    return first


@given(SCALARS, SCALARS)
def test_every_scalar_arrives_as_it_was_typed(category: str, static: str) -> None:
    spec = read(f"[{category}]", static)
    (value,) = spec.hyperparameter_ranges["x"].grid or ()
    assert pass_on(spec, value) == format_setting(value) == category
    for each in (spec, load_spec(record(spec))):
        assert render_argv("train", Filling(each.static_hyperparameters)) == [
            "train",
            "--s",
            static,
        ]
    again = parse_spec(write_spec(spec.model_dump()), "again.yaml")
    assert record(again) == record(spec)


@pytest.mark.parametrize("text", ["1e3", "007", "1.0", "2.50", "+5", ".5", "012", "-0", "1E+02"])
def test_a_value_is_the_number_that_it_looks_like(text: str) -> None:
    spec = read(f"[{text}]")
    (value,) = record(spec)["hyperparameter_ranges"]["x"]["values"]
    assert value == float(text) == read_value(text)
    assert type(value) is (int if text.lstrip("+-").isdigit() else float)
    assert json.dumps({"x": read_value(text)}) == json.dumps({"x": value})
    assert spec.hyperparameter_ranges["x"].contains(value)


def test_numbers_in_quotes_are_text_as_they_are() -> None:
    assert pass_on(read("['007', \"1e3\"]"), "007") == "007"


@pytest.mark.parametrize("values", ["[7, 007]", "[1e3, 1000.0]", "['007', 007]", "[7, '7']"])
def test_two_writings_of_one_value_are_a_duplicate(values: str) -> None:
    with pytest.raises(UsageError, match="listed twice"):
        read(values)


def test_1_and_1_0_are_told_apart() -> None:
    spec = read("[1, 1.00]")
    assert (pass_on(spec, 1), pass_on(spec, 1.0)) == ("1", "1.00")


def test_an_initial_value_is_passed_as_it_is_written_there() -> None:
    spec = read(initial="[{x: 1e3}, {x: 2.50}]")
    assert pass_on(spec, 1000.0) == "1e3"
    assert pass_on(spec, 2.5) == "2.50"
    assert pass_on(spec, 0.1) == "0.1"


def test_an_initial_value_that_is_a_category_is_passed_as_the_category() -> None:
    spec = read("[1e3, 8]", initial="[{x: 1000}, {x: 08}]")
    assert pass_on(spec, spec.initial_hyperparameters[0]["x"]) == "1e3"
    assert pass_on(spec, spec.initial_hyperparameters[1]["x"]) == "8"


@pytest.mark.parametrize(
    ("step", "least", "value", "text"),
    [
        (1, 1, 7.0, "7"),
        (5, 0, 10.0, "10"),
        (0.5, 1, 7.0, "7.0"),
        (1, 0.5, 7.0, "7.0"),
        (1, 1, 2.5, "2.5"),
    ],
)
def test_on_a_grid_of_whole_numbers_a_value_is_whole(
    step: float, least: float, value: float, text: str
) -> None:
    each = f"{{type: Continuous, min_value: {least}, max_value: 20, step: {step}}}"
    assert pass_on(read(each), value) == text


def test_without_a_step_a_value_is_passed_in_full_and_shown_short() -> None:
    written = read().write({"x": 0.123456})["x"]
    assert (str(written), format_setting(written)) == ("0.123456", "0.1235")


def test_a_tuning_job_of_an_earlier_version_goes_on_as_it_began() -> None:
    each = "{type: Continuous, min_value: 1, max_value: 8, step: 1}"
    fields = record(read(each))
    del fields["value_texts"]
    assert str(write_values({"x": 7.0}, fields)["x"]) == "7.0"
    assert pass_on(load_spec(fields), 7.0) == "7"


def test_the_values_of_a_training_job_are_written_as_in_its_spec() -> None:
    spec = b.make_spec(
        hyperparameter_ranges={"x": {"type": "Categorical", "values": [read_value("007")]}}
    )
    state = b.fold_all(*b.created(spec), *b.suggested(1, x=7))
    assert str((state.jobs[1].hyperparameters or {})["x"]) == "007"


@pytest.mark.parametrize("texts", [5, {"x": 5}, {"x": [None]}, {"x": {"y": 1}}])
def test_texts_of_another_form_are_a_mistake_of_the_spec(texts: Any) -> None:
    fields = record(read("[7]")) | {"value_texts": texts}
    with pytest.raises(ValueError, match="value_texts"):
        TuningSpec.model_validate(fields)


@pytest.mark.parametrize("texts", [5, {"x": 5}, {"x": [7]}])
def test_a_recorded_spec_with_texts_of_another_form_is_damaged(texts: Any) -> None:
    fields = record(read("[007]"))
    assert ev.check_spec(fields) == fields
    with pytest.raises(TypeError):
        ev.check_spec(fields | {"value_texts": texts})


@pytest.mark.parametrize("each", [{"values": 5}, {"type": "Continuous", "step": "x"}, {}])
def test_a_range_of_another_form_leaves_values_as_they_are(each: dict[str, Any]) -> None:
    fields = {"hyperparameter_ranges": {"x": each}, "value_texts": {}}
    assert write_values({"x": 2.5, "y": True}, fields) == {"x": 2.5, "y": True}


def test_without_a_step_the_text_of_a_parent_does_not_count() -> None:
    assert str(read().write({"x": read_value("1e-3")})["x"]) == "0.001"
