"""Completion by the shell: names, training jobs, metrics, columns.

Candidates come from file names where possible. Nothing is raised: a broken tuning job has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from hpt_cli.errors import HptError
from hpt_cli.spec.names import parse_job
from hpt_cli.storage.home import LAST, find_home, find_job_dir, find_newest, is_job, list_job_dirs
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal

_WORD = re.compile(r"[\w@%+=:,./-]+")


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the tuning jobs of the home that are not on the line yet, the newest first."""
    try:
        found = list_job_dirs(find_home(ctx.params.get("home")))
        found.sort(key=lambda each: -each.created_at)
    except OSError:
        return []
    given = ctx.params.get("names") or ()
    names = [each.name for each in found if each.name not in given]
    arguments = (each for each in ctx.command.params if each.param_type_name == "argument")
    takes_jobs = any(each.name in ("job", "jobs") for each in arguments)
    jobs = _list_jobs(found[0]) if names and takes_jobs else []
    return _begin([*names, *([LAST] if names else []), *jobs], incomplete)


def complete_job(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the numbers of the training jobs that were started."""
    jobdir = _find(ctx)
    return _begin(_list_jobs(jobdir) if jobdir else [], incomplete)


def complete_hyperparameter(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what is tuned, each with the sign that its value follows."""
    names = _read_spec(ctx).get("hyperparameter_ranges", ())
    return _begin([f"{name}=" for name in names], incomplete)


def complete_metric(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the metrics that the spec defines."""
    return _begin(_list_metrics(_read_spec(ctx)), incomplete)


def complete_column(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the columns of the results table; after a comma, for one more of them."""
    from hpt_cli.reports.render.columns import USUAL

    before, comma, last = incomplete.rpartition(",")
    spec = _read_spec(ctx)
    names = dict.fromkeys([*spec.get("hyperparameter_ranges", ()), *USUAL, *_list_metrics(spec)])
    return [f"{before}{comma}{name}" for name in _begin(names, last)]


def complete_field(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the fields of a spec, and those of their parts, as paths with dots."""
    from hpt_cli.spec.fields.parts import list_paths

    return _begin(list_paths(_read_spec_file(ctx)), incomplete)


def complete_changeable_field(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the same, of a tuning job that has begun: those that can change."""
    from hpt_cli.spec.fields.parts import list_paths
    from hpt_cli.spec.model import CHANGEABLE

    paths = _begin(list_paths(_read_spec(ctx)), incomplete)
    return [each for each in paths if each.partition(".")[0] in CHANGEABLE]


def _begin(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names with a beginning that are plain words: zsh evaluates its candidates."""
    return [name for name in names if name.startswith(incomplete) and _WORD.fullmatch(name)]


def _find(ctx: typer.Context) -> JobDir | None:
    """Return the tuning job on the line, which click leaves in args after a bare option.

    Without one, the newest.
    """
    name = ctx.params.get("name") or next(iter(ctx.args), "")
    home = find_home(ctx.params.get("home"))
    try:
        return find_newest(home) if not name or is_job(home, name) else find_job_dir(home, name)
    except (HptError, OSError):
        return None


def _list_jobs(jobdir: JobDir) -> list[str]:
    names = sorted(path.name for path in (jobdir.path / "jobs").glob("[0-9]*"))
    return [str(number) for number in map(parse_job, names) if number is not None]


def _read_spec(ctx: typer.Context) -> dict[str, Any]:
    jobdir = _find(ctx)
    if jobdir is None:
        return {}
    try:
        with open_journal(jobdir.journal) as journal:
            return journal.creation().spec
    except (HptError, OSError):
        return {}


def _read_spec_file(ctx: typer.Context) -> dict[str, Any]:
    """Return the fields of the spec on the line, or of the only one here."""
    from hpt_cli.cli.spec_files import list_specs
    from hpt_cli.storage.spec_file import read_raw

    given = ctx.params.get("spec") or next(iter(ctx.args), None)
    try:
        specs = [Path(given)] if given else list_specs()
        return dict(read_raw(specs[0]).fields) if len(specs) == 1 else {}
    except (HptError, OSError):
        return {}


def _list_metrics(spec: dict[str, Any]) -> list[str]:
    return [each["name"] for each in spec.get("metric_definitions", ())]
