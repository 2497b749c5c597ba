"""What is warned of, and what is not."""

from __future__ import annotations

import pytest

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.events import Warned
from hpt_cli.tuning.warnings import (
    warn_of_claims,
    warn_of_held_back_output,
    warn_of_misreadings,
    warn_of_no_objective,
    warn_of_same_curves,
    warn_of_shared_files,
)
from tests import builders as b

SPEC = b.make_spec()


@pytest.mark.parametrize(
    ("values", "seen_after", "seconds", "warns"),
    [
        (30, 11.9, 12.0, True),
        (30, 0.4, 12.0, False),  # an epoch every 0.4 s
        (2, 11.9, 12.0, False),  # printed at the end, and rightly so
        (30, 0.9, 1.0, False),  # too short to matter
        (3, 990.0, 1000.0, True),
    ],
)
def test_output_that_comes_at_the_end_is_held_back(
    values: int, seen_after: float, seconds: float, warns: bool
) -> None:
    warning = warn_of_held_back_output(SPEC, 1, values, seen_after, seconds, 0.0)
    assert (warning is not None) == warns


def test_a_job_without_an_objective_is_explained_by_what_it_printed() -> None:
    lines = [f"Epoch {n}: validation Loss was {1 / n:.3f}" for n in range(1, 251)]
    warning = warn_of_no_objective(SPEC, 1, lines, 5.0, 0.0)
    assert warning.message == (
        "story-0001 has printed 250 lines but no value of loss; it has run for 5 s"
    )
    assert warning.lines[-1] == lines[-1]
    assert "({num})" in warning.definitions[0]
    silent = warn_of_no_objective(SPEC, 1, [], 60.0, 0.0)
    assert "printed nothing" in silent.message
    assert "pty: true" in silent.hint
    assert "hpt logs" in warn_of_no_objective(SPEC, 1, ["no numbers"], None, 0.0).hint


def test_an_after_that_fits_no_line_is_told_where_the_objective_is_missed() -> None:
    definition = {"name": "loss", "regex": "loss: ({num})", "after": "^Vall"}
    spec = b.make_spec(metric_definitions=[definition])
    lines = ["Val (epoch 1)", "loss: 0.1"]
    hint = warn_of_no_objective(spec, 1, lines, None, 0.0).hint
    assert hint.startswith("no line before its matches is one that after: '^Vall' fits; ")
    other = warn_of_no_objective(spec, 1, ["Val", "accuracy: 0.1"], None, 0.0).hint
    assert "after" not in other


def test_an_objective_that_is_read_from_a_file_is_missed_there() -> None:
    definition = {"name": "loss", "column": "val_loss", "file": "metrics.csv"}
    spec = b.make_spec(metric_definitions=[definition])
    warning = warn_of_no_objective(spec, 1, [], 60.0, 0.0)
    assert warning.message == "story-0001 has no value of loss in metrics.csv"
    assert "HPT_JOB_DIR" in warning.hint


def test_a_file_in_which_nothing_matches_is_shown_with_what_would() -> None:
    definition = {"name": "loss", "json": "loss", "step": "step", "file": "m.json"}
    spec = b.make_spec(metric_definitions=[definition])
    lines = ["{", '  "step": 1,', '  "eval": {"loss": 0.5}', "}"]
    warned = warn_of_no_objective(spec, 1, lines, None, 0.0)
    assert "m.json, of which 4 lines have been read" in warned.message
    (proposed,) = warned.definitions
    assert "json: 'eval.loss'" in proposed
    assert "file: 'm.json'" in proposed
    assert warned.lines == ('  "eval": {"loss": 0.5}',)


def test_values_that_are_read_wrong_are_told() -> None:
    spec = b.make_spec(
        metric_definitions=[{"name": "loss", "regex": "s {step} loss ({num})"}],
    )
    (cut,) = warn_of_misreadings(spec, 1, b"s 1 loss 0,91\n", 0.0)
    assert cut.message == "story-0001: loss: line 1: 0,91 is read as 0"
    assert "0.91" in cut.hint
    (twice,) = warn_of_misreadings(spec, 1, b"s 1 loss 2\ns 1 loss 3\n", 0.0)
    assert twice.slug == "step-twice"
    assert warn_of_misreadings(spec, 1, b"s 1 loss 2\n", 0.0) == []


def warn(*jobs: list[float]) -> Warned | None:
    events = [event for number, curve in enumerate(jobs, 1) for event in b.run(number, *curve)]
    return warn_of_same_curves(SPEC, b.fold_all(*b.created(SPEC), *events), 0.0)


def test_the_same_curve_in_every_job_is_odd() -> None:
    assert warn([3, 2], [3, 2], [3, 2]) is not None
    assert warn([3, 2], [3, 2]) is None
    assert warn([3, 2], [3, 2], [3, 2.5]) is None
    assert warn([], [], []) is None


def test_the_end_of_the_first_curve_in_every_job_is_that_of_its_checkpoint() -> None:
    warning = warn([3, 2, 1], [1], [1], [1], [1])
    assert warning is not None
    assert "HPT_CHECKPOINT_DIR" in warning.hint
    assert warn([3, 2, 1], [1], [1], [1], [2]) is None
    assert warn([3, 2, 1], [2, 1], [2, 1]) is not None
    assert warn([3, 2, 1], [4, 3, 2, 1], [3, 2, 1]) is None


def test_files_that_are_shared_are_named() -> None:
    warning = warn_of_shared_files(["a.pt", "b.pt", "c.pt", "d.pt"], 0.0)
    assert warning.message.endswith("in the working directory: a.pt, b.pt, c.pt and 1 more")
    assert "HPT_CHECKPOINT_DIR" in warning.hint


def test_a_single_value_may_well_be_the_same() -> None:
    assert warn(*[[1.0]] * 4) is None
    assert warn(*[[1.0]] * 5) is not None


def test_jobs_that_wait_for_what_is_claimed_are_told_of_once() -> None:
    def warn_at(*events: ev.Event, claimed: tuple[int, ...] = (0, 1)) -> Warned | None:
        state = b.fold_all(*b.created(SPEC), *events)
        return warn_of_claims(SPEC, state, claimed, 0.0)

    warning = warn_at(*b.suggested(1))
    assert warning is not None
    assert warning.message.endswith("what another tuning job holds: cores 0, 1")
    assert warn_at(*b.suggested(1), warning) is None
    assert warn_at(*b.suggested(1), claimed=()) is None
    assert warn_at(*b.suggested(1), *b.launched(1)) is None
    running = [event for number in (1, 2) for event in (*b.suggested(number), *b.launched(number))]
    assert warn_at(*running, *b.suggested(3)) is None, "it waits for a slot"
