"""hpt curves NAME [JOB...]: learning curves, in the terminal or as a picture."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hpt_cli.cli.completion import complete_metric
from hpt_cli.cli.load import parse_jobs, print_json, read_state
from hpt_cli.cli.options import Force, Home, Jobs, Json, Name, Png
from hpt_cli.cli.output import write_picture
from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.lock import find_lock_holder

if TYPE_CHECKING:
    from hpt_cli.reports.curves import Chart
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt curves digits",
    "hpt curves digits 3 7 16 --metric train:loss --log y",
    "hpt curves digits --png digits.png",
)


def curves(
    name: Name,
    jobs: Jobs = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="Another metric than the objective (repeatable).",
            autocompletion=complete_metric,
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Literal["x", "y", "xy"] | None,
        typer.Option("--log", help="Axes on which equal ratios are equal lengths."),
    ] = None,
    png: Png = None,
    force: Force = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """Plot learning curves: the best job, running and stopped ones told apart."""
    from hpt_cli.tuning.summary import summarize

    jobdir = find_job_dir(find_home(home), name)
    state = read_state(jobdir)
    summary = summarize(state, time.time(), at_work=find_lock_holder(jobdir) is not None)
    numbers = parse_jobs(jobs or [], jobdir.name, [row.number for row in summary.rows])
    if numbers:
        rows = tuple(row for row in summary.rows if row.number in numbers)
        summary = replace(summary, rows=rows)
    charts = _make_charts(state, summary, metric or [], log or "", asked=bool(numbers))
    if json:
        from hpt_cli.reports.curves import chart_to_json

        print_json([row for chart in charts for row in chart_to_json(chart)])
    elif png is not None:
        from hpt_cli.reports.curves import make_plot

        write_picture([make_plot(chart) for chart in charts], png, force=force)
    else:
        _print_charts(charts)


def _make_charts(
    state: TuningState, summary: Summary, metrics: list[str], log: str, *, asked: bool
) -> list[Chart]:
    from hpt_cli.reports.curves import Chart

    known = [each["name"] for each in state.spec["metric_definitions"]]
    unknown = [metric for metric in metrics if metric not in known]
    if unknown:
        raise UsageError(
            *(
                Problem(
                    "metric-unknown",
                    f"--metric {metric}: there is no such metric",
                    did_you_mean(metric, known) or f"one of {', '.join(known)}",
                )
                for metric in unknown
            )
        )
    return [
        Chart(
            summary=summary,
            metric=metric,
            curves={row.number: state.jobs[row.number].curve(metric) for row in summary.rows},
            log_x="x" in log,
            log_y="y" in log,
            asked=asked,
        )
        for metric in metrics or [summary.objective.metric]
    ]


def _print_charts(charts: list[Chart]) -> None:
    from rich.console import Console

    from hpt_cli.reports.curves import render_chart

    for chart in charts:
        Console().print(render_chart(chart))
