"""hpt update NAME: change the limits of a tuning job that has begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hpt_cli.cli.completion import complete_changeable_field
from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.options import Home, OptionalName
from hpt_cli.cli.requests import ask, print_advice
from hpt_cli.errors import UsageError
from hpt_cli.formatting import count
from hpt_cli.spec.diff import find_differences
from hpt_cli.spec.hyperparameters import TEXTS
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.spec.fields.overrides import Override

EXAMPLES = (
    "hpt update digits --max-jobs 50 --max-parallel-jobs 4",
    "hpt update --set target_objective_metric_value=0.95",
    "hpt update digits --set hyperparameter_ranges.learning_rate.max_value=3",
    "hpt update digits --set static_hyperparameters.optimizer=adam",
)

Assume: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--assume",
        metavar="NAME=VALUE",
        help="What earlier training jobs ran with of a hyperparameter that is new; null if"
        " nobody knows (repeatable).",
    ),
]


def update(
    name: OptionalName = None,
    max_jobs: Annotated[
        int | None,
        typer.Option("--max-jobs", metavar="N", help="The total number of training jobs."),
    ] = None,
    max_parallel_jobs: Annotated[
        int | None,
        typer.Option(
            "--max-parallel-jobs", metavar="N", help="The number of training jobs at once."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Another field: max_runtime_seconds, target_objective_metric_value,"
            " early_stopping_type, retry.max_attempts, ... (repeatable).",
            autocompletion=complete_changeable_field,
        ),
    ] = None,
    assume: Assume = None,
    home: Home = None,
) -> None:
    """Change the limits or the search space of a tuning job.

    A running tuning job applies them at once; one that has ended, on 'hpt resume'. When
    max_parallel_jobs is lowered, training jobs that are already running are not stopped.

    Ranges can change, be added, and be removed by giving them a single value. Training jobs that
    lie outside stay in all tables, and are left out of what the strategy learns from.
    """
    from hpt_cli.spec.fields.overrides import read_option, read_overrides

    jobdir = find_tuning_job(home, name)
    overrides = read_overrides(set_ or [])
    assumed = {each.field: each.value for each in read_overrides(assume or [], "--assume", "NAME")}
    for option, value in (("--max-jobs", max_jobs), ("--max-parallel-jobs", max_parallel_jobs)):
        if value is not None:
            overrides.append(read_option(option, option.strip("-").replace("-", "_"), value))
    if not overrides:
        raise UsageError.of(
            "no-change", "nothing to change", f"for example: hpt update {jobdir.name} --max-jobs 50"
        )
    _change(jobdir, overrides, assumed)


def _change(jobdir: JobDir, overrides: Sequence[Override], assumed: Mapping[str, Any]) -> None:
    from hpt_cli.tuning.steering.space_changes import RANGES, STATIC, changes_space

    before = read_state(jobdir).spec
    checked = _check(jobdir, overrides, assumed)
    fields = dict.fromkeys(each.top for each in overrides)
    if is_space := changes_space(fields):
        fields |= dict.fromkeys((RANGES, STATIC))
    changed = {field: checked[field] for field in fields if checked[field] != before.get(field)}
    if not changed:
        print_message(f"{jobdir.name}: it already has these values")
        return
    texts = {TEXTS: checked[TEXTS]} if is_space else {}
    request = {"changes": changed | texts, "assume": assumed}
    ask(jobdir, request, partial(_has, jobdir, overrides, assumed, changed))
    for each in find_differences({field: before.get(field) for field in changed}, changed):
        if each.before or each.after:  # and not only None before an empty list
            print_message(f"{jobdir.name}: {each.path} {each.before} → {each.after}")
    if is_space:
        _print_outside(jobdir)
    print_advice(jobdir)


def _print_outside(jobdir: JobDir) -> None:
    """Print how many training jobs are not learned from, and what the command does not pass on."""
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.evidence import list_outside

    state = read_state(jobdir)
    spec = load_spec(state.spec)
    if outside := list_outside(spec, state):
        words = f"{len(outside)} of {count(len(state.jobs), 'training job')}"
        print_message(f"{jobdir.name}: {words} outside the search space: not learned from")
    for name in spec.list_unnamed():
        print_message(f"{jobdir.name}: no placeholder of the command passes on '{name}'")


def _check(
    jobdir: JobDir, overrides: Iterable[Override], assumed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of the spec with the changes made.

    Raises:
        UsageError: they cannot be made, for example as there are already more training jobs.
    """
    from hpt_cli.tuning.steering.requests import change_spec

    return change_spec(read_state(jobdir), overrides, assumed).model_dump(mode="json")


def _has(
    jobdir: JobDir,
    overrides: Iterable[Override],
    assumed: Mapping[str, Any],
    changed: dict[str, Any],
) -> bool:
    """Return whether the changes have been made. Raises as `_check` does."""
    spec = read_state(jobdir).spec
    if all(spec.get(field) == value for field, value in changed.items()):
        return True
    _check(jobdir, overrides, assumed)
    return False
