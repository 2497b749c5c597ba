"""Which fields say nothing, and where that is allowed."""

from __future__ import annotations

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.spec.fields.parts import leave_out_empty
from hpt_cli.spec.yaml.reader import parse_spec
from tests.unit.spec.yaml.test_reader import GOOD

EMPTY = """
min_resource: null
stop_grace_seconds: ~
children:
environment:
log_rules: null
early_stopping: {rule: median, min_epochs: null}
early_stopping_type: Auto
"""


def test_optional_fields_that_say_null_are_left_out() -> None:
    text = GOOD.replace("early_stopping_type: Off", EMPTY)
    text = text.replace("type: Continuous", "type: Continuous, step: null, when: ~")
    text = text.replace("name: loss, ", "name: loss, step: ~, file: null, ")
    spec = parse_spec(text, "spec.yaml")
    assert (spec.min_resource, spec.stop_grace_seconds, spec.children) == (1, 10.0, "end")
    assert spec.early_stopping is not None
    assert spec.early_stopping.parameters == {}


def test_null_elsewhere_is_a_mistake() -> None:
    wrong = (("name: good", "name:"), ("{epochs: 10}", "{epochs: ~}"), ("max_jobs", "max_job"))
    text = GOOD.replace("max_jobs: 10", "max_jobs:")
    for old, new in wrong:
        with pytest.raises(UsageError):
            parse_spec(text.replace(old, new), "spec.yaml")


def test_a_name_that_the_user_chose_is_kept() -> None:
    fields = {"environment": {"A": None}, "static_hyperparameters": {"b": None}, "retry": None}
    assert leave_out_empty(fields) == {
        "environment": {"A": None},
        "static_hyperparameters": {"b": None},
    }
