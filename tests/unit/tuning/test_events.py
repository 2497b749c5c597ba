"""Events as JSON has them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.events import from_fields

EXITED = {"attempt": 1, "exit_code": 0, "ended_at": 5.0, "tail": ["a", "b"], "retry": False}
FIELDS: dict[str, dict[str, Any]] = {
    "JobExited": EXITED,
    "JobLaunched": {"attempt": 1, "handle": {"pid": 1}, "since": None},
    "JobSuggested": {"hyperparameters": {"x": 1.5, "n": 2, "name": "adam"}, "seconds": 0.5},
    "JobStopRequested": {"reason": "EarlyStopped", "evidence": {"median": [1.5]}},
}


def test_lists_are_tuples_and_what_is_left_out_is_as_it_is_by_default() -> None:
    event = from_fields("JobExited", 6, 7, EXITED)
    tail = ("a", "b")
    assert event == ev.JobExited(at=6, number=7, attempt=1, exit_code=0, ended_at=5, tail=tail)


@pytest.mark.parametrize("kind", FIELDS)
def test_what_is_read_is_what_was_written(kind: str) -> None:
    event = from_fields(kind, 6.0, 7, FIELDS[kind])
    assert FIELDS[kind].items() <= {**ev.to_fields(event), "tail": ["a", "b"]}.items()
    assert type(event).__name__ == kind


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *[("JobExited", "attempt", each) for each in (1.0, True, "1", None, [], {})],
        *[("JobExited", "retry", each) for each in (1, 0.0, "yes", None)],
        *[("JobExited", "tail", each) for each in ("x", ["x", 1], {"x": 1}, None)],
        *[("JobExited", "ended_at", each) for each in (-1, 1e12, math.nan, math.inf, True, "5")],
        *[("JobExited", "at", 5.0), ("JobExited", "number", 5), ("JobExited", "more", 5)],
        *[("JobLaunched", "since", each) for each in (-1, 1e12, "5", False)],
        *[("JobLaunched", "handle", each) for each in (None, [], "x")],
        *[("JobSuggested", "hyperparameters", {"x": each}) for each in (True, None, [], {})],
        *[("JobSuggested", "seconds", each) for each in (True, "0.5", None)],
        *[("JobStopRequested", "reason", each) for each in ("Bored", 1, None)],
    ],
)
def test_no_other_type_will_do(kind: str, field: str, value: object) -> None:
    with pytest.raises(TypeError, match=field):
        from_fields(kind, 6.0, 7, {**FIELDS[kind], field: value})


@pytest.mark.parametrize("at", [-1, 1e12, math.nan, math.inf, "5", None, True])
def test_what_happened_at_no_time_did_not_happen(at: Any) -> None:
    with pytest.raises(TypeError, match="at of JobExited"):
        from_fields("JobExited", at, 7, EXITED)


@pytest.mark.parametrize("number", [None, 1.0, "7", True])
def test_what_happened_to_no_job_did_not_happen(number: Any) -> None:
    with pytest.raises(TypeError):
        from_fields("JobExited", 6.0, number, EXITED)


@pytest.mark.parametrize("field", ["attempt", "exit_code", "ended_at"])
def test_what_has_no_default_must_be_there(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        from_fields("JobExited", 6.0, 7, {k: v for k, v in EXITED.items() if k != field})


@pytest.mark.parametrize("kind", ["JobVanished", "ObservationsRead", "JobJudged", "Event"])
def test_no_other_event_will_do(kind: str) -> None:
    with pytest.raises(KeyError):
        from_fields(kind, 6.0, 7, {"attempt": 1})
