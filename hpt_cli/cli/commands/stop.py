"""hpt stop NAME [JOB...]: end a tuning job, or some of its training jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from hpt_cli.cli.completion import complete_job
from hpt_cli.cli.console import say
from hpt_cli.cli.load import parse_jobs, read_state, wait_for_answer
from hpt_cli.cli.options import Home, Name
from hpt_cli.errors import HptError
from hpt_cli.spec.names import job_name
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import find_lock_holder, hold_lock
from hpt_cli.storage.mailbox import send_request

EXAMPLES = (
    "hpt stop digits",
    "hpt stop digits 7 12",
)


def stop(
    name: Name,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Training jobs (7, or NAME-0007) to stop instead.", autocompletion=complete_job
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Stop a tuning job and what it runs; or only the named training jobs.

    Stopped jobs keep their last value. 'hpt resume' can still go on with the rest.
    """
    jobdir = find_job_dir(find_home(home), name)
    if not jobs:
        _stop_tuning_job(jobdir)
        return
    _stop_training_jobs(jobdir, parse_jobs(jobs, jobdir.name, read_state(jobdir).jobs))


def _stop_training_jobs(jobdir: JobDir, numbers: Sequence[int]) -> None:
    before = read_state(jobdir).jobs
    going = [number for number in numbers if not before[number].has_ended]
    for number in numbers:
        if number not in going:
            say(f"{job_name(jobdir.name, number)} is {before[number].status} already")
    if not going:
        return
    if find_lock_holder(jobdir) is None:
        raise HptError.of(
            "no-tuner",
            f"no tuner is at work on {jobdir.name}",
            f"go on with 'hpt resume {jobdir.name}' to stop a part of it,"
            f" or end all of it with 'hpt stop {jobdir.name}'",
        )
    send_request(jobdir, {"stop_jobs": going})
    wait_for_answer(
        jobdir, lambda: all(read_state(jobdir).jobs[number].has_ended for number in going)
    )
    after = read_state(jobdir).jobs
    for number in going:
        say(f"{job_name(jobdir.name, number)} is {after[number].status}")


def _stop_tuning_job(jobdir: JobDir) -> None:
    state = read_state(jobdir)
    if find_lock_holder(jobdir) is not None:
        send_request(jobdir, {"stop_jobs": None})
        wait_for_answer(jobdir, lambda: find_lock_holder(jobdir) is None)
        say(f"{jobdir.name}: stopped")
        return
    if state.status in ("Completed", "Failed") or (
        state.status == "Stopped" and state.stop_reason == "StoppedByUser"
    ):
        say(f"{jobdir.name} is {state.status} already")
        return
    # Nobody tunes it, but its jobs may be alive: be its tuner for as long as stopping takes.
    from hpt_cli.checks.prerequisites import measure_for
    from hpt_cli.cli.session import tune
    from hpt_cli.spec.model import load_spec

    with hold_lock(jobdir):
        send_request(jobdir, {"stop_jobs": None})
        state = read_state(jobdir)
        capacity = measure_for(state.spec, os.environ)
        tune(jobdir, load_spec(state.spec), state, capacity, plain=True, quiet=True)
