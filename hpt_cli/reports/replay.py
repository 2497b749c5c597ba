"""The effects of stop rules on a tuning job or a curve table: a row for each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.analysis.replay import Figures, Recording, Replay, measure
from hpt_cli.errors import HptError
from hpt_cli.formatting import count, format_column, format_number, format_seconds, plain
from hpt_cli.reports.render.table import KEPT, Column, Grid
from hpt_cli.spec.names import job_name
from hpt_cli.spec.parts import Pausing
from hpt_cli.stop_rules import StopRule

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import ReplayedRule

ENOUGH = 0.95
"""A rule that keeps the best job less often than this is not recommended."""


@dataclass(frozen=True)
class RuleRow:
    """One rule, as the user wrote it, and its effects."""

    rule: str
    figures: Figures
    pausing: bool = False
    """Whether training jobs were paused for likelier ones."""
    stopped: tuple[tuple[int, int], ...] = ()
    """(number, epochs) of each training job that it would have stopped."""
    best: float | None = None
    """With the rule, for a tuning job: the best final value."""

    @property
    def label(self) -> str:
        """The rule as the table and the sentence name it."""
        return f"{self.rule}, pausing" if self.pausing else self.rule


@dataclass(frozen=True)
class ReplayReport:
    """The replays of one tuning job, or the mean of those of a table."""

    heading: str
    jobs: int
    rows: tuple[RuleRow, ...]
    replays: int = 1
    off: str = ""
    """What the training jobs took with Off, as text."""
    name: str | None = None
    """The tuning job's; a table has none."""
    best: float | None = None
    """With Off, for a tuning job: the best final value."""
    left_out: int = 0
    """The number of training jobs whose curves are incomplete."""


INCOMPLETE = "incomplete curves, as when stopped early"
LOSS = (
    "best job kept: the job that is best with Off was not stopped. loss: how much worse the best"
    " value is than with Off, as a share of the distance from the median job to the best."
)


def report_tuning_job(
    name: str,
    recording: Recording,
    rules: Mapping[str, StopRule],
    pausings: Sequence[Pausing | None] = (None,),
) -> ReplayReport:
    """Return what stop rules would have done to a tuning job.

    Args:
        rules: by what the user wrote.
        pausings: how training jobs are paused, for each of which every rule is replayed.

    Raises:
        HptError: no training job ran to its end with a value.
    """
    objective, off = recording.objective, recording.replay(None)
    if not off.final_losses:
        raise HptError.of(
            "replay-none",
            f"no training job of {name} ran to its end with a value of {objective.metric}",
            "run it with early_stopping_type: Off first",
        )
    jobs, parallel = len(recording.jobs), recording.max_parallel_jobs
    return ReplayReport(
        heading=f"{name}: {count(jobs, 'training job')}, {parallel} in parallel",
        jobs=jobs,
        rows=tuple(
            _measure(recording, off, text, rule, pausing)
            for pausing in pausings
            for text, rule in rules.items()
        ),
        name=name,
        left_out=recording.left_out,
        off=_describe_off(off),
        best=off.best_value,
    )


def _measure(
    recording: Recording, off: Replay, text: str, rule: StopRule, pausing: Pausing | None
) -> RuleRow:
    run, numbers = recording.replay(rule, pausing), list(recording.jobs)
    metric = off.objective.metric
    return RuleRow(
        rule=text,
        pausing=pausing is not None,
        figures=measure(off, run, off.final_losses.values()),
        stopped=tuple((numbers[job.number - 1], len(job.curve(metric))) for job in run.stopped),
        best=run.best_value,
    )


def _describe_off(off: Replay) -> str:
    """Return in words what a tuning job took without a rule, and what it found."""
    return (
        f"with Off: {count(off.epochs, 'epoch')},"
        f" training time {format_seconds(off.training_time)},"
        f" tuning time {format_seconds(off.tuning_time)},"
        f" best {format_number(off.best_value)}"
    )


