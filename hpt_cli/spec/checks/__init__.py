"""Mistakes in a spec that show only between its fields.

They are looked for in raw data, so that they are reported together with the mistakes in the fields.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from hpt_cli import stop_rules
from hpt_cli.errors import did_you_mean
from hpt_cli.metrics.extractors import FORMS
from hpt_cli.metrics.patterns import compile_step_regex
from hpt_cli.metrics.presets import PRESETS
from hpt_cli.spec import command_template as commands
from hpt_cli.spec.env_references import find_references, is_variable_name
from hpt_cli.spec.ranges import MAX_GRID, ParameterRange, bound_grid

MAX_RANGES = 30
RULE = "early_stopping: {rule: median}, and beside it the rule's parameters"
EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that tell Hyperband's max_resource, as at SageMaker."""
TRUE = ("true", "yes", "on")
"""A boolean as YAML 1.1 writes it."""

SLURM_TIME = re.compile(r"\d+(:\d\d){0,2}|\d+-\d+(:\d\d){0,2}|UNLIMITED|INFINITE", re.IGNORECASE)
SLURM_FIELDS = ("partition", "account", "qos", "time", "gres", "constraint")
SLURM_OWN = (
    *("--job-name", "--output", "--error", "--input", "--open-mode", "--chdir", "--export"),
    *("--export-file", "--array", "--wrap", "--wait", "--parsable", "--test-only", "--clusters"),
    *("-J", "-o", "-e", "-i", "-D", "-a", "-W", "-M"),
)
"""Options of sbatch without which an attempt could not be followed."""

_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""NUL ends a text for the system; half a character (a surrogate) stands for bytes that are none."""

Location: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Conflict:
    """A mistake that shows only when fields are read together, and where it is."""

    location: Location
    slug: str
    message: str
    hint: str = ""


class ConflictError(ValueError):
    """Valid fields do not go together."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = conflicts
        super().__init__("; ".join(each.message for each in conflicts))


def find_epochs(hyperparameters: Mapping[str, Any]) -> int | None:
    """The number of epochs that static hyperparameters tell."""
    found = (hyperparameters[name] for name in EPOCH_NAMES if name in hyperparameters)
    return next((int(each) for each in found if isinstance(each, int) and each >= 1), None)


def find_conflicts(raw: Mapping[str, Any]) -> list[Conflict]:
    """Every mistake that shows only between fields, in data that may have others.

    `raw` holds the fields of a TuningSpec as plain values, not necessarily valid.
    """
    return [
        *_find_text_conflicts(raw, ()),
        *_find_range_conflicts(raw),
        *_find_metric_conflicts(raw),
        *_find_form_conflicts(raw),
        *_find_command_conflicts(raw),
        *_find_quoting_conflicts(raw),
        *_find_stop_rule_conflicts(raw),
        *_find_condition_conflicts(raw),
        *_find_strategy_conflicts(raw),
        *_find_initial_conflicts(raw),
        *_find_log_rule_conflicts(raw),
        *_find_environment_conflicts(raw),
        *_find_slurm_conflicts(raw),
        *_find_resource_conflicts(raw),
    ]


def _find_text_conflicts(value: Any, where: Location) -> Iterator[Conflict]:
    """Text that no argument, variable, file name or journal can hold."""
    if isinstance(value, str) and _NO_TEXT.search(value):
        message = f"{'.'.join(map(str, where))}: there is a character that is none in {value!r}"
        yield Conflict(
            where, "text", message, "NUL, and bytes that are not UTF-8, cannot be passed on"
        )
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _find_text_conflicts(str(name), (*where, name))
            yield from _find_text_conflicts(each, (*where, name))
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _find_text_conflicts(each, (*where, index))


