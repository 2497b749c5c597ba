"""What the tables of the page say: the figures of a tuning job, its training jobs, its spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpt_cli.formatting import NOTHING, format_column, format_number, format_seconds, format_setting
from hpt_cli.reports.page.data import Record
from hpt_cli.reports.render.columns import ResultColumn, default_columns, index_roles, list_columns
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.yaml import writer
from hpt_cli.tuning.progress import compare_kinds
from hpt_cli.tuning.summary import Row, Summary, estimate_saved_seconds

HIDDEN = "(not shown)"
"""Stands for the values of environment variables, and for commands beside the one that trains: they
may hold secrets, and a page is passed on.
References to the variables of a shell are shown, as they hold none."""
_REFERENCE = re.compile(r"\$\{\w+\}")


def list_cards(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the value and a note of each figure of a tuning job."""
    best, saved = summary.best, estimate_saved_seconds(summary.rows)
    name = best.name if best else "no result yet"
    yield f"Best {summary.objective.metric}", format_number(summary.best_value, 5), name
    yield "Training jobs done", summary.progress.of, summary.progress.describe_kinds()
    yield "Tuning time", format_seconds(summary.tuning_time), "pauses not counted"
    yield "Training time", format_seconds(summary.total_training_time), "of all training jobs"
    overall = summary.overall_best
    if overall is not None and (best is None or overall["training_job_name"] != best.name):
        value = format_number(overall["final_objective_value"], 5)
        yield "Best with parents", value, overall["training_job_name"]
    if saved:
        share = saved / (saved + summary.total_training_time)
        words = f"about {share:.0%} of the training time, by early stopping"
        yield "Saved", format_seconds(saved), words


def list_job_columns(summary: Summary) -> list[ResultColumn]:
    """Return the columns of the table of training jobs: those of `hpt jobs`, the reason last."""
    reason = index_roles(list_columns(summary).values())["reason"]
    return [*(each for each in default_columns(summary) if each.role != "reason"), reason]


def list_rows(summary: Summary, columns: Sequence[ResultColumn]) -> Iterator[tuple[Row, Any]]:
    """Yield each training job with the texts of its cells."""
    texts = zip(*(column.texts(summary.rows) for column in columns), strict=True)
    return zip(summary.rows, texts, strict=True)


def write_spec(spec: Mapping[str, Any]) -> str:
    """Return the spec as YAML, without defaults and without what may hold secrets."""
    shown = TuningSpec.model_validate(spec).model_dump(exclude_defaults=True)
    shown.pop("value_texts", None)  # the values themselves are written so
    shown.pop("template_texts", None)  # they may be long, and hold anything
    if "environment" in shown:
        shown["environment"] = {
            name: value if _REFERENCE.fullmatch(value) else HIDDEN
            for name, value in shown["environment"].items()
        }
    if "notify" in shown:
        shown["notify"]["command"] = HIDDEN
    if "setup" in shown.get("slurm", {}):
        shown["slurm"]["setup"] = [HIDDEN]
    return writer.write_spec(shown)


def list_figures(records: Sequence[Record]) -> Iterator[tuple[str, list[str]]]:
    """Yield each figure's name, and its value for each tuning job, to compare them."""
    summaries = [record.summary for record in records]
    best = [each.best for each in summaries]
    yield "status", [each.status for each in summaries]
    yield "objective", [each.objective.metric for each in summaries]
    yield "best", format_column([each.best_value for each in summaries])
    yield "best training job", [each.best_name or NOTHING for each in summaries]
    settings = [each.hyperparameters if each else {} for each in best]
    for name in _list_differing([each.hyperparameters for each in best if each]):
        values = (each.get(name) for each in settings)
        yield f"  {name}", [NOTHING if each is None else format_setting(each) for each in values]
    progress = [each.progress for each in summaries]
    yield "training jobs done", [each.of for each in progress]
    for kind, counts in compare_kinds(progress):
        yield f"  {kind}", list(map(str, counts))
    yield "epochs trained", [str(each.epochs) for each in summaries]
    yield "training time", [format_seconds(each.total_training_time) for each in summaries]
    yield "tuning time", [format_seconds(each.tuning_time) for each in summaries]
    saved = (estimate_saved_seconds(each.rows) for each in summaries)
    yield "saved by early stopping", list(map(format_seconds, saved))


def _list_differing(settings: Sequence[Hyperparameters]) -> list[str]:
    """Return the hyperparameters in which the best training jobs differ."""
    names = dict.fromkeys(name for each in settings for name in each)
    return [name for name in names if len({each.get(name) for each in settings}) > 1]
