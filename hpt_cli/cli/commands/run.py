"""hpt run SPEC: start a tuning job."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.console import say
from hpt_cli.cli.load import read_state
from hpt_cli.cli.options import Home, Plain, Quiet
from hpt_cli.errors import Problem, UsageError
from hpt_cli.formatting import count
from hpt_cli.storage.home import find_home, make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.known_homes import remember_home
from hpt_cli.storage.lock import hold_lock

if TYPE_CHECKING:
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.tuning.events import WarmStarted, Warned

EXAMPLES = (
    "hpt run spec.yaml",
    "hpt run spec.yaml --name second --set max_jobs=50 --set random_seed=1",
    "nohup hpt run spec.yaml --plain > tuning.log 2>&1 &",
)


def run(
    spec: Annotated[Path, typer.Argument(help="The YAML file that says what to tune.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Another name than the spec's.", metavar="NAME")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field of the spec (repeatable).", metavar="F=VALUE"),
    ] = None,
    home: Home = None,
    plain: Plain = False,
    quiet: Quiet = False,
) -> None:
    """Start a tuning job and follow it to its end.

    Ctrl-C stops it so that 'hpt resume NAME' goes on.
    """
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.cli.session import tune
    from hpt_cli.storage.spec_file import read_raw
    from hpt_cli.tuning.summary import describe_warning

    overrides = [*(set_ or []), *([f"name={name}"] if name else [])]
    raw = read_raw(spec, overrides)
    found = check_before_run(raw, os.environ, Path.cwd(), find_home(home))
    tell_inherited(found.inherited)
    jobdir = make_job_dir(find_home(home), found.spec.name)
    warnings = _record(found.warnings)
    remember_home(jobdir.path.parent)
    with hold_lock(jobdir):
        _create(jobdir, found.spec, spec, [*found.inherited, *warnings])
        for each in () if quiet else warnings:
            say("\n".join(describe_warning(each)))
        state = read_state(jobdir)
        code = tune(jobdir, found.spec, state, found.capacity, plain=plain, quiet=quiet)
    raise typer.Exit(code)


def tell_inherited(inherited: Iterable[WarmStarted]) -> None:
    """Say what the parents of a warm start bring."""
    for each in inherited:
        line = f"warm start: {count(len(each.jobs), 'training job')} of {each.parent}"
        outside = f"; {each.left_out} outside the ranges left out" if each.left_out else ""
        say(line + outside)


def _record(warnings: Iterable[Problem]) -> list[Warned]:
    from hpt_cli.tuning.events import Warned

    return [
        Warned(at=time.time(), slug=each.slug, message=each.message, hint=each.hint)
        for each in warnings
    ]


def _create(
    jobdir: JobDir, spec: TuningSpec, source: Path, first: Sequence[WarmStarted | Warned]
) -> None:
    """Make the journal of a new tuning job; the caller holds the lock."""
    from hpt_cli.storage.journal import create_journal, describe_creation

    if jobdir.journal.exists():
        raise UsageError.of(
            "name-exists",
            f"a tuning job named '{spec.name}' exists already in {jobdir.path.parent}",
            f"go on with it: hpt resume {spec.name}; or start another: hpt run {source} --name NEW",
        )
    jobdir.keep_spec(source)
    create_journal(jobdir.journal, describe_creation(spec, Path.cwd()), *first)
