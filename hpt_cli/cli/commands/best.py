"""hpt best NAME: the best training job, ready to run again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.load import find_tuning_job, read_state, summarize_state
from hpt_cli.cli.options import Home, Json, OptionalName
from hpt_cli.cli.output import print_json, print_report
from hpt_cli.errors import HptError
from hpt_cli.formatting import plain
from hpt_cli.reports.jobs import row_to_json
from hpt_cli.spec.command_template import render_line
from hpt_cli.spec.hyperparameters import write_values

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import BestTrainingJob
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Row

EXAMPLES = (
    "hpt best digits",
    "$(hpt best digits --command)",
)


def best(
    name: OptionalName = None,
    home: Home = None,
    json: Json = False,
    command: Annotated[
        bool, typer.Option("--command", help="Print only the command line, ready to paste.")
    ] = False,
) -> None:
    """Show the best training job: value, hyperparameters, command line."""
    jobdir = find_tuning_job(home, name)
    state = read_state(jobdir)
    summary = summarize_state(jobdir, state)
    if summary.best is None:
        raise HptError.of(
            "no-best", f"no training job of {summary.name} has an objective value yet"
        )
    line = write_command(state, summary.best)
    if json:
        answer: BestTrainingJob = {**row_to_json(summary.best), "command": line}
        print_json(answer)
        return
    if not command:
        print_report("best", [summary], as_json=False)
        print()
    # A pipe gets exactly what was run; a terminal, only what cannot control it.
    print(plain(line) if sys.stdout.isatty() else line)


def write_command(state: TuningState, row: Row) -> str:
    """Return the command line of a training job."""
    spec = state.spec
    static = write_values(spec["static_hyperparameters"], spec)
    hyperparameters = {**row.hyperparameters, **static}
    return render_line(spec["command"], hyperparameters, shell=spec["shell"])
