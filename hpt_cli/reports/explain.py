"""Why a training job has its hyperparameters, and why it was stopped early, or was not.

Evidence in the journal is in losses. Here values are those of the objective metric again, as the
command printed them; a margin above 0 always means that the job was worse.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import NOTHING, count, format_clock, format_number, format_time, plain, thin
from hpt_cli.reports.origin import describe_origin, suggestion_to_json
from hpt_cli.reports.render.columns import describe_reason
from hpt_cli.reports.render.plot import Axis, Line, Plot, find_axis
from hpt_cli.reports.render.table import KEPT, Column, Grid
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.parts import EarlyStopping
from hpt_cli.tuning.events import JobJudged
from hpt_cli.tuning.jobs.training_job import Pause
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, Summary

if TYPE_CHECKING:
    from hpt_cli.reports import json_types as json_types
    from hpt_cli.tuning.steering.origins import Origin

MAX_ROWS = 20
RANKS = {
    "attempt": KEPT,
    "epoch": KEPT,
    "value": KEPT,
    "against": 1,
    "from": 3,
    "jobs": 4,
    "margin": 2,
    "chance": KEPT,
    "verdict": KEPT,
}
"""The columns of judgements; those of the highest rank are left out first."""
VERDICT_WIDTH = 16
CLIPPED = 0.05
"""The share of values at either end that may lie outside the plot, as those of a diverged job."""
FAR = 3
"""A value is cut off if its distance from the others is more than so many times their span."""


@dataclass(frozen=True)
class Explanation:
    """One training job of a tuning job and its judgements. `rule` is None for Off.

    The curves of all rows are those of the metric by which jobs are judged.
    """

    summary: Summary
    row: Row
    rule: str | None
    judged: Objective
    judgements: tuple[JobJudged, ...]
    origin: Origin | None = None
    """Where its hyperparameters come from; None where that is not asked."""


def make_explanation(
    spec: TuningSpec,
    state: TuningState,
    summary: Summary,
    number: int,
    judgements: Sequence[JobJudged],
    origin: Origin | None = None,
) -> Explanation:
    """Return the explanation of the training job of a number."""
    judged = spec.judged
    if judged.metric != summary.objective.metric:
        curves = {row.number: state.jobs[row.number].curve(judged.metric) for row in summary.rows}
        rows = tuple(replace(row, curve=curves[row.number]) for row in summary.rows)
        summary = replace(summary, rows=rows)
    row = next(row for row in summary.rows if row.number == number)
    rule = name_rule(spec.stop_rule)
    return Explanation(summary, row, rule, judged, tuple(judgements), origin)


def name_rule(rule: EarlyStopping | None) -> str | None:
    """Return a stop rule with its parameters, as `hpt replay --rule` takes it; None for Off."""
    if rule is None:
        return None
    parameters = ",".join(f"{name}={value:g}" for name, value in rule.parameters.items())
    return f"{rule.rule}:{parameters}" if parameters else rule.rule


def render(explanation: Explanation) -> RenderableType:
    """Return the conclusion, the judgements as a table, and the curves as a plot."""
    blocks: list[RenderableType] = [Text(conclude(explanation), style="bold")]
    if explanation.rule is None:
        replay = f"hpt replay {explanation.summary.name}"
        blocks.append(Text(f"see what a stop rule would have done: {replay}"))
    else:
        by = explanation.judged
        way = (
            f", by {plain(by.metric)}" if by.metric != explanation.summary.objective.metric else ""
        )
        blocks.append(Text(f"rule: {explanation.rule}{way}"))
    if explanation.origin is not None:
        lines = describe_origin(explanation.origin, explanation.summary, explanation.row)
        blocks += map(Text, lines)
    blocks += [Text(plain(each)) for each in describe_pauses(explanation)]
    if explanation.judgements:
        blocks += [Text(), _render_table(explanation)]
    if explanation.row.curve:
        blocks += [Text(), *_render_plot(explanation)]
    return Group(*blocks)


def conclude(explanation: Explanation) -> str:
    """Return why the job was stopped, or why it was not, in a sentence."""
    return plain(f"{explanation.row.name} {_find_outcome(explanation)}")


def _find_outcome(explanation: Explanation) -> str:
    row, judgements = explanation.row, explanation.judgements
    end = _describe_end(row)
    if explanation.rule is None:
        return f"{end}: early stopping is Off, so it was not judged"
    if not judgements:
        metric = explanation.judged.metric
        return f"{end}, never judged: it had reported no value of {metric}"
    last = judgements[-1]
    epoch = format_number(last.step)
    if row.stop_reason == "EarlyStopped":
        return f"was stopped at epoch {epoch}: {last.reason}"
    if last.stop:
        return f"{end} just before it was to be stopped at epoch {epoch}: {last.reason}"
    if not any("held_against" in each.evidence for each in judgements):
        return f"{end}, compared with no other job: {last.reason}"
    return f"{end}, not stopped early: at epoch {epoch}, {last.reason}"


def describe_pauses(explanation: Explanation) -> list[str]:
    """Return when and why a job was paused and went on, a sentence for each time."""
    row, began = explanation.row, explanation.summary.created_at
    return [
        f"paused at epoch {format_number(each.evidence.get('step'))}, after"
        f" {format_clock(each.since - began)}, as {each.reason}; {_describe_turn(each, row, began)}"
        for each in row.pauses
    ]


def _describe_turn(pause: Pause, row: Row, began: float) -> str:
    if pause.until is None:
        return "it waits for its turn"
    after = f"after {format_clock(pause.until - began)}"
    if pause.went_on:
        return f"went on {after}: {pause.went_on}"
    return f"{'was stopped' if row.status in ('Stopped', 'Stopping') else 'ended'} there {after}"


def _describe_end(row: Row) -> str:
    if row.phase == "Paused":
        return "is paused"
    if row.status == "Completed":
        return f"ran to its end, and {row.breaks}" if row.breaks else "ran to its end"
    has_ended = row.status in ("Stopped", "Failed")
    return f"is {row.status} ({describe_reason(row)})" if has_ended else f"is {row.status}"


def _render_table(explanation: Explanation) -> RenderableType:
    """Return a row for each judgement; a narrow terminal leaves out the evidence."""
    judgements = explanation.judgements
    shown = thin(judgements, MAX_ROWS)
    values = (_list_cells(explanation, each) for each in shown)
    cells = dict(zip(RANKS, zip(*values, strict=True), strict=True))
    if len({each.attempt for each in judgements}) == 1:
        del cells["attempt"]
    columns = [
        Column(name, texts, right=True, rank=RANKS[name])
        if name != "verdict"
        else Column(name, texts, shrinks_to=VERDICT_WIDTH)
        for name, texts in cells.items()
    ]
    styles = ["bold red" if each.stop else "" for each in shown]
    notes = [Text(note, style="dim") for note in _list_notes(explanation, len(shown))]
    return Group(Grid(columns, styles), *notes)


def _list_cells(explanation: Explanation, judgement: JobJudged) -> list[str]:
    evidence = judgement.evidence
    held_against = _to_value(evidence.get("held_against"), explanation.judged)
    leader, jobs = evidence.get("held_against_job"), evidence.get("jobs")
    chance = evidence.get("probability")
    return [
        str(judgement.attempt),
        format_number(judgement.step),
        format_number(_value_of(explanation, judgement)),
        format_number(held_against),
        NOTHING if leader is None else f"job {leader:g}",
        NOTHING if jobs is None else f"{jobs:g}",
        format_number(evidence.get("margin"), 3),
        NOTHING if chance is None else f"{chance:.1%}",
        f"{'stop: ' if judgement.stop else ''}{plain(judgement.reason)}",
    ]


def _list_notes(explanation: Explanation, shown: int) -> list[str]:
    """Return what is needed to read the table correctly."""
    judgements = explanation.judgements
    notes = []
    if shown < len(judgements):
        notes.append(f"{shown} of {len(judgements)} judged epochs; all with --json")
    if any("margin" in each.evidence for each in judgements):
        best = any(map(_counts_from_best, judgements))
        of = "the job's best value so far" if best else "the value"
        notes.append(f"margin: how much worse {of} is than the value it was compared with")
    bars = [each.evidence["stop_below"] for each in judgements if "stop_below" in each.evidence]
    if bars:
        notes += [
            f"chance: of beating the best job; at the last epoch a job was stopped below"
            f" {bars[-1]:.1%} if it had been below at the epoch before too",
            "whatever its chance, a job goes on if it is as good as the best job was at the same"
            " epoch, or behind it by no more than noise",
        ]
    notes += _describe_calibration(judgements[-1].evidence)
    return notes


def _describe_calibration(evidence: Mapping[str, Any]) -> list[str]:
    """Return what completed jobs told of the stated chances, where the rule learns from them."""
    if not evidence.get("judged_again"):
        return []
    again, lost = int(evidence["judged_again"]), int(evidence["wrongly_stopped"])
    of_them = "none" if not lost else "it" if again == 1 else f"{lost}"
    told = f"of {count(again, 'finished job')}, {of_them} would have been stopped wrongly"
    return [f"chances count {evidence['doubt']:.2g} times what is usual: {told} at this risk"]


def _counts_from_best(judgement: JobJudged) -> bool:
    """Return whether the margin is that of an earlier value than the one at this epoch."""
    evidence = judgement.evidence
    if not {"loss", "held_against", "margin"} <= evidence.keys():
        return False
    gap, margin = evidence["loss"] - evidence["held_against"], evidence["margin"]
    return math.isfinite(gap) and not math.isclose(gap, margin, rel_tol=1e-6, abs_tol=1e-9)


def _to_value(loss: Any, objective: Objective) -> float | None:
    """Return a loss of the evidence as a value of the objective metric."""
    if not isinstance(loss, (int, float)):
        return None
    return -loss if objective.maximize else loss


def _value_of(explanation: Explanation, judgement: JobJudged) -> float | None:
    """Return the value that was judged: with some rules the best so far, else the latest."""
    loss = judgement.evidence.get("loss")
    if isinstance(loss, (int, float)) and math.isfinite(loss):
        return _to_value(loss, explanation.judged)
    return dict(explanation.row.curve).get(judgement.step)


# -- the plot ------------------------------------------------------------------------------------


def _render_plot(explanation: Explanation) -> list[RenderableType]:
    """Return the job's curve, with the best and the middle half of the jobs that had ended."""
    row, judged = explanation.row, explanation.judged
    others = find_known_rows(explanation)
    steps = sorted({step for each in (row, *others) for step, _ in each.curve})
    quartiles = [(step, *each) for step in steps if (each := _find_band(others, step, judged))]
    best = [(step, value) for step, value, _, _ in quartiles]
    band = [(step, low, high) for step, _, low, high in quartiles]
    plot = Plot(
        lines=[Line(best, "green", "★"), Line(row.curve, "bold", "●", gap="×")],
        x=find_axis("epoch", steps, counts=True),
        y=_find_values(judged.metric, [value for _, value in row.curve], quartiles),
        band=band,
    )
    legend = Text(f"● job {row.number}", style="bold")
    if band:
        legend.append("   ★ best", style="green")
        words = f" and ░ middle half of {count(len(others), 'job')} that had ended"
        legend.append(words, style="dim")
    return [plot, legend]


