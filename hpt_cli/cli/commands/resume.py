"""hpt resume NAME: continue a tuning job."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.completion import complete_job
from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import refuse_jobs_elsewhere
from hpt_cli.cli.load import expand_ranges, find_target, parse_jobs, read_state
from hpt_cli.cli.next_steps import name_run
from hpt_cli.cli.options import Detach, Home, OptionalName, Plain, Quiet
from hpt_cli.errors import ExitCode, Problem, UsageError
from hpt_cli.formatting import count
from hpt_cli.spec.diff import find_differences, flatten
from hpt_cli.spec.names import job_name
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.known_homes import remember_home
from hpt_cli.storage.lock import hold_lock

if TYPE_CHECKING:
    from hpt_cli.cli.session import Session
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.tuning.state import TuningState

EXAMPLES = (
    "hpt resume",
    "hpt resume digits --detach",
    "hpt resume digits --retry-failed",
    "hpt resume digits --retry-failed 3,5-7",
)


def resume(
    name: OptionalName = None,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            help="With --retry-failed, run only these again: 7, 3,5-7, or NAME-0007.",
            autocompletion=complete_job,
        ),
    ] = None,
    home: Home = None,
    plain: Plain = False,
    quiet: Quiet = False,
    detach: Detach = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Also run Failed training jobs again, under their numbers: all, or those named.",
        ),
    ] = False,
) -> None:
    """Continue a tuning job that was interrupted, stopped or killed.

    Training jobs that are still running are taken over, interrupted ones run again with the same
    hyperparameters, and max_jobs is still the total. Failures are counted afresh. A Completed
    tuning job continues after 'hpt update' has raised the limit that it had reached, or with
    --retry-failed.
    """
    from hpt_cli.cli.session import open_session

    jobdir, words, _ = find_target(home, name, jobs or [])
    if words and not retry_failed:
        raise UsageError.of(
            "option-missing",
            "single training jobs can only be run again with --retry-failed",
            name_command("resume", jobdir, "--retry-failed", *words),
        )
    failed = words if retry_failed else None
    with open_session(plain=plain, quiet=quiet, detached=detach) as session:
        raise typer.Exit(_resume(session, jobdir, failed))


def _resume(session: Session, jobdir: JobDir, jobs: list[str] | None) -> int:
    """Tune on; return the exit code.

    Args:
        jobs: the Failed training jobs that run again: None for none, empty for all.
    """
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.spec.model import load_spec
    from hpt_cli.spec.yaml.reader import RawSpec
    from hpt_cli.tuning.completion import foresee_end

    with hold_lock(jobdir) as caution:
        if caution:
            print_message(caution)
        state = read_state(jobdir)
        spec = load_spec(state.spec)
        requeued = _choose_failed(jobdir, state, jobs) if jobs is not None else []
        end = foresee_end(spec, state, time.time(), requeued)
        # With jobs to run again it must not only have reached the number of its jobs.
        is_over = end is not None and (end.stop_running or not requeued)
        if is_over and (state.status == "Completed" or requeued):
            _print_end(jobdir, state, end.reason if requeued and end else state.reason)
            return ExitCode.FAILED if requeued else ExitCode.OK
        refuse_jobs_elsewhere(jobdir, state)
        _print_project(jobdir, state)
        if requeued:
            print_message(f"{jobdir.name}: running again {_list_names(jobdir, requeued)}")
        found = check_before_run(RawSpec(state.spec), os.environ, Path(state.directory))
        print_differences(jobdir, spec)
        remember_home(jobdir.path.parent)
        session.signals.remember()
        return session.tune(jobdir, found.spec, state, found.capacity, requeued)


def _choose_failed(jobdir: JobDir, state: TuningState, texts: list[str]) -> list[int]:
    """Return the numbers of the Failed training jobs, of all or of those that are named.

    Raises:
        UsageError: some are not training jobs of this tuning job, or have not failed.
    """
    failed = [number for number, job in state.jobs.items() if job.phase == "Failed"]
    if not texts:
        if not failed:
            print_message(f"{jobdir.name} has no Failed training jobs")
        return failed
    numbers = parse_jobs(expand_ranges(texts, failed), jobdir.name, state.jobs)
    problems = [
        Problem(
            "job-not-failed",
            f"{job_name(jobdir.name, number)} has not failed: it is {state.jobs[number].status}",
            f"Failed are: {', '.join(map(str, failed)) or 'none'}",
        )
        for number in numbers
        if number not in failed
    ]
    if problems:
        raise UsageError(*problems)
    return sorted(numbers)


def _list_names(jobdir: JobDir, numbers: list[int]) -> str:
    return ", ".join(job_name(jobdir.name, number) for number in numbers)


def _print_project(jobdir: JobDir, state: TuningState) -> None:
    """Print where a tuning job continues, if that is not where it was started."""
    with open_journal(jobdir.journal) as journal:
        began = journal.creation().directory
    if state.directory != began:
        print_message(f"{jobdir.name} was started in {began}, and continues in {state.directory}")


def _print_end(jobdir: JobDir, state: TuningState, reason: str) -> None:
    """Print why a tuning job does not continue, and how it can."""
    print_message(f"{jobdir.name} is {state.status}: {reason}")
    if not state.exhausted:
        change = _suggest_change(jobdir, reason)
        print_message(f"to continue, change the limit that it has reached: {change}")
    if failed := state.jobs.count("Failed"):
        words = f"to run its {count(failed, 'Failed training job')} again"
        print_message(f"{words}: {name_command('resume', jobdir, '--retry-failed')}")


def _suggest_change(jobdir: JobDir, reason: str) -> str:
    """Return the command that changes the limit named in the reason for the end, if one is."""
    from hpt_cli.spec.model import CHANGEABLE

    first = reason.split(" ")[0]
    field = first if first in CHANGEABLE else "FIELD"
    return name_command("update", jobdir, "--set", f"{field}=...")


def print_differences(jobdir: JobDir, spec: TuningSpec) -> None:
    """Print how the file that a tuning job began with has changed since; it has no effect."""
    from hpt_cli.spec.model import CHANGEABLE
    from hpt_cli.storage.spec_file import read_spec
    from hpt_cli.tuning.steering.space_changes import STATIC

    source = jobdir.source
    if source is None:
        return
    try:
        if source.read_bytes() == jobdir.spec.read_bytes():
            return
        before, after = read_spec(jobdir.spec), read_spec(source)
    except OSError:
        return
    except UsageError as error:
        print_message(f"{source} has changed since, and has mistakes: {error}")
        return
    known = dict(flatten(spec.model_dump(mode="json")))
    changed = [
        each
        for each in find_differences(before.model_dump(mode="json"), after.model_dump(mode="json"))
        if known.get(each.path) != each.after
    ]
    if changed:
        print_message(f"{source} has changed since; {jobdir.name} continues as it was:")
    wanted = after.model_dump(mode="json", exclude_defaults=True)
    for each in changed:
        # Static ones change only where they were tuned, and the command with what is.
        can_change = each.field in CHANGEABLE and each.field not in (STATIC, "command")
        can_change &= each.after is not None
        value = each.after if each.path == each.field else json.dumps(wanted[each.field])
        change = name_command("update", jobdir, "--set", f"{each.field}={value}")
        hint = change if can_change else "cannot change"
        print_message(f"  {each.path}: {each.before} → {each.after}  ({hint})")
    if any(each.field not in CHANGEABLE for each in changed):
        print_message(f"  for those: {name_run(source, jobdir)} --name NEW")
