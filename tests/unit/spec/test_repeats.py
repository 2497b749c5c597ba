"""The seed of repeats among the hyperparameters of a spec."""

from __future__ import annotations

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.spec.yaml.reader import parse_spec

TEXT = """\
name: t
command: python train.py {x} {seed}
hyperparameter_ranges:
  x: {type: Continuous, min_value: 0, max_value: 1}
"""
REST = """\
metric_definitions: [{name: loss, regex: 'loss=({num})'}]
objective_metric_name: loss
objective_type: Minimize
"""
THREE = "repeats: {count: 3, seed: seed}\n"


def parse(more: str) -> TuningSpec:
    return parse_spec(TEXT + more + REST, "t.yaml")


def test_the_seeds_are_1_to_count_and_no_part_of_what_is_searched() -> None:
    spec = parse("repeats: {count: 3, seed: seed}\n")
    seeds = spec.hyperparameter_ranges["seed"]
    assert [seeds.nth_value(place) for place in range(seeds.size or 0)] == [1, 2, 3]
    assert list(spec.searched_ranges) == ["x"]
    assert load_spec(spec.model_dump(mode="json")) == spec


def test_the_spec_may_list_the_seeds() -> None:
    spec = parse("  seed: {type: Categorical, values: [7, 11]}\nrepeats: {count: 2, seed: seed}\n")
    assert spec.hyperparameter_ranges["seed"].nth_value(1) == 11


@pytest.mark.parametrize(
    ("more", "slug", "line"),
    [
        (
            "static_hyperparameters: {seed: 1}\nrepeats: {count: 3, seed: seed}\n",
            "repeats-static",
            5,
        ),
        (f"  seed: {{type: Categorical, values: [7, 11]}}\n{THREE}", "repeats-seeds", 5),
        (f"  seed: {{type: Continuous, min_value: 0, max_value: 9}}\n{THREE}", "repeats-seeds", 5),
        (
            "  seed: {type: Categorical, values: [1, 2]}\n"
            "  y: {type: Integer, min_value: 1, max_value: 2, when: {seed: 1}}\n"
            "repeats: {count: 2, seed: seed}\n",
            "repeats-when",
            6,
        ),
        ("repeats: {count: 1, seed: seed}\n", "greater-than-equal", 5),
        ("repeats: {count: 3, sead: seed}\n", "field-unknown", 5),
    ],
)
def test_what_the_seed_cannot_be(more: str, slug: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse(more)
    found = {(each.slug, getattr(each.place, "line", None)) for each in caught.value.problems}
    assert (slug, line) in found