def render(reports: Sequence[ReplayReport]) -> RenderableType:
    """Return a table for each replayed tuning job or curve table."""
    blocks: list[RenderableType] = []
    for index, report in enumerate(reports):
        left_out = count(report.left_out, "job")
        blocks += [Text()] if index else []
        blocks += [
            Text(plain(report.heading), style="bold"),
            *([Text(report.off)] if report.off else []),
            *([Text(f"{left_out} left out: {INCOMPLETE}")] if report.left_out else []),
            Text(),
            _make_grid(report),
            Text(),
            Text(interpret(report)),
            Text(LOSS, style="dim"),
        ]
    return Group(*blocks)


def _make_grid(report: ReplayReport) -> Grid:
    of_rules = [row.best for row in report.rows]
    known = [each for each in (report.best, *of_rules) if each is not None]
    _, *bests = format_column([report.best, *of_rules], _find_nearest(known))
    figures = [row.figures for row in report.rows]
    stopped = [f"{format_number(each.jobs_stopped, 3)} of {report.jobs}" for each in figures]
    if report.replays == 1:
        kept = ["yes" if each.kept_best else "no" for each in figures]
    else:
        kept = [f"{each.kept_best:.0%}" for each in figures]
    columns = [
        Column("rule", [plain(row.label) for row in report.rows]),
        _right("jobs\nstopped", stopped, rank=2),
        _right("epochs\nsaved", [f"{each.epochs_saved:.0%}" for each in figures], rank=1),
        _right("training\ntime saved", [f"{e.training_time_saved:.0%}" for e in figures], rank=4),
        _right("tuning\ntime saved", [f"{each.tuning_time_saved:.0%}" for each in figures]),
        _right("best job\nkept", kept),
        *([_right("best\nvalue", bests, rank=3)] if report.name else []),
        _right("loss", [f"{each.loss:.2%}" for each in figures]),
    ]
    return Grid(columns, ["" if each.kept_best >= ENOUGH else "dim" for each in figures])


def _right(heading: str, cells: Sequence[str], rank: int = KEPT) -> Column:
    return Column(heading, cells, right=True, rank=rank)


def _find_nearest(values: Sequence[float]) -> Sequence[float]:
    """Return the two values with the smallest difference."""
    ordered = sorted(set(values))
    return min(pairwise(ordered), key=lambda pair: pair[1] - pair[0], default=())


def interpret(report: ReplayReport) -> str:
    """Return what the table says, in a sentence."""
    keeping = [row for row in report.rows if row.figures.kept_best >= ENOUGH]
    often = "" if report.replays == 1 else f" in {ENOUGH:.0%} of replays or more"
    if not keeping:
        return f"No rule here keeps the best job{often}."
    best = max(keeping, key=lambda row: row.figures.epochs_saved)
    if best.figures.epochs_saved <= 0:
        return f"No rule here that keeps the best job{often} saves anything."
    return (
        f"Of the rules that keep the best job{often}, {best.label} saves most:"
        f" {best.figures.epochs_saved:.0%} of the epochs and"
        f" {best.figures.tuning_time_saved:.0%} of the tuning time."
    )


def to_json(reports: Sequence[ReplayReport]) -> list[ReplayedRule]:
    """Return each rule's figures as fractions; for a tuning job also which jobs were stopped."""
    return [_row_to_json(report, row) for report in reports for row in report.rows]


def _row_to_json(report: ReplayReport, row: RuleRow) -> ReplayedRule:
    figures = row.figures
    answer: ReplayedRule = {
        "rule": row.rule,
        "pausing": row.pausing,
        "jobs_stopped": round(figures.jobs_stopped, 6),
        "epochs_saved": round(figures.epochs_saved, 6),
        "training_time_saved": round(figures.training_time_saved, 6),
        "tuning_time_saved": round(figures.tuning_time_saved, 6),
        "kept_best": round(figures.kept_best, 6),
        "loss": round(figures.loss, 6),
    }
    if report.name is None:
        return answer
    return {
        **answer,
        "tuning_job_name": report.name,
        "best_objective_value": row.best,
        "best_objective_value_with_off": report.best,
        "training_jobs": report.jobs,
        "training_jobs_left_out": report.left_out,
        "stopped_training_jobs": [
            {
                "training_job_name": job_name(report.name, number),
                "training_job_number": number,
                "epochs": epochs,
            }
            for number, epochs in row.stopped
        ],
    }
