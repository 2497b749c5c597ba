"""hpt update NAME: change the limits of a tuning job that has begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpt_cli.cli.completion import complete_changeable_field
from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.options import Home, OptionalName
from hpt_cli.cli.requests import ask, print_advice
from hpt_cli.errors import UsageError
from hpt_cli.spec.diff import find_differences
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.spec.fields.overrides import Override

EXAMPLES = (
    "hpt update digits --max-jobs 50 --max-parallel-jobs 4",
    "hpt update --set target_objective_metric_value=0.95",
)


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
    home: Home = None,
) -> None:
    """Change the limits of a tuning job, running or not.

    A running tuning job applies them at once; one that has ended, on 'hpt resume'. When
    max_parallel_jobs is lowered, training jobs that are already running are not stopped.
    """
    from hpt_cli.spec.fields.overrides import read_option, read_overrides

    jobdir = find_tuning_job(home, name)
    overrides = read_overrides(set_ or [])
    for option, value in (("--max-jobs", max_jobs), ("--max-parallel-jobs", max_parallel_jobs)):
        if value is not None:
            overrides.append(read_option(option, option.strip("-").replace("-", "_"), value))
    if not overrides:
        raise UsageError.of(
            "no-change", "nothing to change", f"for example: hpt update {jobdir.name} --max-jobs 50"
        )
    _change(jobdir, overrides)


def _change(jobdir: JobDir, overrides: Sequence[Override]) -> None:
    before = read_state(jobdir).spec
    checked = _check(jobdir, overrides)
    fields = dict.fromkeys(each.top for each in overrides)
    changed = {field: checked[field] for field in fields if checked[field] != before.get(field)}
    if not changed:
        print_message(f"{jobdir.name}: it already has these values")
        return
    ask(jobdir, {"changes": changed}, partial(_has, jobdir, overrides, changed))
    for each in find_differences({field: before.get(field) for field in changed}, changed):
        if each.before or each.after:  # and not only None before an empty list
            print_message(f"{jobdir.name}: {each.path} {each.before} → {each.after}")
    print_advice(jobdir)


def _check(jobdir: JobDir, overrides: Iterable[Override]) -> dict[str, Any]:
    """Return the fields of the spec with the changes made.

    Raises:
        UsageError: they cannot be made, for example as there are already more training jobs.
    """
    from hpt_cli.spec.yaml.reader import override_spec

    state = read_state(jobdir)
    return override_spec(state.spec, overrides, len(state.jobs)).model_dump(mode="json")


def _has(jobdir: JobDir, overrides: Iterable[Override], changed: dict[str, Any]) -> bool:
    """Return whether the changes have been made. Raises as `_check` does."""
    _check(jobdir, overrides)
    spec = read_state(jobdir).spec
    return all(spec.get(field) == value for field, value in changed.items())
