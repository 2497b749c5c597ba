"""The report of `hpt check`: what a spec would search, run, read and write, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hpt_cli.checks.checkup import Checkup, TriedJob
from hpt_cli.checks.preview import (
    Estimate,
    count_jobs,
    explain_scaling,
    list_criteria,
    list_values,
)
from hpt_cli.errors import Problem
from hpt_cli.formatting import (
    count,
    describe_exit,
    draw_sparkline,
    format_number,
    format_seconds,
    format_setting,
    plain,
)
from hpt_cli.spec.cross_field.search import describe_bounds
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import count_points
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import before_run as json_types

SPARKLINE_WIDTH = 24
MAX_SHOWN = 200
"""How many lines of a trial run are shown as they come."""
MAX_LINES = 5


def render(checkup: Checkup) -> RenderableType:
    """Return the report, with a section for each subject."""
    spec = checkup.spec
    sections: list[tuple[str, RenderableType]] = [
        ("objective", _list_lines([*_list_objectives(spec)])),
        ("ranges", _render_ranges(spec)),
        *([("constraints", _list_lines(spec.constraints))] if spec.constraints else []),
        (f"first {count(len(checkup.commands), 'training job')}", _list_lines(checkup.commands)),
        ("environment", _render_environment(checkup)),
        *([("resources", _list_lines(_describe_resources(checkup)))] if checkup.pool else []),
        ("files", _list_lines([checkup.directory, *checkup.config_files, checkup.output])),
        ("ends when one of these is met", _list_lines([*list_criteria(spec)])),
        ("early stopping", Text(_describe_stopping(spec))),
    ]
    blocks: list[RenderableType] = [Text(plain(spec.name), style="bold")]
    for heading, body in sections:
        blocks += [Text(), Text(heading, style="bold"), Padding(body, (0, 0, 0, 2), expand=False)]
    return Group(*blocks, *_render_warnings(checkup.warnings))


def _list_objectives(spec: TuningSpec) -> Iterator[str]:
    """Yield what the best is found by, and by what training jobs are judged where that differs."""
    yield _describe_objective(spec)
    judged = spec.judged
    if spec.stop_rule is not None and judged.metric != spec.objective.metric:
        yield f"{judged.type} {judged.metric}: what early stopping judges by"


def _describe_objective(spec: TuningSpec) -> str:
    objective = spec.objective
    counts = {
        "last": "last value",
        "best": "best value",
        "mean": "mean",
        "mean_of_last": f"mean of the last {objective.window} values",
    }[objective.value]
    return f"{spec.objective_type} {objective.metric}: the {counts} of each training job"


def render_tried(checkup: Checkup, tried: TriedJob) -> RenderableType:
    """Return what a trial run has shown, whose output was shown before."""
    return Group(*_list_findings(checkup, tried), *_render_warnings(tried.warnings))


def _render_warnings(warnings: Sequence[Problem]) -> list[Text]:
    blocks = []
    for warning in warnings:
        hint = f"\n    {plain(warning.hint)}" if warning.hint else ""
        words = f"\nwarning[{warning.slug}]: {plain(warning.message)}{hint}"
        blocks.append(Text(words, style="yellow"))
    return blocks


def _list_lines(lines: Sequence[str]) -> RenderableType:
    return Text("\n".join(map(plain, lines)), overflow="fold")


def _render_ranges(spec: TuningSpec) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, each in spec.hyperparameter_ranges.items():
        scaling = explain_scaling(each)
        table.add_row(
            *(Text(plain(name)), Text(describe_bounds(each))),
            Text(scaling + _describe_prior(spec, name) + _describe_when(each)),
        )
        if each.size is None or not isinstance(each, CategoricalRange):
            written = (spec.write({name: value})[name] for value in list_values(each))
            values = " ".join(map(format_setting, written))
            table.add_row("", "", Text(values, style="dim"))
    for name, value in spec.static_hyperparameters.items():
        table.add_row(Text(plain(name)), Text("static"), Text(format_setting(value)))
    return Group(table, Text(_describe_size(spec), style="dim"))


def _describe_size(spec: TuningSpec) -> str:
    """Return how many points there are to try, and the strategy."""
    if spec.strategy == "Grid":
        return f"a grid of {count(spec.grid_points, 'point')}"
    points = count_points(spec.searched_ranges)
    size = "more points than can be tried" if points is None else count(points, "point")
    return f"{size}, searched by {spec.strategy}"


def _describe_prior(spec: TuningSpec, name: str) -> str:
    prior = spec.hyperparameter_ranges[name].prior
    values = (format_setting(spec.write({name: value})[name]) for value in prior)
    return f"  prior {' or '.join(values)}" if prior else ""


def _describe_when(each: ParameterRange) -> str:
    conditions = [
        f"{plain(name)} is {' or '.join(map(format_setting, values))}"
        for name, values in each.when.items()
    ]
    return f"  only when {' and '.join(conditions)}" if conditions else ""


def _render_environment(checkup: Checkup) -> RenderableType:
    """Return the variables that hpt sets; of those for SageMaker's scripts only the names."""
    own = checkup.spec.environment
    lines = [
        f"{name}={value}"
        for name, value in sorted(checkup.environment.items())
        if name in own or not name.startswith("SM_")
    ]
    names = [name for name in sorted(checkup.environment) if name.startswith("SM_")]
    rest = f"as in SageMaker: {' '.join(name for name in names if name not in own)}"
    return Group(
        Text("\n".join(map(plain, lines)), no_wrap=True, overflow="ellipsis"),
        Text(plain(rest), style="dim"),
    )


