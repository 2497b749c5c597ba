"""Specs that are written read well, and read back as the same."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpt_cli.spec.yaml.document import Document, compose
from hpt_cli.spec.yaml.writer import format_float, write_spec

FIELDS = {
    "name": "good",
    "command": "python train.py --lr {lr}",
    "hyperparameter_ranges": {
        "lr": {"type": "Continuous", "min_value": 1e-4, "max_value": 1.0},
        "opt": {"type": "Categorical", "values": ["no", "1e-4", "a b", 3]},
    },
    "static_hyperparameters": {"epochs": 10},
    "metric_definitions": [{"name": "loss", "regex": r"'loss': ({num})"}],
    "objective_metric_name": "loss",
    "objective_type": "Minimize",
    "max_jobs": None,
}


def test_a_spec_is_written_as_people_write_it() -> None:
    assert write_spec(FIELDS, {"": ["at the top"], "name": ["above it"]}) == (
        "# at the top\n"
        "# above it\n"
        "name: good\n"
        "command: python train.py --lr {lr}\n"
        "hyperparameter_ranges:\n"
        "  lr:  {type: Continuous, min_value: 1e-4, max_value: 1.0}\n"
        "  opt: {type: Categorical, values: [no, '1e-4', a b, 3]}\n"
        "static_hyperparameters: {epochs: 10}\n"
        "metric_definitions:\n"
        "  - {name: loss, regex: '''loss'': ({num})'}\n"
        "objective_metric_name: loss\n"
        "objective_type: Minimize\n"
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["null", "1e-4", "a: b", "# no", "- x", "yes", "a #b", "~", "{x}", "x,y", "é", "\x85", "1_0"]
)


@given(
    text=TEXT,
    values=st.lists(TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
    key=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1),
)
def test_what_is_written_is_read_back(text: str, values: list[object], key: str) -> None:
    fields = {
        "description": text,
        "static_hyperparameters": {key: 1},
        "initial_hyperparameters": [{"x": value} for value in values],
    }
    read = Document(compose(write_spec(fields), "f"), "f").to_values()
    assert read == fields


@pytest.mark.parametrize("ending", ["\n", "\r", "\x85", "\u2028", "\u2029", "\0", "\x1b"])
def test_a_comment_is_a_comment_to_its_end(ending: str) -> None:
    comment = f"a{ending}notify: {{command: touch pwned}}{ending}#"
    text = write_spec({"name": "x"}, {"": [comment], "name": [comment]})
    assert yaml.safe_load(text) == {"name": "x"}


@pytest.mark.parametrize("words", [3, 60])
def test_a_long_command_is_folded(words: int) -> None:
    command = " ".join(f"--option-{number} {{x{number}}}" for number in range(words))
    text = write_spec({"command": f"python train.py {command}"})
    assert max(map(len, text.splitlines())) <= 100
    assert yaml.safe_load(text)["command"] == f"python train.py {command}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact(value: float) -> None:
    assert float(format_float(value)) == value


def test_numbers_are_short() -> None:
    assert [format_float(each) for each in (1e-4, 2.5e-5, 0.5, 0.001, 1e6, 10.0)] == [
        *("1e-4", "2.5e-5", "0.5", "0.001", "1e6", "10.0"),
    ]
