"""hpt replay NAME... or --table FILE: what stop rules would have saved, and lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from hpt_cli.cli.load import print_json, read_state
from hpt_cli.cli.options import Home, Json
from hpt_cli.errors import HptError, Problem, UsageError
from hpt_cli.formatting import count
from hpt_cli.stop_rules import STOP_RULES, StopRule, load_stop_rule
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.analysis.replay import Recording, Replay
    from hpt_cli.reports.replay import ReplayReport, RuleRow

EXAMPLES = (
    "hpt replay digits-off",
    "hpt replay digits-off --rule median:min_epochs=3 --rule auto",
)
T = TypeVar("T")
TABLE_PANEL = "With --table"


def replay(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Tuning jobs, best those run with Off.", show_default=False),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            "-r",
            metavar="RULE",
            help=f"{', '.join(STOP_RULES)}; with parameters as in median:min_completed_jobs=5,"
            "min_epochs=2 (repeatable). All of them where none is named.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="A table of recorded curves instead of tuning jobs: JSON lines, or gzipped.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", min=1, help="Training jobs.", rich_help_panel=TABLE_PANEL),
    ] = 20,
    parallel: Annotated[
        int,
        typer.Option("--parallel", min=1, help="Jobs at a time.", rich_help_panel=TABLE_PANEL),
    ] = 2,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            min=1,
            help="Tuning jobs to replay; the figures are their means.",
            rich_help_panel=TABLE_PANEL,
        ),
    ] = 100,
    strategy: Annotated[
        Literal["Random", "Bayesian"],
        typer.Option(
            "--strategy",
            help="Random draws configurations of the table; Bayesian suggests some and takes the"
            " nearest recorded ones, at a second or so for each replay.",
            rich_help_panel=TABLE_PANEL,
        ),
    ] = "Random",
    json: Json = False,
    home: Home = None,
) -> None:
    """Show what stop rules would have saved, and if the best job would be lost.

    The same tuner runs again under a virtual clock, on recorded curves: nothing
    is trained. A tuning job is replayed with its own training jobs, in their
    order and with their durations; those that were stopped are left out, as
    nobody knows how they would have gone on.

    Savings are against the same training jobs with Off. The loss is what the
    best value found falls short of the best there was, as a share of the way
    from the median to the best.
    """
    if bool(names) == (table is not None):
        raise UsageError.of(
            "replay-what",
            "name either tuning jobs or a table to replay",
            "hpt replay NAME, or hpt replay --table FILE",
        )
    rules = read_rules(rule or [])
    if table is not None:
        _replay_table(table, rules, jobs, parallel, seeds, strategy, as_json=json)
        return
    jobdirs = [find_job_dir(find_home(home), name) for name in names or []]
    _print([_replay_tuning_job(jobdir, rules) for jobdir in jobdirs], as_json=json)


def read_rules(texts: Sequence[str]) -> dict[str, StopRule]:
    """The rules asked for, by what was typed; all of the built-in ones if none was.

    Raises:
        UsageError: there is no such rule or parameter, or a parameter is out of its bounds.
    """
    from hpt_cli.spec.checks import find_conflicts
    from hpt_cli.spec.model import EarlyStopping

    fields = {text: _split_rule(text) for text in texts or STOP_RULES}
    problems = [
        Problem(each.slug, f"--rule {text}: {each.message}", each.hint)
        for text, rule in fields.items()
        for each in find_conflicts({"early_stopping_type": "Auto", "early_stopping": rule})
    ]
    if problems:
        raise UsageError(*problems)
    validated = {text: EarlyStopping.model_validate(each) for text, each in fields.items()}
    return {text: load_stop_rule(each.rule, **each.parameters) for text, each in validated.items()}


def _split_rule(text: str) -> dict[str, Any]:
    """`median:min_epochs=2` as the fields of `early_stopping`."""
    rule, _, parameters = text.partition(":")
    fields: dict[str, Any] = {"rule": rule}
    for part in filter(None, parameters.split(",")):
        name, _, number = part.partition("=")
        try:
            fields[name] = int(number) if number.lstrip("-").isdecimal() else float(number)
        except ValueError:
            raise UsageError.of(
                "stop-rule-parameter",
                f"--rule {text}: '{part}' gives no number",
                "write it as RULE:PARAMETER=NUMBER,PARAMETER=NUMBER",
            ) from None
    return fields


def _replay_table(
    path: Path,
    rules: dict[str, StopRule],
    jobs: int,
    parallel: int,
    seeds: int,
    strategy: Literal["Random", "Bayesian"],
    *,
    as_json: bool,
) -> None:
    from hpt_cli.analysis.curve_tables import make_spec, read_table, replay_table
    from hpt_cli.analysis.replay import average
    from hpt_cli.reports.replay import ReplayReport, RuleRow

    table = read_table(path)
    spec = make_spec(table, strategy, jobs, parallel)
    by_seed = [
        replay_table(table, spec, list(rules.values()), seed) for seed in _track(range(seeds))
    ]
    by_rule = map(average, zip(*by_seed, strict=True))
    report = ReplayReport(
        heading=f"{table.name}: {count(jobs, 'job')}, {parallel} in parallel, {strategy},"
        f" means of {count(seeds, 'replay')}",
        jobs=jobs,
        rows=tuple(map(RuleRow, rules, by_rule)),
        replays=seeds,
    )
    _print([report], as_json=as_json)


def _track(items: Sequence[T]) -> Iterable[T]:
    """The items, with a bar on a terminal that shows how many are done."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(
        items,
        description="replaying",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _replay_tuning_job(jobdir: JobDir, rules: dict[str, StopRule]) -> ReplayReport:
    from hpt_cli.analysis.replay import (
        count_epochs,
        find_best_value,
        find_final_losses,
        record,
        sum_training_seconds,
    )
    from hpt_cli.reports.replay import ReplayReport, describe_off
    from hpt_cli.tuning.summary import tuning_seconds

    recording = record(read_state(jobdir))
    objective = recording.objective
    off = recording.replay(None)
    if not find_final_losses(off.state, objective):
        raise HptError.of(
            "replay-none",
            f"no training job of {jobdir.name} ran to its end with a value of {objective.metric}",
            "run it with early_stopping_type: Off first",
        )
    best = find_best_value(off, objective)
    jobs, parallel = len(recording.jobs), recording.max_parallel_jobs
    return ReplayReport(
        heading=f"{jobdir.name}: {count(jobs, 'training job')}, {parallel} in parallel",
        jobs=jobs,
        rows=tuple(_measure(jobdir.name, recording, off, *each) for each in rules.items()),
        name=jobdir.name,
        left_out=recording.left_out,
        off=describe_off(
            count_epochs(off, objective),
            sum_training_seconds(off),
            tuning_seconds(off.state, None),
            best,
        ),
        best=best,
    )


def _measure(name: str, recording: Recording, off: Replay, text: str, rule: StopRule) -> RuleRow:
    from hpt_cli.analysis.replay import find_best_value, find_final_losses, list_stopped, measure
    from hpt_cli.reports.replay import RuleRow, StoppedJob
    from hpt_cli.spec.names import job_name

    objective, numbers = recording.objective, list(recording.jobs)
    run = recording.replay(rule)
    finals = find_final_losses(off.state, objective)
    stopped = (
        StoppedJob(
            name=job_name(name, numbers[job.number - 1]),
            number=numbers[job.number - 1],
            epochs=len(job.curve(objective.metric)),
        )
        for job in list_stopped(run)
    )
    return RuleRow(
        rule=text,
        figures=measure(off, run, objective, finals.values()),
        stopped=tuple(stopped),
        best=find_best_value(run, objective),
    )


def _print(reports: Sequence[ReplayReport], *, as_json: bool) -> None:
    from hpt_cli.reports.replay import render, to_json

    if as_json:
        print_json(to_json(reports))
        return
    from rich.console import Console

    Console().print(render(reports))
