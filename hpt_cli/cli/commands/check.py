"""hpt check SPEC: the whole spec explained, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hpt_cli.cli.commands.run import print_inherited
from hpt_cli.cli.options import Home, Json, Set, SpecFile, TrySeconds
from hpt_cli.cli.output import print_answer, print_json
from hpt_cli.cli.spec_files import find_spec
from hpt_cli.errors import ExitCode
from hpt_cli.formatting import count, plain
from hpt_cli.storage.home import find_home

if TYPE_CHECKING:
    from hpt_cli.checks.trial_run import Show

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
    from hpt_cli.reports.check import MAX_SHOWN, render, render_tried, to_json
    from hpt_cli.spec.fields.overrides import read_overrides
    from hpt_cli.storage.spec_file import read_raw

    place = find_home(home)
    raw = read_raw(find_spec(spec, "check", home), read_overrides(set_ or []))
    found = check_before_run(raw, os.environ, Path.cwd(), place, needs_parents=False)
    print_inherited(found.inherited)
    checkup = examine(found, os.environ, Path.cwd(), place)
    if not (try_ and json):
        print_answer(render, to_json, checkup, as_json=json)
    if not try_:
        return
    if json:
        with show_progress(seconds) as show:
            tried = try_first_job(checkup, seconds, show)
        print_json(to_json(replace(checkup, tried=tried)))
    else:
        print(f"\ntrial run of one training job, for {seconds:g} s at most:", flush=True)
        tried = try_first_job(checkup, seconds, print_output(MAX_SHOWN))
        Console().print(render_tried(checkup, tried))
    fails_to_go_on = tried.pause is not None and tried.pause.goes_on is False
    if tried.trial.failure or not tried.values or fails_to_go_on:
        raise typer.Exit(ExitCode.FAILED)


def print_output(most: int) -> Show:
    """Return a function that prints the first lines of a trial job as they come."""
    left = most

    def show(seconds: float, values: int, lines: Sequence[str]) -> None:  # noqa: ARG001
        nonlocal left
        for line in lines[:left]:
            print(f"  │ {plain(line)}", flush=True)
        if len(lines) > left > 0:
            print("  │ …", flush=True)
        left = max(0, left - len(lines))

    return show


@contextmanager
def show_progress(limit: float) -> Iterator[Show]:
    """Yield a function that shows in a line on a terminal how long a trial job has run."""
    with Console(stderr=True).status("starting") as status:
        read = 0

        def show(seconds: float, values: int, lines: Sequence[str]) -> None:
            nonlocal read
            read += len(lines)
            found = f", {count(values, 'value')}" if values else ""
            status.update(
                f"trying one training job: {seconds:.0f} of {limit:.0f} s,"
                f" {count(read, 'line')} read{found}"
            )

        yield show
