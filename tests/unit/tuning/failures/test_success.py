"""Whether an attempt succeeded, by its exit code and its output."""

from __future__ import annotations

import pytest

from hpt_cli.spec.parts import Success
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.failures.success import Ending, judge_end, propose_codes
from tests import builders as b

BOTH = Success(exit_codes=(0, 139), when="saved")
TEXT = Success(when="saved")
CODES = Success(exit_codes=(0, 139))
ABSENT = "'saved' (success.when) is not in its output"


@pytest.mark.parametrize(
    ("success", "code", "why", "has_text", "ending"),
    [
        (None, 0, "", False, Ending(True)),
        (None, 3, "", True, Ending(False)),
        (None, 0, "timed out", False, Ending(False, "timed out")),
        (BOTH, -11, "", True, Ending(True)),
        (BOTH, 139, "", True, Ending(True)),
        (BOTH, -11, "", False, Ending(False, ABSENT)),
        (BOTH, 0, "", False, Ending(False, ABSENT)),
        (BOTH, 1, "", True, Ending(False)),
        (BOTH, 0, "timed out", True, Ending(True)),
        (BOTH, 0, "timed out", False, Ending(False, "timed out")),
        (TEXT, 1, "", True, Ending(True)),
        (TEXT, 1, "", False, Ending(False, ABSENT)),
        (CODES, 139, "", False, Ending(True)),
        (CODES, 0, "timed out", True, Ending(False, "timed out")),
        (
            Success(exit_codes=(7,)),
            0,
            "",
            False,
            Ending(False, "exit code 0 is none of success.exit_codes"),
        ),
    ],
)
def test_what_is_given_must_hold(
    success: Success | None, code: int, why: str, has_text: bool, ending: Ending
) -> None:
    assert judge_end(success, code, why, has_text=has_text) == ending


def test_an_attempt_that_succeeded_by_the_spec_has_no_failure() -> None:
    exited = ev.JobExited(
        at=1, number=1, attempt=1, exit_code=-11, ended_at=1, succeeded=True, tail=()
    )
    start = [*b.created(b.make_spec()), *b.suggested(1), *b.launched(1), b.observed(1, 2.0)]
    job = b.fold_all(*start, exited).jobs[1]
    assert (job.phase, job.failure_reason, job.attempts[0].failure) == ("Completed", "", "")
    assert job.attempts[0].exit_code == -11


def test_codes_are_proposed_of_jobs_that_failed_by_themselves_with_values() -> None:
    start = [*b.created(b.make_spec()), *b.suggested(1), *b.launched(1)]
    assert propose_codes(b.fold_all(*start, b.observed(1, 2.0), b.exited(1, -11))) == [0, 139]
    assert propose_codes(b.fold_all(*start, b.exited(1, -11))) == []
    assert propose_codes(b.fold_all(*start, b.observed(1, 2.0), b.exited(1, -9))) == []
