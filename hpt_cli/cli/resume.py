"""hpt resume NAME: go on with a tuning job."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import typer

from hpt_cli.cli.options import Home, Name, Plain, Quiet
from hpt_cli.cli.reading import read_state
from hpt_cli.jobdir import find_home, find_job_dir

EXAMPLES = ("hpt resume digits",)


def resume(name: Name, home: Home = None, plain: Plain = False, quiet: Quiet = False) -> None:
    """Go on with a tuning job that was interrupted, stopped or killed.

    Jobs that still run are taken over, interrupted ones run again with the same hyperparameters,
    and max_jobs is still the total. A Completed one goes on after 'hpt update' has
    raised what it had reached.
    """
    from hpt_cli.cli.tuning import check_variables, check_working_directory, tune
    from hpt_cli.core.completion import may_go_on
    from hpt_cli.core.spec import TuningSpec

    jobdir = find_job_dir(find_home(home), name)
    with jobdir.hold_lock():
        state = read_state(jobdir)
        spec = TuningSpec.model_validate(state.spec)
        if state.status == "Completed" and not may_go_on(spec, state, time.time()):
            print(f"{jobdir.name} is Completed: {state.reason}", file=sys.stderr)
            return
        check_working_directory(spec, Path(state.directory))
        check_variables(spec)
        code = tune(jobdir, spec, state, plain=plain, quiet=quiet)
    raise typer.Exit(code)