def _mapping(raw: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = raw.get(field)
    return value if isinstance(value, Mapping) else {}


def _find_range_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    ranges = _mapping(raw, "hyperparameter_ranges")
    if isinstance(raw.get("hyperparameter_ranges"), Mapping) and not ranges:
        yield Conflict(
            ("hyperparameter_ranges",), "range-none", "there is no range to search: name at least 1"
        )
    if len(ranges) > MAX_RANGES:
        yield Conflict(
            ("hyperparameter_ranges",),
            "range-count",
            f"{len(ranges)} ranges; at most {MAX_RANGES} are allowed",
        )
    for name in ranges:
        if name in _mapping(raw, "static_hyperparameters"):
            yield Conflict(
                ("static_hyperparameters", name),
                "hyperparameter-duplicate",
                f"'{name}' is a hyperparameter range too; it can be one of the two",
            )


def _metric_names(raw: Mapping[str, Any]) -> list[Any]:
    definitions = raw.get("metric_definitions")
    if not isinstance(definitions, Sequence) or isinstance(definitions, str):
        return []
    return [each.get("name") if isinstance(each, Mapping) else None for each in definitions]


def _find_metric_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    names = _metric_names(raw)
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            yield Conflict(
                ("metric_definitions", index, "name"),
                "metric-duplicate",
                f"the metric '{name}' is defined twice",
            )
    objective = raw.get("objective_metric_name")
    known = [name for name in names if isinstance(name, str)]
    if isinstance(objective, str) and known and objective not in known:
        yield Conflict(
            ("objective_metric_name",),
            "objective-undefined",
            f"no metric definition is named '{objective}'; defined: {', '.join(known)}",
            did_you_mean(objective, known),
        )


def _find_form_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Mistakes in how a metric is to be found."""
    definitions = raw.get("metric_definitions")
    if not isinstance(definitions, Sequence) or isinstance(definitions, str):
        return
    for index, fields in enumerate(definitions):
        if isinstance(fields, Mapping):
            for field, slug, message, hint in _find_form_faults(fields):
                at: Location = ("metric_definitions", index)
                yield Conflict((*at, field) if field else at, slug, message, hint)


def _find_form_faults(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(field, slug, message, hint) of each. Numbers stand for their text."""
    fields = {key: str(each) if _is_number(each) else each for key, each in fields.items()}
    given = [form for form in FORMS if fields.get(form) is not None]
    if not given:
        yield "", "metric-form", f"how is it found? It needs one of {', '.join(FORMS)}", ""
    for form in given[1:]:
        yield form, "metric-form", f"{given[0]} and {form}: it can be found in one way only", ""
    if fields.get("metric") is not None and "preset" not in given:
        yield "metric", "metric-form", "metric says which of a preset's; there is no preset", ""
    file = fields.get("file")
    if isinstance(file, str) and (file.startswith(("/", "~")) or ".." in file.split("/")):
        yield "file", "metric-file", f"'{file}' is not inside the job's directory (HPT_JOB_DIR)", ""
    if len(given) == 1:
        yield from _find_preset_faults(fields)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _find_preset_faults(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    preset, name = fields.get("preset"), fields.get("name")
    is_regex = fields.get("regex") is not None
    if isinstance(preset, str):
        if preset not in PRESETS:
            message = f"there is no preset '{preset}'; there are: {', '.join(PRESETS)}"
            yield "preset", "preset-unknown", message, did_you_mean(preset, PRESETS)
            return
        is_regex = not PRESETS[preset].column
        metric = fields.get("metric") or name
        known = PRESETS[preset].metrics
        if isinstance(metric, str) and not PRESETS[preset].regex and known and metric not in known:
            where = "metric" if fields.get("metric") else "name"
            message = f"{PRESETS[preset].program} has no metric '{metric}', but {', '.join(known)}"
            yield where, "preset-metric", message, did_you_mean(metric, known)
    step = fields.get("step")
    if is_regex and isinstance(step, str):
        try:
            compile_step_regex(step)
        except ValueError as error:
            yield "step", "step-regex", str(error), ""


def _find_command_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    command = raw.get("command")
    if isinstance(command, Sequence) and not isinstance(command, str):
        command = [str(word) for word in command]
    if not isinstance(command, (str, list)):
        return
    known = [
        *_mapping(raw, "hyperparameter_ranges"),
        *_mapping(raw, "static_hyperparameters"),
    ]
    for name in commands.find_placeholders(command):
        if name not in known and name != commands.ALL:
            yield Conflict(
                ("command",),
                "placeholder-unknown",
                f"no hyperparameter fills {{{name}}} in the command",
                did_you_mean(name, known) or f"write {{{{{name}}}}} for the braces themselves",
            )


def _find_quoting_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Values that need quotes where quotes around them would be none."""
    script = raw.get("command")
    if not isinstance(script, str) or str(raw.get("shell")).lower() not in TRUE:
        return
    if not commands.find_placeholders(script):
        script = f"{script} {{{commands.ALL}}}"
    places = [
        *((name, commands.needs_quotes) for name in commands.find_embedded(script)),
        *((name, _has_lines) for name in commands.find_commented(script)),
    ]
    for name, breaks in places:
        asked = None if name == commands.ALL else name
        value = next(filter(breaks, _list_texts(raw, asked)), None)
        if value is not None:
            yield Conflict(
                ("command",),
                "placeholder-quoted",
                f"{{{name}}} stands within quotes or the like, and {value!r} needs its own",
                f"hpt quotes values for the shell: write {{{name}}} without quotes around it;"
                f" for a document (<<), value={{{name}}} on a line before, and $value in it",
            )


def _has_lines(text: str) -> bool:
    return "\n" in text


def _list_texts(raw: Mapping[str, Any], name: str | None) -> Iterator[str]:
    """The texts that a hyperparameter can be; without a name, those of all, and all names."""
    for key, each in _mapping(raw, "hyperparameter_ranges").items():
        values = each.get("values") if isinstance(each, Mapping) else None
        if name in (None, key) and isinstance(values, (list, tuple)):
            yield from map(str, values)
    for key, value in _mapping(raw, "static_hyperparameters").items():
        if name in (None, key):
            yield str(value)
    if name is None:
        yield from map(str, _mapping(raw, "hyperparameter_ranges"))
        yield from map(str, _mapping(raw, "static_hyperparameters"))


def _find_stop_rule_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked = _mapping(raw, "early_stopping")
    if not asked:
        return
    if raw.get("early_stopping_type", "Off") == "Off":
        yield Conflict(
            ("early_stopping",),
            "stop-rule-off",
            "early_stopping names a rule, but early_stopping_type is Off",
            "write early_stopping_type: Auto",
        )
    rule = asked.get("rule")
    if "rule" not in asked:
        yield from _find_no_rule(asked)
        return
    if not isinstance(rule, str):
        where = ("early_stopping", "rule")
        yield Conflict(where, "stop-rule-unknown", "one stop rule is needed, by its name", RULE)
        return
    if rule not in stop_rules.STOP_RULES:
        yield Conflict(
            ("early_stopping", "rule"),
            "stop-rule-unknown",
            f"there is no stop rule '{rule}'; there are: {', '.join(stop_rules.STOP_RULES)}",
            did_you_mean(rule, stop_rules.STOP_RULES),
        )
        return
    yield from _find_parameter_conflicts(rule, {k: v for k, v in asked.items() if k != "rule"})


def _find_no_rule(asked: Mapping[str, Any]) -> Iterator[Conflict]:
    """Parameters without a rule; `rules` is none."""
    names = [name for rule in stop_rules.STOP_RULES for name in stop_rules.list_parameters(rule)]
    for name in asked:
        if name in names:
            continue  # that the rule is missing is told
        message = f"there is no parameter '{name}': early_stopping names one rule, not a list"
        yield Conflict(("early_stopping", name), "stop-rule-parameter", message, RULE)


def _find_parameter_conflicts(rule: str, given: Mapping[str, Any]) -> Iterator[Conflict]:
    known = stop_rules.list_parameters(rule)
    for name in given:
        if name not in known:
            yield Conflict(
                ("early_stopping", name),
                "stop-rule-parameter",
                f"'{rule}' has no parameter '{name}'; it has: {', '.join(known) or 'none'}",
                did_you_mean(name, known),
            )
    if all(name in known and _is_number(value) for name, value in given.items()):
        try:
            stop_rules.load_stop_rule(rule, **given)
        except (TypeError, ValueError) as error:
            yield Conflict(("early_stopping",), "stop-rule-parameter", f"{rule}: {error}")


def _find_condition_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Mistakes in `when`: what it names must be a Categorical range, with these values."""
    ranges = _mapping(raw, "hyperparameter_ranges")
    for name, each in ranges.items():
        conditions = each.get("when") if isinstance(each, Mapping) else None
        for decider, values in (conditions if isinstance(conditions, Mapping) else {}).items():
            where = ("hyperparameter_ranges", name, "when", decider)
            other = ranges.get(decider)
            if not isinstance(other, Mapping) or other.get("type") != "Categorical":
                known = [
                    key
                    for key, value in ranges.items()
                    if isinstance(value, Mapping) and value.get("type") == "Categorical"
                ]
                message = f"'{decider}' is no Categorical range, and only those can decide"
                yield Conflict(where, "when-unknown", message, did_you_mean(decider, known))
                continue
            allowed = other.get("values")
            if not isinstance(allowed, (list, tuple)):
                continue  # reported where it is wrong
            wanted = (
                values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
            )
            for value in wanted:
                if value not in allowed:
                    message = f"'{value}' is none of the values of '{decider}'"
                    hint = did_you_mean(str(value), map(str, allowed))
                    yield Conflict(where, "when-value", message, hint)
    yield from _find_circles(ranges)


def _find_circles(ranges: Mapping[str, Any]) -> Iterator[Conflict]:
    deciders = {
        name: list(each["when"])
        for name, each in ranges.items()
        if isinstance(each, Mapping) and isinstance(each.get("when"), Mapping)
    }
    for name in deciders:
        seen: set[str] = set()
        waiting = list(deciders[name])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += deciders.get(other, [])
        if name in seen:
            where = ("hyperparameter_ranges", name, "when")
            yield Conflict(where, "when-circle", f"'{name}' depends on itself")


def _parse_ranges(raw: Mapping[str, Any]) -> dict[str, ParameterRange]:
    """The ranges that are right; the others are reported where they are wrong."""
    adapter: TypeAdapter[ParameterRange] = TypeAdapter(ParameterRange)
    parsed: dict[str, ParameterRange] = {}
    for name, each in _mapping(raw, "hyperparameter_ranges").items():
        with contextlib.suppress(ValidationError):
            parsed[name] = adapter.validate_python(each)
    return parsed


def _find_strategy_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    strategy = raw.get("strategy")
    if strategy == "Grid":
        yield from _find_grid_conflicts(_parse_ranges(raw))
    if strategy != "Hyperband":
        for field in ("min_resource", "max_resource"):
            if raw.get(field) is not None and (field, raw[field]) != ("min_resource", 1):
                yield Conflict((field,), "resource", f"{field} is for strategy: Hyperband")
        return
    if raw.get("early_stopping_type", "Off") != "Off":
        yield Conflict(
            ("early_stopping_type",),
            "hyperband-early-stopping",
            "Hyperband stops training jobs by itself: early_stopping_type must be Off",
        )
    limit = raw.get("max_resource") or find_epochs(_mapping(raw, "static_hyperparameters"))
    if limit is None:
        yield Conflict(
            ("strategy",),
            "hyperband-resource",
            "Hyperband needs max_resource, the epochs of a whole training job",
            f"or a static hyperparameter that tells it: {', '.join(EPOCH_NAMES)}",
        )
        return
    least = raw.get("min_resource")
    if isinstance(limit, int) and isinstance(least, int) and least > limit:
        message = f"min_resource {least} is more than max_resource {limit}"
        yield Conflict(("min_resource",), "resource-order", message)


def _find_grid_conflicts(ranges: Mapping[str, ParameterRange]) -> Iterator[Conflict]:
    for name, each in ranges.items():
        if bound_grid({name: each}) is None:
            yield Conflict(
                ("hyperparameter_ranges", name),
                "grid-points",
                f"a grid needs to know which values of '{name}' to try",
                "give it grid_points: N, or a step",
            )
    points = bound_grid(ranges)
    if points is not None and points > MAX_GRID:
        message = f"a grid of {points:.4g} points has no end; at most {MAX_GRID} are tried"
        yield Conflict(("hyperparameter_ranges",), "grid-size", message, "grid_points: N")


def _find_initial_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    points = raw.get("initial_hyperparameters")
    ranges = _parse_ranges(raw)
    for index, point in enumerate(points if isinstance(points, Sequence) else []):
        for name, value in point.items() if isinstance(point, Mapping) else ():
            where = ("initial_hyperparameters", index, name)
            if name not in _mapping(raw, "hyperparameter_ranges"):
                message = f"there is no range '{name}'"
                yield Conflict(where, "initial-unknown", message, did_you_mean(name, ranges))
            elif name in ranges and not _contains(ranges[name], value):
                yield Conflict(
                    where, "initial-outside", f"{value!r} is outside the range of '{name}'"
                )


def _find_log_rule_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    rules = raw.get("log_rules")
    for index, rule in enumerate(rules if isinstance(rules, Sequence) else []):
        if isinstance(rule, Mapping) and rule.get("action") == "retry" and not raw.get("retry"):
            yield Conflict(
                ("log_rules", index, "action"),
                "retry-missing",
                "a rule that retries needs to know how often",
                "add retry: {max_attempts: 3}",
            )


def _find_environment_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    for name, value in _mapping(raw, "environment").items():
        if not name or "=" in name:
            message = f"{name!r} cannot be the name of a variable"
            yield Conflict(("environment", name), "environment-name", message)
        for reference in find_references(str(value)):
            if not is_variable_name(reference):
                yield Conflict(
                    ("environment", name),
                    "reference",
                    f"environment.{name}: '${{{reference}}}' refers to no variable",
                    "write ${NAME}, or $${ for the characters themselves",
                )


def _find_slurm_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked = raw.get("slurm")
    if not isinstance(asked, Mapping):
        return
    if raw.get("executor", "local") != "slurm":
        message = "slurm says how jobs are submitted to a cluster, but executor is local"
        yield Conflict(("slurm",), "slurm-local", message, "write executor: slurm")
    time = asked.get("time")
    if time is not None and not SLURM_TIME.fullmatch(str(time)):
        message = f"slurm.time: '{time}' is no time that Slurm knows"
        hint = "minutes, H:MM:SS, D-HH or D-HH:MM:SS, such as 1-12:00:00"
        yield Conflict(("slurm", "time"), "slurm-time", message, hint)
    resources = _mapping(raw, "resources")
    if asked.get("gres") is not None and resources.get("gpus") is not None:
        message = "slurm.gres and resources.gpus both say how many GPUs"
        yield Conflict(("slurm", "gres"), "slurm-gres", message, "leave one of them out")
    extra = asked.get("extra")
    for index, word in enumerate(extra if isinstance(extra, (list, tuple)) else []):
        option = str(word).partition("=")[0]
        where = ("slurm", "extra", index)
        if not option.startswith("-"):
            message = f"slurm.extra: '{word}' is no option of sbatch"
            yield Conflict(where, "slurm-extra", message, "one word each: --option=value")
        elif option in SLURM_OWN or option[:2] in SLURM_OWN:
            message = f"slurm.extra: {option} is for hpt to set"
            yield Conflict(where, "slurm-extra", message)
        elif option.lstrip("-") in SLURM_FIELDS:
            field = option.lstrip("-")
            yield Conflict(
                where, "slurm-extra", f"slurm.extra: {option} has a field", f"{field}: ..."
            )


def _find_resource_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked, listed = raw.get("resources"), raw.get("gpus")
    fields = asked if isinstance(asked, Mapping) else {}
    names = [str(each) for each in listed] if isinstance(listed, (list, tuple)) else []
    if asked is not None and all(
        fields.get(field) is None for field in ("cpus", "gpus", "memory_gb")
    ):
        message = "resources says nothing: it needs one of cpus, gpus, memory_gb"
        yield Conflict(("resources",), "resources-none", message)
    wanted = fields.get("gpus")
    avoids = str(raw.get("avoid_busy_gpus")).lower() in TRUE
    if avoids and not (wanted or names):
        message = "avoid_busy_gpus is for training jobs that need GPUs"
        yield Conflict(("avoid_busy_gpus",), "gpus-missing", message, "resources: {gpus: 1}")
    if names and wanted == 0:
        message = "GPUs are listed, and training jobs need none"
        yield Conflict(("gpus",), "gpus-unused", message, "resources: {gpus: 1}")
    if raw.get("executor") == "slurm":
        yield from _find_slurm_gpu_conflicts(wanted, avoids=avoids, lists=bool(names))
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Conflict(("gpus", index), "gpu-duplicate", f"the GPU {name} is listed twice")


def _find_slurm_gpu_conflicts(wanted: Any, *, avoids: bool, lists: bool) -> Iterator[Conflict]:
    fields = {"gpus": lists, "avoid_busy_gpus": avoids}
    for field in (field for field, is_there in fields.items() if is_there):
        message = f"{field} is about GPUs of this machine; those of a cluster are chosen by Slurm"
        yield Conflict((field,), "gpus-slurm", message, "resources: {gpus: 1}")
    if isinstance(wanted, float) and 0 < wanted < 1:
        message = "Slurm gives whole GPUs, unless it is set up for shares: slurm: {gres: ...}"
        yield Conflict(("resources", "gpus"), "gpus-slurm", message)


def _contains(each: ParameterRange, value: Any) -> bool:
    return isinstance(value, (int, float, str)) and each.contains(value)
