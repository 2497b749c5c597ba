"""Where the hyperparameters of a training job come from: part of the report of `hpt explain`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hpt_cli.formatting import format_number, plain
from hpt_cli.tuning.summary import Row, Summary

if TYPE_CHECKING:
    from hpt_cli.tuning.steering.origins import Origin

DIGITS = 4


def describe_origin(origin: Origin, summary: Summary, row: Row) -> list[str]:
    """Return how hyperparameters were chosen, what was expected of them and what came."""
    lines = [plain(f"its hyperparameters {_describe_way(origin)}")]
    expected = origin.expectation
    if expected is None:
        return lines
    objective = summary.objective
    values = [objective.from_loss(each) for each in (expected.low, expected.high)]
    loss, best = (objective.from_loss(each) for each in (expected.loss, expected.best))
    loss_text, low, high, best_text = (
        format_number(each, DIGITS) for each in (loss, *sorted(values), best)
    )
    came = "not known yet" if row.final is None else format_number(row.final, DIGITS)
    lines.append(
        plain(
            f"expected {objective.metric}: {loss_text} (likely {low} to {high});"
            f" came: {came}; the best until then: {best_text}"
        )
    )
    nearest = ", ".join(_describe_nearest(origin, summary))
    return [*lines, f"learned most from what is most like it: {nearest}"]


def _describe_way(origin: Origin) -> str:
    strategy, source = origin.strategy, origin.source
    words = {
        "proposed": f"were proposed by {source}",
        "completed": f"were proposed by {source}, and {strategy} chose what was left out",
        "initial": "are one of the points to try first (initial_hyperparameters)",
        "transferred": "were among the best of a parent",
        "opening": f"belong to the opening of {strategy}: spread evenly, before it asks its model",
        "model": f"were chosen by the model of {strategy}",
        "grid": "are the next point of the grid",
        "sequence": f"are the next point of {strategy}, whatever the results",
    }[origin.way]
    if origin.way in ("model", "completed") and origin.expectation is not None:
        explores = origin.expectation.explores
        words += ", to explore: it knew little of this place" if explores else ", to exploit:"
        words += "" if explores else " it knew this place well"
    return words


def _describe_nearest(origin: Origin, summary: Summary) -> Iterator[str]:
    finals = {row.number: row.final for row in summary.rows}
    for number, alike in origin.expectation.nearest if origin.expectation else ():
        if number > 0:
            yield f"job {number} ({format_number(finals.get(number), DIGITS)}; {alike:.0%} alike)"
        else:
            yield f"one of a parent ({alike:.0%} alike)"


def suggestion_to_json(origin: Origin, summary: Summary, row: Row) -> dict[str, Any]:
    """Return the same with the names of docs/json.md."""
    expected, objective = origin.expectation, summary.objective
    values: Sequence[float | None] = (None,) * 4
    nearest: list[dict[str, float]] = []
    if expected is not None:
        low, high = sorted(objective.from_loss(each) for each in (expected.low, expected.high))
        loss, best = (objective.from_loss(each) for each in (expected.loss, expected.best))
        values = [each if math.isfinite(each) else None for each in (loss, low, high, best)]
        nearest = [
            {"training_job_number": number, "similarity": alike}
            for number, alike in expected.nearest
        ]
    return {
        "way": origin.way,
        "strategy": origin.strategy,
        "source": origin.source,
        "expected_objective_value": values[0],
        "expected_at_least": values[1],
        "expected_at_most": values[2],
        "best_objective_value_before": values[3],
        "final_objective_value": row.final,
        "explores": None if expected is None else expected.explores,
        "learned_from": nearest,
        "explanation": describe_origin(origin, summary, row),
    }
