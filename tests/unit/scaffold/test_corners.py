"""Ranges are tried at their ends, and end before what fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hpt_cli.scaffold.corners import Fails, settle_ranges
from hpt_cli.scaffold.options import ProgramOption
from hpt_cli.scaffold.ranges import RangeProposal, propose_range
from hpt_cli.spec.hyperparameters import Value

OPTIONS = [
    ProgramOption("--lr", "float", 0.01),
    ProgramOption("--batch", "int", 64),
    ProgramOption("--opt", "choice", "adam", ("adam", "sgd", "lamb")),
]
TUNED = [each for each in map(propose_range, OPTIONS) if each]


def record(runs: list[dict[str, Value]], failing: Mapping[str, Any]) -> Fails:
    """Return a command that fails with one of these values."""

    def fails(values: Mapping[str, Value]) -> str:
        runs.append(dict(values))
        return "no memory" if any(failing.get(k) == v for k, v in values.items()) else ""

    return fails


def list_bounds(tuned: list[RangeProposal]) -> dict[str, Any]:
    return {
        each.option.name: each.fields.get("values")
        or (each.fields["min_value"], each.fields["max_value"])
        for each in tuned
    }


def test_two_runs_are_enough_where_nothing_fails() -> None:
    runs: list[dict[str, Value]] = []
    settled = settle_ranges(TUNED, record(runs, {}))
    assert (settled.tuned, settled.comments, settled.failure) == (TUNED, [], "")
    assert runs == [
        {"lr": 1e-4, "batch": 16, "opt": "adam"},
        {"lr": 1.0, "batch": 256, "opt": "lamb"},
    ]


@pytest.mark.parametrize(
    ("failing", "changed"),
    [
        (("batch", 256), (16, 64)),
        (("batch", 16), (64, 256)),
        (("lr", 1.0), (1e-4, 0.01)),
        (("opt", "lamb"), ["adam", "sgd"]),
    ],
)
def test_a_range_ends_before_what_fails(failing: tuple[str, Any], changed: Any) -> None:
    name, value = failing
    settled = settle_ranges(TUNED, record([], {name: value}))
    assert list_bounds(list(settled.tuned)) == list_bounds(TUNED) | {name: changed}
    shown = "1" if value == 1 else value
    assert settled.comments == [f"{name} {shown} failed in a trial run (no memory): left out"]
    assert settled.failure == ""


def test_an_option_that_fails_with_its_default_is_not_tuned() -> None:
    def fails(values: Mapping[str, Value]) -> str:
        return "unknown option" if "lr" in values else ""

    settled = settle_ranges(TUNED, fails)
    assert list(list_bounds(list(settled.tuned))) == ["batch", "opt"]
    assert settled.comments == ["lr 0.0001 failed in a trial run (unknown option): it is not tuned"]


def test_what_fails_only_together_is_told() -> None:
    settled = settle_ranges(
        TUNED, lambda v: "no memory" if len(v) > 1 and v["batch"] == 256 else ""
    )
    assert settled.tuned == TUNED
    assert settled.failure == (
        "with the last value of every range (lr 1, batch 256, opt lamb) it fails: no memory"
    )


def test_a_range_without_a_default_is_left_out() -> None:
    tuned = [each for each in [propose_range(ProgramOption("--lr", "float"))] if each]
    assert not settle_ranges(tuned, lambda v: "nan" if v.get("lr") == 0.1 else "").tuned