def _describe_stopping(spec: TuningSpec) -> str:
    rule = spec.stop_rule
    if rule is None:
        return "Off: every training job runs to its end"
    parameters = ", ".join(f"{name} {value:g}" for name, value in rule.parameters.items())
    return f"by the rule {rule.rule}" + (f" ({parameters})" if parameters else "")


def _describe_resources(checkup: Checkup) -> list[str]:
    """Return what each training job gets of the resources, and how many run at once."""
    asked, pool = checkup.spec.request, checkup.pool
    if asked is None or pool is None:
        return []
    lines = []
    if asked.cpus:
        lines.append(f"{count(asked.cpus, 'core')} each, of {len(pool.cores)}")
    if asked.gpus:
        each = count(int(asked.gpus), "GPU") if asked.gpus >= 1 else f"{asked.gpus:g} of a GPU"
        alone = ", without those that others use" if checkup.spec.avoid_busy_gpus else ""
        lines.append(f"{each} each, of {', '.join(pool.gpus)}{alone}")
    if asked.memory_gb:
        lines.append(f"{asked.memory_gb:g} GiB of memory each, of {pool.memory_gb:.1f}")
    return [*lines, f"{count(checkup.slots, 'training job')} at once"]


def _list_findings(checkup: Checkup, tried: TriedJob) -> list[Text]:
    spec = checkup.spec
    lines = [Text(f"  {_describe_end(tried)}")]
    if tried.trial.failure and len(tried.trial.lines) > MAX_SHOWN:
        lines += _quote("its last lines:", tried.trial.lines[-MAX_LINES:])
    if tried.missing:
        lines.append(Text(f"  {plain(tried.missing)}", style="yellow"))
    name = plain(spec.objective_metric_name)
    if tried.values:
        curve = draw_sparkline(tried.values, SPARKLINE_WIDTH)
        latest = format_number(tried.values[-1])
        words = f"  {count(len(tried.values), 'value')} of {name}: {curve} {latest}"
        lines.append(Text(words, style="green"))
        lines.append(Text(f"  {describe_estimate(spec, tried.estimate, checkup.slots)}"))
        return lines + _render_pause(tried)
    where = f"in {plain(tried.file)}" if tried.file else "in what it printed"
    lines.append(Text(f"  no value of {name} {where}", style="red"))
    if tried.file and not tried.has_file:
        words = f"there is no {plain(tried.file)} in the job's directory, which HPT_JOB_DIR names"
        stray = "; the command wrote one into the working directory" if tried.is_astray else ""
        lines.append(Text(f"  {words}{stray}"))
    lines += _quote("the lines that come nearest:", tried.nearest)
    if tried.proposals:
        lines.append(Text("  metric definitions that would find something:"))
        lines += [Text(f"    - {plain(each)}") for each in tried.proposals]
    return lines


