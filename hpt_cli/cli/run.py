"""hpt run SPEC: start a tuning job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.options import Home, Plain, Quiet
from hpt_cli.errors import UsageError
from hpt_cli.jobdir import JobDir, find_home, make_job_dir

if TYPE_CHECKING:
    from hpt_cli.core.spec import TuningSpec


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
    from hpt_cli.cli.tuning import check_working_directory, tune
    from hpt_cli.specfile import read_spec

    overrides = [*(set_ or []), *([f"name={name}"] if name else [])]
    asked = read_spec(spec, overrides)
    check_working_directory(asked, Path.cwd())
    jobdir = make_job_dir(find_home(home), asked.name)
    with jobdir.hold_lock():
        _create(jobdir, asked, spec)
        code = tune(jobdir, asked, plain=plain, quiet=quiet)
    raise typer.Exit(code)


def _create(jobdir: JobDir, spec: TuningSpec, source: Path) -> None:
    """Make the journal of a new tuning job; the caller holds the lock."""
    from hpt_cli.runner import describe_creation
    from hpt_cli.store import create_journal

    if jobdir.journal.exists():
        raise UsageError.of(
            "name-exists",
            f"a tuning job named '{spec.name}' exists already in {jobdir.path.parent}",
            f"go on with it: hpt resume {spec.name}; or start another: hpt run {source} --name NEW",
        )
    jobdir.spec.write_bytes(source.read_bytes())
    create_journal(jobdir.journal, describe_creation(spec, Path.cwd()))
