"""What hpt explain says, for every way in which a training job can end."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from hpt_cli.formatting import format_time
from hpt_cli.reports.explain import (
    Explanation,
    conclude,
    describe_pauses,
    name_rule,
    render,
    to_json,
)
from hpt_cli.spec.parts import EarlyStopping
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import summarize
from tests import builders as b


def judged(step: float, reason: str, stop: bool = False, **evidence: Any) -> ev.JobJudged:
    return ev.JobJudged(
        at=step, number=2, attempt=1, step=step, stop=stop, reason=reason, evidence=evidence
    )


def explain(
    *events: ev.Event, judgements: tuple[ev.JobJudged, ...] = (), rule: str | None = "auto"
) -> Explanation:
    """Job 2, after a job 1 that ended with 0.5."""
    state = b.fold_all(
        *b.created(b.make_spec()), *b.run(1, 0.9, 0.5, at=-9), *b.suggested(2), *events
    )
    summary = summarize(state, now=9, at_work=True)
    return Explanation(summary, summary.rows[-1], rule, summary.objective, judgements)


WAITING = judged(1, "1 of 2 jobs completed", loss=0.9, jobs=1)
GOING = judged(2, "43% likely to beat job 1", loss=0.8, held_against=0.5, margin=0.3)
STOPPING = judged(3, "under 1% likely to beat job 1", stop=True, loss=0.7, held_against=0.5)
STARTED = [*b.launched(2), b.observed(2, 0.9, 0.8, 0.7)]
ENDED = [*STARTED, b.exited(2, at=4)]


@pytest.mark.parametrize(
    ("events", "judgements", "expected"),
    [
        (ENDED, [WAITING], "ran to its end, compared with no other job: 1 of 2 jobs completed"),
        (ENDED, [WAITING, GOING], "ran to its end, not stopped early: at epoch 2, 43% likely"),
        (
            [*b.launched(2), b.exited(2, 3)],
            [],
            "is Failed (exit code 3), never judged: it had reported no value of",
        ),
        (STARTED, [GOING], "is InProgress, not stopped early: at epoch 2"),
        (
            [*STARTED, b.stop(2, at=3), b.exited(2, -15, at=4)],
            [GOING, STOPPING],
            "was stopped at epoch 3: under 1% likely to beat job 1",
        ),
        (
            [*STARTED, b.stop(2, at=3), b.exited(2, at=2)],
            [GOING, STOPPING],
            "ran to its end just before it was to be stopped at epoch 3: under 1%",
        ),
        (
            [*STARTED, b.stop(2, "StoppedByUser", at=3), b.exited(2, -15, at=4)],
            [GOING],
            "is Stopped (StoppedByUser), not stopped early: at epoch 2",
        ),
    ],
)
def test_the_conclusion(
    events: list[ev.Event], judgements: list[ev.JobJudged], expected: str
) -> None:
    explanation = explain(*events, judgements=tuple(judgements))
    assert conclude(explanation).startswith(f"story-0002 {expected}")


def test_a_maximized_objective_is_shown_as_it_was_printed() -> None:
    spec = b.make_spec(objective_type="Maximize")
    state = b.fold_all(*b.created(spec), *b.suggested(2), *b.launched(2), b.observed(2, 0.8))
    summary = summarize(state, now=9, at_work=True)
    seen = judged(1, "30% likely", loss=-0.8, held_against=-0.9, margin=0.1, held_against_job=1)
    document = to_json(Explanation(summary, summary.rows[0], "auto", summary.objective, (seen,)))
    (judgement,) = document["judgements"]
    assert (judgement["value"], judgement["held_against"], judgement["margin"]) == (0.8, 0.9, 0.1)
    assert judgement["evidence"]["loss"] == -0.8


def test_long_jobs_and_unknown_evidence_fit_the_terminal() -> None:
    events = [*b.launched(2), b.observed(2, *(1 / (n + 1) for n in range(300)))]
    many = tuple(
        judged(n + 1.0, "12% likely to beat job 1", loss=1 / (n + 1), odd="?", probability=0.12)
        for n in range(300)
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(explain(*events, judgements=many)))
    text = console.export_text()
    assert "20 of 300 judged epochs" in text
    assert "12.0%" in text
    assert max(map(len, text.splitlines())) <= 80
    assert len(to_json(explain(*events, judgements=many))["judgements"]) == 300


def test_what_lets_a_job_go_on_whatever_its_chance_is_said() -> None:
    bent = judged(2, "at its pace it would beat job 1", probability=0.248, stop_below=0.03)
    console = Console(width=100, file=io.StringIO())
    console.print(render(explain(*STARTED, judgements=(bent,))))
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "stopped below 3.0% if it had been below at the epoch before too" in text
    assert "whatever its chance, a job goes on" in text


def test_the_plot_marks_what_is_no_number_and_cuts_off_what_is_far_away() -> None:
    console = Console(width=60, height=24, file=io.StringIO())
    wild = [*b.launched(2), b.observed(2, 0.9, math.nan, 0.8, 1e17)]
    console.print(render(explain(*wild)))
    plot = console.file.getvalue()  # type: ignore[attr-defined]
    assert plot.count("×") == 1
    assert "★" in plot
    assert "0.8 ┤" in plot
    assert "e+" not in plot


def test_a_rule_is_named_as_replay_takes_it() -> None:
    rule = EarlyStopping.model_validate({"rule": "median", "min_completed_jobs": 3})
    assert name_rule(rule) == "median:min_completed_jobs=3"
    assert name_rule(EarlyStopping(rule="auto")) == "auto"
    assert name_rule(None) is None


def paused(at: float) -> ev.JobPaused:
    evidence = {"step": 3.0, "rung": 3}
    return ev.JobPaused(at=at, number=2, attempt=1, reason="job 7 was better", evidence=evidence)


def test_when_a_job_was_paused_and_went_on_is_said() -> None:
    thawed = ev.JobThawed(at=8, number=2, attempt=1, reason="it was the best of those that waited")
    went_on = [*STARTED, paused(5), thawed]
    waiting = explain(*went_on, paused(20), judgements=(GOING,))
    assert describe_pauses(waiting) == [
        "paused at epoch 3, after 5.0 s, as job 7 was better; went on after 8.0 s: it was the best"
        " of those that waited",
        "paused at epoch 3, after 20 s, as job 7 was better; it waits for its turn",
    ]
    assert conclude(waiting).startswith("story-0002 is paused, not stopped early: at epoch 2")
    first, second = to_json(waiting)["pauses"]
    assert (first["step"], first["reason"]) == (3, "job 7 was better")
    assert (first["thaw_reason"], second["thaw_reason"]) == (thawed.reason, None)
    assert (first["thaw_time"], second["thaw_time"]) == (format_time(8), None)
    stopped = explain(*STARTED, paused(5), b.stop(2, at=7), b.exited(2, -15, at=8))
    assert describe_pauses(stopped)[0].endswith("; was stopped there after 7.0 s")
