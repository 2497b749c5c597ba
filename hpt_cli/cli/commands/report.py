"""hpt report NAME...: one self-contained HTML page on tuning jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.commands.best import find_context, write_command
from hpt_cli.cli.load import find_tuning_jobs, read_state, summarize_state
from hpt_cli.cli.options import Force, Home, OptionalNames
from hpt_cli.cli.output import refuse_existing, write_output
from hpt_cli.formatting import count
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.tuning.events import TunerStarted, TuningJobCreated
from hpt_cli.tuning.state import TuningState

if TYPE_CHECKING:
    from hpt_cli.reports.page.data import Record
    from hpt_cli.spec.model import TuningSpec

EXAMPLES = (
    "hpt report digits",
    "hpt report digits-off digits -o both.html",
)
FIRST_EVENTS = 2
"""A journal begins with TuningJobCreated and TunerStarted."""


def report(
    names: OptionalNames = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file, by default NAME.html; '-' is standard output.",
        ),
    ] = None,
    force: Force = False,
    home: Home = None,
) -> None:
    """Write a self-contained HTML page: charts, results table, spec.

    It works offline, loads nothing, and can be printed. It does not contain the values of
    environment variables in the spec.
    """
    from hpt_cli.reports.page.html import render_page

    jobdirs = find_tuning_jobs(home, names)
    path = output or Path(f"{'-'.join(each.name for each in jobdirs)}.html")
    refuse_existing(path, force=force)
    page = render_page([_read_record(each) for each in jobdirs], time.time())
    write_output(page, path, force=force)


def _read_record(jobdir: JobDir) -> Record:
    from hpt_cli.analysis.importance import measure_importance
    from hpt_cli.reports.page.data import Record
    from hpt_cli.spec.model import load_spec
    from hpt_cli.tuning.evidence import list_trials

    state = read_state(jobdir)
    summary = summarize_state(jobdir, state)
    spec = load_spec(state.spec)
    best = find_context(jobdir, state, summary.best) if summary.best else None
    return Record(
        summary=summary,
        state=state,
        importance=measure_importance(spec.searched_ranges, list_trials(spec, state)),
        command=write_command(best, shows_values=False) if best else None,
        origin=list(_list_origin(jobdir, state, spec)),
    )


def _list_origin(jobdir: JobDir, state: TuningState, spec: TuningSpec) -> Iterator[tuple[str, str]]:
    """Yield (label, value): where a tuning job was created, with what, and how it searched."""
    with open_journal(jobdir.journal) as journal:
        first = list(journal.read(until=FIRST_EVENTS))
    for event in first:
        if isinstance(event, TuningJobCreated):
            yield "hpt", event.hpt_version
            yield "directory", event.directory
        if isinstance(event, TunerStarted):
            yield "host", event.host
    yield "strategy", f"{spec.strategy}, seed {spec.random_seed}"
    rule = f" ({spec.early_stopping.rule})" if spec.early_stopping else ""
    yield "early stopping", spec.early_stopping_type + rule
    yield "parallel jobs", str(spec.count_slots(state.pool))
    for parent in state.parents:
        yield "warm start", f"{parent.name}: {count(parent.used, 'job')} used"
