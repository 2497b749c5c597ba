"""hpt check SPEC: the whole spec explained, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hpt_cli.cli.commands.run import print_inherited
from hpt_cli.cli.options import Home, Json, Set, SpecFile, TrySeconds
from hpt_cli.cli.output import print_answer
from hpt_cli.cli.spec_files import find_spec
from hpt_cli.errors import ExitCode
from hpt_cli.formatting import count
from hpt_cli.storage.home import find_home

EXAMPLES = (
    "hpt check spec.yaml",
    "hpt check spec.yaml --try",
)


def check(
    spec: SpecFile = None,
    set_: Set = None,
    try_: Annotated[
        bool, typer.Option("--try", help="Run one training job on trial, and estimate the time.")
    ] = False,
    seconds: TrySeconds = 60.0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Explain a spec: its ranges, first commands, environment, files.

    Nothing is run except with --try, and nothing is kept.
    """
    from hpt_cli.checks.checkup import examine, try_first_job
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.reports.check import render, to_json
    from hpt_cli.spec.fields.overrides import read_overrides
    from hpt_cli.storage.spec_file import read_raw

    place = find_home(home)
    raw = read_raw(find_spec(spec, "check", home), read_overrides(set_ or []))
    found = check_before_run(raw, os.environ, Path.cwd(), place, needs_parents=False)
    print_inherited(found.inherited)
    checkup = examine(found, os.environ, Path.cwd(), place)
    if try_:
        with show_progress(seconds) as show:
            checkup = replace(checkup, tried=try_first_job(checkup, seconds, show))
    print_answer(render, to_json, checkup, as_json=json)
    tried = checkup.tried
    if tried is not None and (tried.trial.exit_code or not tried.values):
        raise typer.Exit(ExitCode.FAILED)


@contextmanager
def show_progress(limit: float) -> Iterator[Callable[[float, int], None]]:
    """Yield a function that shows in a line on a terminal how long a trial job has run."""
    with Console(stderr=True).status("starting") as status:

        def show(seconds: float, values: int) -> None:
            status.update(
                f"trying one training job: {seconds:.0f} of {limit:.0f} s, {count(values, 'value')}"
            )

        yield show
