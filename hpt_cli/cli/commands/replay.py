"""hpt replay NAME... or --table FILE: what stop rules would have saved, and lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from rich.console import Console

from hpt_cli.cli.completion import complete_name
from hpt_cli.cli.load import find_tuning_jobs, read_state
from hpt_cli.cli.options import Home, Json
from hpt_cli.cli.output import print_answer
from hpt_cli.errors import Problem, UsageError
from hpt_cli.formatting import count
from hpt_cli.stop_rules import STOP_RULES, StopRule, load_stop_rule

if TYPE_CHECKING:
    from hpt_cli.reports.replay import ReplayReport
    from hpt_cli.spec.parts import Pausing
    from hpt_cli.storage.job_directory import JobDir

EXAMPLES = (
    "hpt replay digits-off",
    "hpt replay digits-off --rule median:min_epochs=3 --rule auto",
)
TABLE_PANEL = "With --table"


Rule = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        "-r",
        metavar="RULE",
        help=f"{', '.join(STOP_RULES)}; with parameters as in median:min_epochs=3"
        " (repeatable). By default all of them.",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="The metric to judge by, as early_stopping.metric in a spec.",
        show_default=False,
    ),
]
MetricType = Annotated[
    Literal["Maximize", "Minimize"] | None,
    typer.Option(
        "--metric-type",
        metavar="Maximize|Minimize",
        help="Which way that metric goes. By default that of the objective.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Replay a table of recorded curves instead of tuning jobs: JSON lines, also gzipped.",
        show_default=False,
    ),
]
TableJobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="The number of training jobs.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Parallel = Annotated[
    int,
    typer.Option(
        "--parallel",
        metavar="N",
        min=1,
        help="The number of training jobs at once.",
        rich_help_panel=TABLE_PANEL,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        help="The number of replays; the figures are their means.",
        rich_help_panel=TABLE_PANEL,
    ),
]
StrategyName = Literal["Random", "Bayesian"]
Strategy = Annotated[
    StrategyName,
    typer.Option(
        "--strategy",
        metavar="|".join(get_args(StrategyName)),
        help="Random draws configurations from the table; Bayesian suggests some and takes the"
        " nearest recorded ones, which takes a second or so for each replay.",
        rich_help_panel=TABLE_PANEL,
    ),
]


PausingToo = Annotated[
    bool,
    typer.Option(
        "--pausing",
        help="Replay each rule with pausing too: all training jobs begin, and the best go on.",
    ),
]
MaxPaused = Annotated[
    int | None,
    typer.Option(
        "--max-paused",
        metavar="N",
        min=1,
        help="Like --pausing, with at most N training jobs paused at a time.",
        show_default=False,
    ),
]


def replay(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tuning jobs, preferably run with early stopping Off.",
            show_default=False,
            autocompletion=complete_name,
        ),
    ] = None,
    rule: Rule = None,
    metric: Metric = None,
    metric_type: MetricType = None,
    pausing: PausingToo = False,
    max_paused: MaxPaused = None,
    table: Table = None,
    jobs: TableJobs = 20,
    parallel: Parallel = 2,
    seeds: Seeds = 100,
    strategy: Strategy = "Random",
    json: Json = False,
    home: Home = None,
) -> None:
    """Show what stop rules would have saved, and what they would lose.

    The same tuner runs again under a virtual clock, on recorded curves: nothing is trained. A
    tuning job is replayed with its own training jobs, in their order and with their durations;
    stopped ones are left out, as the rest of their curves is unknown.

    Savings are relative to the same training jobs with early stopping Off. The loss is how much
    worse the best value is, as a share of the distance from the median to the best.
    """
    from hpt_cli.reports.replay import render, to_json

    if bool(names) == (table is not None):
        raise UsageError.of(
            "replay-what",
            "give either tuning jobs or a table to replay",
            "hpt replay NAME, or hpt replay --table FILE",
        )
    judging = _name_metric(metric, metric_type, table)
    rules = read_rules(rule or [])
    pausings = _list_pausings(max_paused, pausing=pausing)
    if table is not None:
        reports = [_replay_table(table, rules, pausings, jobs, parallel, seeds, strategy)]
    else:
        jobdirs = find_tuning_jobs(home, names)
        reports = [_replay_tuning_job(each, rules, pausings, judging) for each in jobdirs]
    print_answer(render, to_json, reports, as_json=json)


def _name_metric(metric: str | None, type_: str | None, table: Path | None) -> dict[str, str]:
    """Return the metric to judge by as `early_stopping` names one.

    Raises:
        UsageError: a table is replayed, which has no other than its objective.
    """
    asked = {"metric": metric, "metric_type": type_}
    given = {name: value for name, value in asked.items() if value is not None}
    if table is not None and given:
        message = "--metric and --metric-type are for tuning jobs: a table has its objective only"
        raise UsageError.of("replay-what", message)
    return given


def _replay_tuning_job(
    jobdir: JobDir,
    rules: dict[str, StopRule],
    pausings: Sequence[Pausing | None],
    judging: dict[str, str],
) -> ReplayReport:
    """Return the report of a tuning job, judged by the metric that is named, if one is.

    Raises:
        UsageError: it has no such metric, or that one goes the other way.
    """
    from hpt_cli.analysis.replay import record
    from hpt_cli.reports.replay import report_tuning_job
    from hpt_cli.spec.cross_field import find_conflicts
    from hpt_cli.spec.objective import OBJECTIVE_FIELDS

    state = read_state(jobdir)
    raw = {name: state.spec[name] for name in OBJECTIVE_FIELDS if name in state.spec}
    asked = {"early_stopping_type": "Auto", "early_stopping": judging}
    problems = [
        Problem(each.slug, f"--metric: {each.message}", each.hint)
        for each in find_conflicts(raw | asked)
    ]
    if problems:
        raise UsageError(*problems)
    return report_tuning_job(jobdir.name, record(state, judging), rules, pausings)


def _list_pausings(max_paused: int | None, *, pausing: bool) -> list[Pausing | None]:
    """Return how training jobs are paused in each replay of a rule; None for not at all."""
    from hpt_cli.spec.parts import Pausing

    is_asked = pausing or max_paused is not None
    return [None, *([Pausing(max_paused=max_paused)] if is_asked else [])]


def read_rules(texts: Sequence[str]) -> dict[str, StopRule]:
    """Return stop rules by what the user wrote; all of them if nothing was written.

    Raises:
        UsageError: there is no such rule or parameter, or a parameter is out of bounds.
    """
    from hpt_cli.spec.cross_field import find_conflicts
    from hpt_cli.spec.parts import EarlyStopping

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
    """Return the fields of `early_stopping` for `median:min_epochs=2`."""
    from hpt_cli.spec.cross_field.search import OWN_FIELDS

    rule, _, parameters = text.partition(":")
    fields: dict[str, Any] = {"rule": rule}
    for part in filter(None, parameters.split(",")):
        name, _, number = part.partition("=")
        if name in OWN_FIELDS:
            message = f"--rule {text}: '{name}' is no parameter of a rule"
            raise UsageError.of("stop-rule-parameter", message)
        try:
            fields[name] = int(number) if number.lstrip("-").isdecimal() else float(number)
        except ValueError:
            raise UsageError.of(
                "stop-rule-parameter",
                f"--rule {text}: '{part}' does not contain a number",
                "write it as RULE:PARAMETER=NUMBER,PARAMETER=NUMBER",
            ) from None
    return fields


def _replay_table(
    path: Path,
    rules: dict[str, StopRule],
    pausings: Sequence[Pausing | None],
    jobs: int,
    parallel: int,
    seeds: int,
    strategy: StrategyName,
) -> ReplayReport:
    from hpt_cli.analysis.curve_tables import make_spec, read_table, replay_table
    from hpt_cli.analysis.replay import average
    from hpt_cli.reports.replay import ReplayReport, RuleRow

    table = read_table(path)
    spec = make_spec(table, strategy, jobs, parallel)
    specs = [spec.model_copy(update={"pausing": each}) for each in pausings]
    by_seed = [
        [row for each in specs for row in replay_table(table, each, list(rules.values()), seed)]
        for seed in _track(range(seeds))
    ]
    figures = map(average, zip(*by_seed, strict=True))
    rows = [(rule, each is not None) for each in pausings for rule in rules]
    return ReplayReport(
        heading=f"{table.name}: {count(jobs, 'job')}, {parallel} in parallel, {strategy},"
        f" means of {count(seeds, 'replay')}",
        jobs=jobs,
        rows=tuple(
            RuleRow(rule, each, is_paused)
            for (rule, is_paused), each in zip(rows, figures, strict=True)
        ),
        replays=seeds,
    )


def _track(seeds: range) -> Iterable[int]:
    """Return the seeds, with a progress bar on a terminal."""
    from rich.progress import track

    bar = Console(stderr=True)
    return track(seeds, "replaying", console=bar, transient=True, disable=not bar.is_terminal)
