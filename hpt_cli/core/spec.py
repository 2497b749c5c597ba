"""What a tuning job is asked to do: the contract of the YAML file, its defaults and its checks.

The names are those of SageMaker's Python SDK. Checks between fields are in `conflicts`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

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
from hpt_cli.core.conflicts import find_conflicts, find_epochs
from hpt_cli.core.names import find_name_fault
from hpt_cli.core.objective import Objective
from hpt_cli.core.ranges import Category, Number, ParameterRange, Whole, count_grid

MAX_REGEX_LENGTH = 500

MAX_PARENTS = 5

ObjectiveType = Literal["Maximize", "Minimize"]
StrategyName = Literal["Bayesian", "Random", "Grid", "Hyperband"]
OnCompletion = Literal["drain", "stop"]
WarmStartType = Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
EarlyStoppingType = Literal["Off", "Auto"]


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
        """The parameters that were given; whole numbers are counts."""
        given = self.__pydantic_extra__.items()
        return {name: int(value) if value.is_integer() else value for name, value in given}


class WarmStart(BaseModel):
    """Tuning jobs to learn from: names in the same home, or paths of their directories."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: WarmStartType
    parents: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_PARENTS)]


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
    min_resource: Count = 1
    max_resource: Count | None = None
    initial_hyperparameters: tuple[dict[str, Category], ...] = ()
    warm_start: WarmStart | None = None
    max_jobs: Count | None = None
    max_parallel_jobs: Count = 1
    max_runtime_seconds: Seconds | None = None
    target_objective_metric_value: Number | None = None
    max_jobs_not_improving: Annotated[Whole, Field(ge=3)] | None = None
    complete_on_convergence: bool = False
    on_completion: OnCompletion | None = None
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

    @cached_property
    def objective(self) -> Objective:
        """What is tuned, and which way."""
        return Objective(self.objective_metric_name, self.objective_type == "Maximize")

    @property
    def job_limit(self) -> int:
        """How many training jobs there may be: max_jobs, or all points of a grid, or one."""
        if self.max_jobs is not None:
            return self.max_jobs
        return count_grid(self.hyperparameter_ranges) if self.strategy == "Grid" else 1

    @property
    def resource_limit(self) -> int | None:
        """The epochs after which Hyperband ends a job; None where a job ends by itself."""
        epochs = find_epochs(self.static_hyperparameters)
        ends_by_itself = epochs is not None and epochs <= (self.max_resource or epochs)
        return None if self.strategy != "Hyperband" or ends_by_itself else self.max_resource

    @property
    def stop_rule(self) -> EarlyStopping | None:
        """The rule that stops lagging jobs; None when early stopping is Off."""
        if self.strategy == "Hyperband":
            return EarlyStopping.model_validate({"rule": "asha", "min_epochs": self.min_resource})
        if self.early_stopping_type == "Off":
            return None
        return self.early_stopping or EarlyStopping(rule=stop_rules.AUTO)

    @cached_property
    def regexes(self) -> dict[str, Any]:
        """Each metric's compiled regex."""
        return {each.name: metrics.compile_regex(each.regex) for each in self.metric_definitions}