def _render_pause(tried: TriedJob) -> list[Text]:
    """Return what came of pausing a training job, if one was paused."""
    if tried.pause is None:
        return []
    style = {True: "green", False: "red", None: "yellow"}[tried.pause.goes_on]
    return [Text(f"  pausing: {plain(tried.pause.what)}", style=style)]


def _quote(heading: str, lines: Sequence[str]) -> list[Text]:
    shown = [f"  {heading}", *(f"  │ {plain(line)}" for line in lines)] if lines else []
    return [Text(each, style="dim", no_wrap=True, overflow="ellipsis") for each in shown]


def _describe_end(tried: TriedJob) -> str:
    took = format_seconds(tried.trial.seconds)
    if tried.trial.exit_code is None:
        return f"stopped after {took}, still running"
    if not tried.trial.failure:
        code = tried.trial.exit_code
        counts = f": {describe_exit(code)}, which is a success by the spec" if code else ""
        return f"ended by itself after {took}{counts}"
    return f"failed after {took}: {plain(tried.trial.failure)}"


def describe_estimate(spec: TuningSpec, estimate: Estimate, slots: int) -> str:
    """Return how long the tuning job may take, in a sentence."""
    bound = "at least " if estimate.is_at_least else "about "
    jobs = count(count_jobs(spec), "training job")
    parallel = f", {slots} at once" if slots > 1 else ""
    less = "; less with early stopping" if spec.stop_rule else ""
    return (
        f"a training job takes {bound}{format_seconds(estimate.job_seconds)}; "
        f"{jobs}{parallel}: {bound}{format_seconds(estimate.tuning_seconds)}{less}"
    )


def to_json(checkup: Checkup) -> json_types.Checkup:
    """Return the report as JSON-able values."""
    spec, tried, pool = checkup.spec, checkup.tried, checkup.pool
    judged = spec.judged if spec.stop_rule else None
    return {
        "name": spec.name,
        "spec": spec.model_dump(mode="json"),
        "hyperparameter_ranges": {
            name: _range_to_json(each) for name, each in spec.hyperparameter_ranges.items()
        },
        "points": count_points(spec.searched_ranges),
        "judged_metric_name": judged.metric if judged else None,
        "judged_metric_type": judged.type if judged else None,
        "first_training_jobs": [
            {"hyperparameters": point, "command": command}
            for point, command in zip(checkup.points, checkup.commands, strict=True)
        ],
        "environment": dict(checkup.environment),
        "directory": checkup.directory,
        "resources": None
        if pool is None
        else {"cores": pool.cores, "gpus": pool.gpus, "memory_gb": pool.memory_gb},
        "parallel_jobs": checkup.slots,
        "ends_with": [*list_criteria(spec)],
        "warnings": [
            {"slug": each.slug, "message": each.message, "hint": each.hint or None}
            for each in checkup.warnings + (tried.warnings if tried else ())
        ],
        "try": None if tried is None else _tried_to_json(tried),
    }


def _range_to_json(each: ParameterRange) -> json_types.Range:
    return {
        "scaling": None if isinstance(each, CategoricalRange) else each.scaling,
        "size": each.size,
        "values": list_values(each),
        "when": dict(each.when),
        "prior": list(each.prior),
    }


def _tried_to_json(tried: TriedJob) -> json_types.TriedTrainingJob:
    return {
        "exit_code": tried.trial.exit_code,
        "failure_reason": tried.trial.failure or None,
        "seconds": round(tried.trial.seconds, 3),
        "values": list(tried.values),
        "nearest_lines": list(tried.nearest),
        "proposed_metric_definitions": list(tried.proposals),
        "estimated_job_seconds": round(tried.estimate.job_seconds, 3),
        "estimated_tuning_seconds": round(tried.estimate.tuning_seconds, 3),
        "estimate_is_at_least": tried.estimate.is_at_least,
        "goes_on_after_pause": tried.pause.goes_on if tried.pause else None,
    }
