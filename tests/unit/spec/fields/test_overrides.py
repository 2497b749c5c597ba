"""Fields of a spec from the command line: where a path leads, and where a mistake is."""

from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.errors import ArgumentLocation, Problem, SourceLocation, UsageError
from hpt_cli.spec.fields.overrides import Override, override, read_option, read_overrides
from hpt_cli.spec.yaml.reader import override_spec, parse_spec
from tests.unit.spec.yaml.test_reader import GOOD

FIELDS: dict[str, Any] = {
    "hyperparameter_ranges": {"lr": {"type": "Continuous"}, "net.width": {"type": "Integer"}},
    "metric_definitions": [{"name": "val.loss", "regex": "a"}, {"name": "loss", "regex": "b"}],
    "retry": None,
    "command": ["train", "--fast"],
}


def made(text: str) -> dict[str, Any]:
    """What is different after an override."""
    changed = override(FIELDS, read_overrides([text])).fields
    return {name: value for name, value in changed.items() if value != FIELDS.get(name)}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("max_jobs=3", {"max_jobs": 3}),
        ("command.1=--slow", {"command": ["train", "--slow"]}),
        ("retry.max_attempts=2", {"retry": {"max_attempts": 2}}),
        ("early_stopping.rule=median", {"early_stopping": {"rule": "median"}}),
        ("static_hyperparameters.a.b=1", {"static_hyperparameters": {"a.b": 1}}),
        ("objective_value.mean_of_last=3", {"objective_value": {"mean_of_last": 3}}),
    ],
)
def test_a_path_leads_to_a_field(text: str, changed: dict[str, Any]) -> None:
    assert made(text) == changed


def test_names_in_a_path_may_have_dots() -> None:
    ranges = made("hyperparameter_ranges.net.width.max_value=8")["hyperparameter_ranges"]
    assert ranges["net.width"] == {"type": "Integer", "max_value": 8}
    assert ranges["lr"] == {"type": "Continuous"}
    metrics = made("metric_definitions.val.loss.regex=x")["metric_definitions"]
    assert [each["regex"] for each in metrics] == ["x", "b"]
    assert made("metric_definitions.1.regex=x")["metric_definitions"][1]["regex"] == "x"


def test_what_was_there_stays_as_it_was() -> None:
    override(FIELDS, read_overrides(["hyperparameter_ranges.lr.max_value=1", "command.0=x"]))
    assert FIELDS["hyperparameter_ranges"]["lr"] == {"type": "Continuous"}
    assert FIELDS["command"] == ["train", "--fast"]


def find_mistakes(*texts: str, spec: str = GOOD, name: str = "") -> list[Problem]:
    overrides = [*read_overrides(texts), *([read_option("--name", "name", name)] if name else [])]
    with pytest.raises(UsageError) as caught:
        parse_spec(spec, "spec.yaml", overrides)
    return list(caught.value.problems)


def marked(problem: Problem) -> str:
    """What is marked on the command line."""
    assert isinstance(problem.place, ArgumentLocation), problem
    return problem.place.line[problem.place.start : problem.place.end]


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ("max_jobs=x", "x", "whole number"),
        ("max_jobs.x=1", "max_jobs.x", "has no fields"),
        ("max_jbos=1", "max_jbos", "did you mean 'max_jobs'"),
        ("hyperparameter_ranges.lr.max_value=1e-9", "1e-9", "larger than"),
        ("hyperparameter_ranges.lr.max_valeu=1", "hyperparameter_ranges.lr.max_valeu", "max_value"),
        ("hyperparameter_ranges.lrr.max_value=1", "1", "did you mean 'lr'"),
        ("metric_definitions.los.regex=x", "metric_definitions.los.regex", "did you mean 'loss'"),
        ("strategy=Grid", "Grid", "a grid needs to know"),
        ("command=train {lrr}", "train {lrr}", "did you mean 'lr'"),
        ("objective_metric_name=accuracy", "accuracy", "accuracy"),
        ("early_stopping.rule=median", "median", "early_stopping_type is Off"),
    ],
)
def test_a_mistake_is_shown_on_the_command_line(text: str, part: str, words: str) -> None:
    (problem, *_) = find_mistakes("random_seed=3", text)
    assert marked(problem) == part
    assert words in f"{problem.message} {problem.hint}"


def test_a_mistake_in_the_file_stays_there() -> None:
    text = GOOD.replace("max_jobs: 10", "max_jobs: many")
    first, second = find_mistakes("random_seed=-1", spec=text)
    assert isinstance(second.place, SourceLocation)
    assert marked(first) == "-1"


def test_a_name_is_shown_where_it_is_given() -> None:
    (problem,) = find_mistakes(name="no_name")
    assert problem.place == ArgumentLocation("--name no_name", 7, 14)


def test_an_empty_value_leaves_a_field_out() -> None:
    spec = parse_spec(GOOD, "spec.yaml", read_overrides(["max_jobs=", "min_resource=null"]))
    assert (spec.max_jobs, spec.min_resource) == (None, 1)


def test_a_part_of_a_field_changes_after_the_beginning() -> None:
    begun = parse_spec(GOOD, "spec.yaml").model_dump()
    changed = override_spec(begun, read_overrides(["retry.max_attempts=3"]), lambda _: ())
    assert changed.retry is not None
    more = read_overrides(["retry.when=[OSError]"])
    again = override_spec(changed.model_dump(), more, lambda _: ())
    assert again.retry is not None
    assert (again.retry.max_attempts, again.retry.when) == (3, ("OSError",))
    assert override_spec(begun, [Override("max_jobs", 12)], lambda _: ()).max_jobs == 12
    with pytest.raises(UsageError) as caught:
        override_spec(begun, read_overrides(["random_seed=1"]), lambda _: ())
    assert caught.value.problems[0].slug == "field-fixed"
