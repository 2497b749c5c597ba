"""hpt curves NAME [JOB...]: learning curves, in the terminal or as a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import typer
from rich.console import Console

from hpt_cli.cli.completion import complete_metric
from hpt_cli.cli.load import find_target, parse_jobs, read_state, summarize_state
from hpt_cli.cli.options import Force, Home, Jobs, Json, OptionalName, Png
from hpt_cli.cli.output import print_json, write_picture
from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.reports.curves import Chart, chart_to_json, make_plot, render_chart
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Summary

EXAMPLES = (
    "hpt curves digits",
    "hpt curves 3 7 16 --metric train:loss --log y",
    "hpt curves digits --png digits.png",
)


def curves(
    name: OptionalName = None,
    jobs: Jobs = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="A metric other than the objective (repeatable).",
            autocompletion=complete_metric,
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Literal["x", "y", "xy"] | None,
        typer.Option("--log", metavar="x|y|xy", help="The axes to scale logarithmically."),
    ] = None,
    png: Png = None,
    force: Force = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """Plot learning curves, with the best and the stopped jobs marked."""
    jobdir, words, _ = find_target(home, name, jobs or [])
    state = read_state(jobdir)
    summary = summarize_state(jobdir, state)
    numbers = parse_jobs(words, jobdir.name, [row.number for row in summary.rows])
    if numbers:
        rows = tuple(row for row in summary.rows if row.number in numbers)
        summary = replace(summary, rows=rows)
    charts = _make_charts(state, summary, metric or [], log or "", asked=bool(numbers))
    if json:
        print_json([row for chart in charts for row in chart_to_json(chart)])
    elif png is not None:
        write_picture([make_plot(chart) for chart in charts], png, force=force)
    else:
        for chart in charts:
            Console().print(render_chart(chart))


def _make_charts(
    state: TuningState, summary: Summary, metrics: list[str], log: str, *, asked: bool
) -> list[Chart]:
    known = [each["name"] for each in state.spec["metric_definitions"]]
    problems = [
        Problem(
            "metric-unknown",
            f"--metric {metric}: there is no such metric",
            did_you_mean(metric, known) or f"one of {', '.join(known)}",
        )
        for metric in metrics
        if metric not in known
    ]
    if problems:
        raise UsageError(*problems)
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
