"""hpt best NAME: the best training job, ready to run again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.load import print_json, print_report, read_state, read_summary
from hpt_cli.cli.options import Home, Json, Name
from hpt_cli.errors import HptError
from hpt_cli.formatting import plain
from hpt_cli.spec.command_template import render_line
from hpt_cli.storage.home import find_home, find_job_dir

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import BestTrainingJob

EXAMPLES = (
    "hpt best digits",
    "$(hpt best digits --command)",
)


def best(
    name: Name,
    home: Home = None,
    json: Json = False,
    command: Annotated[
        bool, typer.Option("--command", help="Only the command line, ready to paste.")
    ] = False,
) -> None:
    """Show the best training job: its value, hyperparameters and command line."""
    jobdir = find_job_dir(find_home(home), name)
    summary = read_summary(jobdir)
    if summary.best is None:
        raise HptError.of(
            "no-best", f"no training job of {summary.name} has an objective value yet"
        )
    spec = read_state(jobdir).spec
    hyperparameters = {**summary.best.hyperparameters, **spec["static_hyperparameters"]}
    line = render_line(spec["command"], hyperparameters, shell=spec["shell"])
    if json:
        from hpt_cli.reports.jobs import row_to_json

        answer: BestTrainingJob = {**row_to_json(summary.best), "command": line}
        print_json(answer)
        return
    if not command:
        print_report("best", [summary], as_json=False)
        print()
    # Into a pipe exactly what was run; a terminal it must not drive.
    print(plain(line) if sys.stdout.isatty() else line)
