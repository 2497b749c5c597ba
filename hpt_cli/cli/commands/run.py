"""hpt run SPEC: start a tuning job."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import read_state, read_summary
from hpt_cli.cli.next_steps import name_run
from hpt_cli.cli.options import Detach, Home, Plain, Quiet, Set, SpecFile
from hpt_cli.cli.spec_files import find_spec
from hpt_cli.errors import HptError, Problem, UsageError
from hpt_cli.formatting import count
from hpt_cli.storage.home import find_home, make_job_dir, name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal, describe_creation
from hpt_cli.storage.known_homes import remember_home
from hpt_cli.storage.lock import hold_lock
from hpt_cli.tuning.events import WarmStarted, Warned
from hpt_cli.tuning.summary import describe_warning

if TYPE_CHECKING:
    from hpt_cli.cli.session import Session
    from hpt_cli.spec.fields.overrides import Override
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.spec.yaml.reader import RawSpec

EXAMPLES = (
    "hpt run",
    "hpt run spec.yaml --set early_stopping.rule=median",
    "hpt run spec.yaml --name second --set max_jobs=50 --set random_seed=1",
    "hpt run spec.yaml --detach",
)


def run(
    spec: SpecFile = None,
    name: Annotated[
        str | None, typer.Option("--name", help="A name other than the spec's.", metavar="NAME")
    ] = None,
    set_: Set = None,
    home: Home = None,
    plain: Plain = False,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Start a tuning job and follow it to its end.

    Ctrl-C stops it; 'hpt resume NAME' continues it. With --detach it does not end with the
    terminal: 'hpt watch NAME' follows it and 'hpt stop NAME' stops it.
    """
    from hpt_cli.cli.session import open_session
    from hpt_cli.spec.fields.overrides import read_option, read_overrides

    source = find_spec(spec, "run", home)
    overrides = read_overrides(set_ or [])
    overrides += [read_option("--name", "name", name)] if name else []
    with open_session(plain=plain, quiet=quiet, detached=detach) as session:
        raise typer.Exit(_run(session, source, overrides, find_home(home)))


def _run(session: Session, source: Path, overrides: Sequence[Override], home: Path) -> int:
    """Create a tuning job and tune; return the exit code."""
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.storage.spec_file import read_raw

    raw = read_raw(source, overrides)
    found = check_before_run(raw, os.environ, Path.cwd(), home)
    print_inherited(found.inherited)
    jobdir = make_job_dir(home, found.spec.name)
    warnings = [_to_event(each) for each in found.warnings]
    remember_home(jobdir.path.parent)
    with hold_lock(jobdir) as caution:
        if caution:
            print_message(caution)
        session.signals.remember()
        _refuse_taken(raw, jobdir, source)
        _create(jobdir, found.spec, source, [*found.inherited, *warnings])
        for each in () if session.quiet else warnings:
            print_message("\n".join(describe_warning(each)))
        return session.tune(jobdir, found.spec, read_state(jobdir), found.capacity)


def print_inherited(inherited: Iterable[WarmStarted]) -> None:
    """Print what the parents of a warm start bring."""
    for each in inherited:
        line = f"warm start: {count(len(each.jobs), 'training job')} of {each.parent}"
        outside = f"; {each.left_out} outside the ranges left out" if each.left_out else ""
        print_message(line + outside)


def _to_event(warning: Problem) -> Warned:
    return Warned(at=time.time(), slug=warning.slug, message=warning.message, hint=warning.hint)


def _refuse_taken(raw: RawSpec, jobdir: JobDir, source: Path) -> None:
    """Raise UsageError, at the place of the name, if there is a tuning job of that name."""
    from hpt_cli.spec.cross_field.conflict import Conflict

    if jobdir.journal.exists():
        name = jobdir.name
        message = f"a tuning job named '{name}' already exists in {jobdir.path.parent}"
        resume, run = name_command("resume", jobdir), name_run(source, jobdir)
        hint = f"continue it: {resume}; or start another: {run} --name NEW"
        if _is_worthless(jobdir):
            delete = name_command("delete", jobdir)
            hint += f"; or, as it has no usable result, run it anew: {delete}"
        raise UsageError(raw.locate(Conflict(("name",), "name-exists", message, hint)))


def _is_worthless(jobdir: JobDir) -> bool:
    """Return whether a tuning job, in a journal that can be read, has no result to keep."""
    try:
        return read_summary(jobdir).best is None
    except HptError:
        return False


def _create(
    jobdir: JobDir, spec: TuningSpec, source: Path, first: Sequence[WarmStarted | Warned]
) -> None:
    """Create the journal of a new tuning job; the caller holds the lock."""
    jobdir.keep_spec(source)
    create_journal(jobdir.journal, describe_creation(spec, Path.cwd()), *first)
