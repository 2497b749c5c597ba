"""hpt resume NAME: continue a tuning job."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.liveness import refuse_jobs_elsewhere
from hpt_cli.cli.load import find_tuning_job, read_state
from hpt_cli.cli.options import Detach, Home, Name, Plain, Quiet
from hpt_cli.errors import ExitCode, UsageError
from hpt_cli.spec.diff import find_differences, flatten
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import hold_lock

if TYPE_CHECKING:
    from hpt_cli.cli.session import Session
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.tuning.state import TuningState

EXAMPLES = (
    "hpt resume digits",
    "hpt resume digits --detach",
)


def resume(
    name: Name,
    home: Home = None,
    plain: Plain = False,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Continue a tuning job that was interrupted, stopped or killed.

    Training jobs that are still running are taken over, interrupted ones run again with the same
    hyperparameters, and max_jobs is still the total. A Completed tuning job continues after
    'hpt update' has raised the limit that it had reached.
    """
    from hpt_cli.cli.session import open_session

    with open_session(plain=plain, quiet=quiet, detached=detach) as session:
        raise typer.Exit(_resume(session, find_tuning_job(home, name)))


def _resume(session: Session, jobdir: JobDir) -> int:
    """Tune on; return the exit code."""
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.spec.model import load_spec
    from hpt_cli.spec.yaml_reader import RawSpec
    from hpt_cli.tuning.completion import may_go_on

    with hold_lock(jobdir) as caution:
        if caution:
            print_message(caution)
        state = read_state(jobdir)
        spec = load_spec(state.spec)
        if state.status == "Completed" and not may_go_on(spec, state, time.time()):
            print_message(f"{jobdir.name} is Completed: {state.reason}")
            if not state.exhausted:
                change = _suggest_change(jobdir, state)
                print_message(f"to continue, change the limit that it has reached: {change}")
            return ExitCode.OK
        refuse_jobs_elsewhere(jobdir, state)
        found = check_before_run(RawSpec(state.spec), os.environ, Path(state.directory))
        print_differences(jobdir, spec)
        session.signals.remember()
        return session.tune(jobdir, spec, state, found.capacity)


def _suggest_change(jobdir: JobDir, state: TuningState) -> str:
    """Return the command that changes the limit named in the reason for the end, if one is."""
    from hpt_cli.spec.model import CHANGEABLE

    first = state.reason.split(" ")[0]
    field = first if first in CHANGEABLE else "FIELD"
    return f"hpt update {jobdir.name} --set {field}=..."


def print_differences(jobdir: JobDir, spec: TuningSpec) -> None:
    """Print how the file that a tuning job began with has changed since; it has no effect."""
    from hpt_cli.spec.model import CHANGEABLE
    from hpt_cli.storage.spec_file import read_spec

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
        can_change = each.field in CHANGEABLE and each.after is not None
        value = each.after if each.path == each.field else json.dumps(wanted[each.field])
        setting = shlex.quote(f"{each.field}={value}") if can_change else ""
        hint = f"hpt update {jobdir.name} --set {setting}" if can_change else "cannot change"
        print_message(f"  {each.path}: {each.before} → {each.after}  ({hint})")
    if any(each.field not in CHANGEABLE for each in changed):
        print_message(f"  for those: hpt run {source} --name NEW")
