"""Cross-field checks of metric definitions and log rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.metrics.extractors import FORMS
from hpt_cli.metrics.patterns import compile_step_regex
from hpt_cli.metrics.presets import PRESETS
from hpt_cli.spec.cross_field.conflict import Conflict, Location, is_number, items


def find_metric_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    definitions = items(raw, "metric_definitions")
    names = [each.get("name") if isinstance(each, Mapping) else None for each in definitions]
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            where = ("metric_definitions", index, "name")
            yield Conflict(where, "metric-duplicate", f"the metric '{name}' is defined twice")
    objective = raw.get("objective_metric_name")
    known = [name for name in names if isinstance(name, str)]
    if isinstance(objective, str) and known and objective not in known:
        message = f"no metric definition is named '{objective}'; defined: {', '.join(known)}"
        hint = did_you_mean(objective, known)
        yield Conflict(("objective_metric_name",), "objective-undefined", message, hint)


def find_form_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield mistakes in how a metric is to be found."""
    for index, definition in enumerate(items(raw, "metric_definitions")):
        if isinstance(definition, Mapping):
            for field, slug, message, hint in _find_form_faults(definition):
                at: Location = ("metric_definitions", index)
                yield Conflict((*at, field) if field else at, slug, message, hint)


def _find_form_faults(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (field, slug, message, hint) of each mistake. Numbers stand for their text."""
    fields = {key: str(each) if is_number(each) else each for key, each in fields.items()}
    given = [form for form in FORMS if fields.get(form) is not None]
    if not given:
        yield "", "metric-form", f"a metric needs one of {', '.join(FORMS)}", ""
    for form in given[1:]:
        yield form, "metric-form", f"{given[0]} and {form} cannot be combined: give only one", ""
    if fields.get("metric") is not None and "preset" not in given:
        message = "metric selects a metric of a preset, but no preset is given"
        yield "metric", "metric-form", message, ""
    file = fields.get("file")
    if isinstance(file, str) and (file.startswith(("/", "~")) or ".." in file.split("/")):
        yield "file", "metric-file", f"'{file}' is not inside the job's directory (HPT_JOB_DIR)", ""
    if len(given) == 1:
        yield from _find_preset_faults(fields)


def _find_preset_faults(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    name, is_regex = fields.get("preset"), fields.get("regex") is not None
    if isinstance(name, str):
        if name not in PRESETS:
            message = f"there is no preset '{name}'; there are: {', '.join(PRESETS)}"
            yield "preset", "preset-unknown", message, did_you_mean(name, PRESETS)
            return
        preset, known = PRESETS[name], PRESETS[name].metrics
        is_regex = not preset.column
        where = "metric" if fields.get("metric") else "name"
        metric = fields.get(where)
        if isinstance(metric, str) and not preset.regex and known and metric not in known:
            message = f"{preset.program} has no metric '{metric}'; it has: {', '.join(known)}"
            yield where, "preset-metric", message, did_you_mean(metric, known)
    step = fields.get("step")
    if is_regex and isinstance(step, str):
        try:
            compile_step_regex(step)
        except ValueError as error:
            yield "step", "step-regex", str(error), ""


def find_log_rule_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    for index, rule in enumerate(items(raw, "log_rules")):
        if isinstance(rule, Mapping) and rule.get("action") == "retry" and not raw.get("retry"):
            message = "action: retry needs the field retry, which says how often"
            hint = "add retry: {max_attempts: 3}"
            yield Conflict(("log_rules", index, "action"), "retry-missing", message, hint)