def _find_values(metric: str, own: Sequence[float], quartiles: Sequence[tuple[float, ...]]) -> Axis:
    """Return the axis that fits the others, and the job's own values unless they are far off."""
    others = [value for _, *values in quartiles for value in values] or own
    axis = find_axis(metric, others, clip=CLIPPED)
    far = FAR * (axis.high - axis.low)
    near = [value for value in own if axis.low - far <= value <= axis.high + far]
    return find_axis(metric, others, clip=CLIPPED, whole=near)


def find_known_rows(explanation: Explanation) -> list[Row]:
    """Return the other jobs that had ended when this one was last judged, or ended."""
    judgements, row = explanation.judgements, explanation.row
    until = judgements[-1].at if judgements else row.ended_at or math.inf
    return [
        each
        for each in explanation.summary.rows
        if each.number != row.number
        and each.curve
        and each.ended_at is not None
        and each.ended_at <= until
    ]


def _find_band(
    rows: Sequence[Row], step: float, objective: Objective
) -> tuple[float, float, float] | None:
    """Return the best value and the quartiles of the jobs that reached a step."""
    values = []
    for row in rows:
        place = bisect_left(row.curve, (step,))
        if place < len(row.curve) and math.isfinite(row.curve[place][1]):
            values.append(row.curve[place][1])
    if not values:
        return None
    best = min(values, key=objective.loss)
    if len(values) == 1:
        return best, best, best
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return best, low, high


