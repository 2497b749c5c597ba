"""hpt confirm NAME: whether the best of a tuning job is really the best."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import find_tuning_job, read_state, read_summary, summarize_state
from hpt_cli.cli.options import Detach, Home, Json, OptionalName, Plain, Quiet
from hpt_cli.cli.output import print_report
from hpt_cli.errors import HptError, UsageError, did_you_mean
from hpt_cli.reports.best import describe_none
from hpt_cli.storage.home import make_job_dir, name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal, describe_creation, open_journal
from hpt_cli.storage.known_homes import remember_home
from hpt_cli.storage.lock import has_tuner, hold_lock

if TYPE_CHECKING:
    from hpt_cli.cli.session import Session
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt confirm digits",
    "hpt confirm digits --top 3 --seeds 10 --seed random_state",
    "hpt confirm digits --detach",
)
SEED = "seed"
"""What the seed is called where nobody says otherwise."""


class Asked(NamedTuple):
    """What the command line asks for."""

    name: str
    top: int
    seeds: int
    seed: str | None
    """The hyperparameter that is the seed: "" for the usual one, None where there is none."""


class Search(NamedTuple):
    """A tuning job that is confirmed."""

    spec: TuningSpec
    first: TuningSpec
    """The spec that it began with."""
    summary: Summary


Top: TypeAlias = Annotated[
    int, typer.Option("--top", min=1, metavar="N", help="How many of the best are run again.")
]
Seeds: TypeAlias = Annotated[
    int,
    typer.Option("--seeds", min=2, max=100, metavar="N", help="With how many seeds each, at most."),
]
Seed: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--seed",
        metavar="OPTION",
        help="The hyperparameter that is the seed, or an option of the command: by default 'seed'.",
        show_default=False,
    ),
]
NoSeed: TypeAlias = Annotated[
    bool,
    typer.Option("--no-seed", help="The command takes no seed: it draws another one each time."),
]
NewName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The name of the tuning job that does it: by default NAME-confirm.",
        show_default=False,
    ),
]


def confirm(
    name: OptionalName = None,
    top: Top = 5,
    seeds: Seeds = 5,
    seed: Seed = None,
    no_seed: NoSeed = False,
    new_name: NewName = None,
    home: Home = None,
    json: Json = False,
    plain: Plain = False,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Run the best training jobs again with other seeds.

    The best few and the default (the first of initial_hyperparameters) race in a tuning job of
    their own, NAME-confirm: who falls behind runs less often, and all together run at most as often
    as --top times --seeds. It says with which probability the best is better than each other one.
    """
    from hpt_cli.cli.session import open_session

    if json and detach:
        message = "--json prints the result, and --detach does not wait for it"
        raise UsageError.of("options", message, "hpt show NAME-confirm --json, at its end")
    if no_seed and seed is not None:
        message = "--seed says what the seed is, and --no-seed that there is none"
        raise UsageError.of("options", message)
    source = find_tuning_job(home, name)
    asked = Asked(new_name or f"{source.name}-confirm", top, seeds, None if no_seed else seed or "")
    with open_session(plain=plain, quiet=quiet or json, detached=detach) as session:
        code = _confirm(session, source, asked)
    if json:
        print_report("show", [read_summary(source.beside(asked.name))], as_json=True)
    raise typer.Exit(code)


def _confirm(session: Session, source: JobDir, asked: Asked) -> int:
    """Create the tuning job that confirms another, and tune; return the exit code."""
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.spec.model import load_spec
    from hpt_cli.spec.yaml.reader import read_fields
    from hpt_cli.spec.yaml.writer import write_spec

    state = read_state(source)
    with open_journal(source.journal) as journal:
        first = load_spec(journal.creation().spec)
    search = Search(load_spec(state.spec), first, summarize_state(source, state))
    fields = _plan(source, search, asked)
    directory, home = Path(state.directory), source.path.parent
    found = check_before_run(read_fields(fields), os.environ, directory, home)
    jobdir = make_job_dir(home, found.spec.name)
    remember_home(home)
    with hold_lock(jobdir) as caution:
        if caution:
            print_message(caution)
        session.signals.remember()
        _refuse_taken(jobdir, source)
        jobdir.put_spec(write_spec(found.spec.model_dump(mode="json", exclude_defaults=True)))
        create_journal(jobdir.journal, describe_creation(found.spec, directory))
        if not session.quiet:
            print_message(_describe(found.spec))
        return session.tune(jobdir, found.spec, read_state(jobdir), found.capacity)


def _plan(source: JobDir, search: Search, asked: Asked) -> dict[str, Any]:
    """Return the fields of the spec that confirms a search.

    Raises:
        UsageError: it has a tuner at work, or the seed cannot be the one that is named.
        HptError: it has nothing to compare.
    """
    from hpt_cli.tuning.repeats.contest import choose_points, write_fields

    name, (spec, first, summary) = source.name, search
    if has_tuner(source):
        wait, stop = (name_command(each, source) for each in ("wait", "stop"))
        hint = f"wait for it: {wait}; or end it: {stop}"
        raise UsageError.of(
            "confirm-running", f"{name} has not ended: it is {summary.status}", hint
        )
    seed = asked.seed
    if seed == "":
        seed = spec.seed_name or SEED
    elif seed is not None:
        seed = _check_seed(spec, seed.lstrip("-"))
    chosen = choose_points(spec, first, summary, asked.top, seed)
    if summary.best is None:
        raise HptError.of("no-best", describe_none(summary))
    if len(chosen.points) < 2:
        message = f"{name} has one configuration with a result, and no default to compare it with"
        more = name_command("update", source, "--max-jobs", "N")
        raise HptError.of("confirm-alone", message, f"try more: {more}")
    return write_fields(spec, summary, chosen, asked.name, asked.seeds, seed)


def _check_seed(spec: TuningSpec, seed: str) -> str:
    """Return the name of the seed, unless another one is nearly meant, or it cannot be one."""
    ranges, close = spec.hyperparameter_ranges, did_you_mean(seed, spec.names)
    if seed not in spec.names and close:
        raise UsageError.of("confirm-seed", f"{spec.name} has no hyperparameter '{seed}'", close)
    if seed in ranges and ranges[seed].size is None:
        message = f"'{seed}' is a Continuous hyperparameter of {spec.name}, and no seed"
        raise UsageError.of("confirm-seed", message, "--seed names the seed of the command")
    return seed


def _refuse_taken(jobdir: JobDir, source: JobDir) -> None:
    if jobdir.journal.exists():
        message = f"a tuning job named '{jobdir.name}' already exists in {jobdir.path.parent}"
        again = name_command("confirm", source, "--name", "NEW")
        hint = f"continue it: {name_command('resume', jobdir)}; or confirm again: {again}"
        raise UsageError.of("name-exists", message, hint)


def _describe(spec: TuningSpec) -> str:
    """Return what is run again, and how often."""
    assert spec.confirms is not None
    assert spec.repeats is not None
    asked = spec.confirms
    default = "no default: it has no initial_hyperparameters"
    if asked.default is not None:
        default = "the default"
        default += f", which is job {asked.jobs[asked.default]}" if asked.has_best_only else ""
    jobs = ", ".join(map(str, asked.jobs if asked.has_best_only else asked.jobs[:-1]))
    words = f"{spec.name}: the best of {asked.tuning_job} again (jobs {jobs}; {default})"
    return f"{words}, up to {spec.repeats.count} times each, at most {spec.job_limit} training jobs"
