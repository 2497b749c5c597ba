"""What a tuning job is asked to do: the contract of the YAML file, its defaults and its checks.

The names are those of SageMaker's Python SDK. `find_conflicts` holds the checks that need more than
one field; it works on raw data, so that they are reported together with the mistakes in the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hpt_cli.core import command as commands
from hpt_cli.core import metrics, stop_rules
from hpt_cli.core.names import find_name_fault
from hpt_cli.core.objective import Objective
from hpt_cli.core.ranges import Category, Number, ParameterRange, Whole
from hpt_cli.errors import did_you_mean

MAX_RANGES = 30
MAX_REGEX_LENGTH = 500

Location: TypeAlias = tuple[str | int, ...]
ObjectiveType = Literal["Maximize", "Minimize"]
StrategyName = Literal["Bayesian", "Random"]
EarlyStoppingType = Literal["Off", "Auto"]


@dataclass(frozen=True)
class Conflict:
    """A mistake that shows only when fields are read together, and where it is."""

    location: Location
    slug: str
    message: str
    hint: str = ""


def _check_name(name: str) -> str:
    wrong = find_name_fault(name)
    if wrong:
        raise PydanticCustomError("name", "{why}", {"why": wrong})
    return name


def _check_regex(pattern: str) -> str:
    try:
        metrics.compile_regex(pattern)
    except ValueError as error:
        raise PydanticCustomError("regex", "{why}", {"why": str(error)}) from None
    return pattern


def _check_command(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    try:
        words = commands.split_command(command)
    except ValueError as error:
        raise PydanticCustomError(
            "command", "the command cannot be split: {why}", {"why": str(error)}
        ) from None
    if not words or not words[0].strip():
        raise PydanticCustomError("command", "the command is empty")
    return command


def _stringify(raw: Any) -> Any:
    return str(raw) if isinstance(raw, (int, float)) and not isinstance(raw, bool) else raw


TuningJobName = Annotated[str, BeforeValidator(_stringify), AfterValidator(_check_name)]
Text = Annotated[str, BeforeValidator(_stringify)]
Seconds = Annotated[Number, Field(gt=0)]
Count = Annotated[Whole, Field(ge=1)]


class MetricDefinition(BaseModel):
    """A metric's name and the regex that finds it in what the command prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    regex: Annotated[
        str, StringConstraints(max_length=MAX_REGEX_LENGTH), AfterValidator(_check_regex)
    ]


class EarlyStopping(BaseModel):
    """A stop rule by name, with parameters other than its defaults."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Number]

    rule: str

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters that were given."""
        return dict(self.__pydantic_extra__)


class TuningSpec(BaseModel):
    """One tuning job, as asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TuningJobName
    description: str = ""
    command: Annotated[str | tuple[Text, ...], AfterValidator(_check_command)]
    shell: bool = False
    working_directory: str = "."
    environment: dict[str, Text] = {}
    hyperparameter_ranges: dict[str, ParameterRange]
    static_hyperparameters: dict[str, Category] = {}
    metric_definitions: Annotated[tuple[MetricDefinition, ...], Field(min_length=1)]
    objective_metric_name: str
    objective_type: ObjectiveType
    strategy: StrategyName = "Bayesian"
    random_seed: Annotated[Whole, Field(ge=0)] = 0
    max_jobs: Count = 1
    max_parallel_jobs: Count = 1
    max_runtime_seconds: Seconds | None = None
    max_job_runtime_seconds: Seconds | None = None
    stop_grace_seconds: Annotated[Number, Field(ge=0)] = 10.0
    early_stopping_type: EarlyStoppingType = "Off"
    early_stopping: EarlyStopping | None = None

    @model_validator(mode="after")
    def _check(self) -> TuningSpec:
        conflicts = find_conflicts(self.model_dump())
        if conflicts:
            raise ValueError("; ".join(conflict.message for conflict in conflicts))
        return self

    @property
    def objective(self) -> Objective:
        """What is tuned, and which way."""
        return Objective(self.objective_metric_name, self.objective_type == "Maximize")

    @property
    def stop_rule(self) -> EarlyStopping | None:
        """The rule that stops lagging jobs; None when early stopping is Off."""
        if self.early_stopping_type == "Off":
            return None
        return self.early_stopping or EarlyStopping(rule=stop_rules.AUTO)

    @cached_property
    def regexes(self) -> dict[str, Any]:
        """Each metric's compiled regex."""
        return {each.name: metrics.compile_regex(each.regex) for each in self.metric_definitions}


def find_conflicts(raw: Mapping[str, Any]) -> list[Conflict]:
    """Every mistake that shows only between fields, in data that may have others.

    `raw` holds the fields of a TuningSpec as plain values, not necessarily valid.
    """
    return [
        *_find_range_conflicts(raw),
        *_find_metric_conflicts(raw),
        *_find_command_conflicts(raw),
        *_find_stop_rule_conflicts(raw),
    ]


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
    if not isinstance(rule, str):
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
    if all(name in known for name in given):
        try:
            stop_rules.load_stop_rule(rule, **given)
        except (TypeError, ValueError) as error:
            yield Conflict(("early_stopping",), "stop-rule-parameter", f"{rule}: {error}")