def to_json(explanation: Explanation) -> json_types.Explanation:
    """Return the conclusion and every judgement; `evidence` is as recorded, in losses."""
    summary, row, origin = explanation.summary, explanation.row, explanation.origin
    return {
        "tuning_job_name": summary.name,
        "training_job_name": row.name,
        "training_job_number": row.number,
        "training_job_status": row.status,
        "objective_metric_name": summary.objective.metric,
        "objective_type": summary.objective.type,
        "judged_metric_name": explanation.judged.metric,
        "judged_metric_type": explanation.judged.type,
        "rule": explanation.rule,
        "stop_reason": row.stop_reason,
        "stop_explanation": row.explanation or None,
        "conclusion": conclude(explanation),
        "suggestion": None if origin is None else suggestion_to_json(origin, summary, row),
        "pauses": [_pause_to_json(each) for each in row.pauses],
        "judgements": [_judgement_to_json(explanation, each) for each in explanation.judgements],
    }


def _pause_to_json(pause: Pause) -> json_types.Pause:
    return {
        "step": pause.evidence.get("step"),
        "reason": pause.reason,
        "pause_time": format_time(pause.since),
        "thaw_time": format_time(pause.until),
        "thaw_reason": pause.went_on or None,
        "evidence": pause.evidence,
    }


def _judgement_to_json(explanation: Explanation, judgement: JobJudged) -> json_types.Judgement:
    evidence = judgement.evidence
    return {
        "attempt": judgement.attempt,
        "step": judgement.step,
        "stop": judgement.stop,
        "reason": judgement.reason,
        "value": _value_of(explanation, judgement),
        "held_against": _to_value(evidence.get("held_against"), explanation.judged),
        "held_against_job": evidence.get("held_against_job"),
        "jobs": evidence.get("jobs"),
        "margin": evidence.get("margin"),
        "probability": evidence.get("probability"),
        "evidence": evidence,
    }
