"""hpt best NAME: the best training job, ready to run again."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.load import find_tuning_job, read_state, summarize_state
from hpt_cli.cli.next_steps import advise_success
from hpt_cli.cli.options import Force, Home, Json, OptionalName
from hpt_cli.cli.output import print_json, print_report, write_file
from hpt_cli.errors import HptError
from hpt_cli.formatting import plain
from hpt_cli.reports.best import describe_none
from hpt_cli.reports.jobs import row_to_json
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import BestTrainingJob
    from hpt_cli.runtime.environment import JobContext
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Row

EXAMPLES = (
    "hpt best digits",
    'sh -c "$(hpt best digits --command)"',
)


def best(
    name: OptionalName = None,
    home: Home = None,
    json: Json = False,
    command: Annotated[
        bool,
        typer.Option("--command", help="Print only the command line: it runs in any directory."),
    ] = False,
    config_dir: Annotated[
        Path | None,
        typer.Option(
            "--config-dir", metavar="DIR", help="Write its config files there for the command line."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Show the best training job: value, hyperparameters, command line."""
    jobdir = find_tuning_job(home, name)
    state = read_state(jobdir)
    summary = summarize_state(jobdir, state)
    if summary.best is None:
        raise HptError.of("no-best", describe_none(summary), advise_success(jobdir, state))
    job = find_context(jobdir, state, summary.best)
    if config_dir is not None:
        job = replace(job, config_directory=config_dir.absolute())
        _write_config_files(job, force=force)
    line = write_command(job)
    if json:
        answer: BestTrainingJob = {**row_to_json(summary.best), "command": line}
        print_json(answer)
        return
    if not command:
        print_report("best", [summary], as_json=False)
        print()
    # A pipe gets exactly what was run; a terminal, only what cannot control it.
    print(plain(line) if sys.stdout.isatty() else line)


def find_context(jobdir: JobDir, state: TuningState, row: Row) -> JobContext:
    """Return the latest attempt of a training job, as it was launched."""
    from hpt_cli.runtime.environment import JobContext
    from hpt_cli.spec.model import load_spec

    attempt = max(1, len(state.jobs[row.number].attempts))
    spec, tuned = load_spec(state.spec), dict(row.hyperparameters)
    return JobContext(spec, jobdir, {}, state.directory, row.number, attempt, tuned)


def write_command(job: JobContext, *, shows_values: bool = True) -> str:
    """Return the command line of a training job, as `write_line` does."""
    from hpt_cli.exports.command_line import write_line

    return write_line(job, shows_values=shows_values)


def _write_config_files(job: JobContext, *, force: bool) -> None:
    """Write the config files of a training job where the user wants them; others stay as they are.

    Raises:
        UsageError: there are other files of these names.
        HptError: they cannot be written.
    """
    for path, text in job.config_files.items():
        if not path.is_file() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(text, path, force=force)
