"""What a tuning job is asked to do: the contract of the YAML file, its defaults and its checks.

The names are those of SageMaker's Python SDK. Checks between fields are in `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hpt_cli import stop_rules
from hpt_cli.errors import damaged_journal
from hpt_cli.metrics.extractors import Extractor, compile_definition
from hpt_cli.spec import command_template as commands
from hpt_cli.spec.config_files import ConfigFile, list_values
from hpt_cli.spec.constraints import Constraints, count_allowed, parse_constraints
from hpt_cli.spec.cross_field import find_conflicts
from hpt_cli.spec.cross_field.conflict import ConflictError
from hpt_cli.spec.cross_field.search import find_epochs
from hpt_cli.spec.hyperparameters import Hyperparameters, Value, keep_texts, write_values
from hpt_cli.spec.objective import OBJECTIVE_FIELDS, Objective
from hpt_cli.spec.parts import (
    Confirms,
    Count,
    EarlyStopping,
    Expression,
    GpuName,
    LogRule,
    MetricDefinition,
    Notify,
    ObjectiveType,
    ObjectiveValue,
    Pausing,
    Repeats,
    Resources,
    Retry,
    Seconds,
    Slurm,
    Success,
    Text,
    TuningJobName,
    WarmStart,
    make_request,
)
from hpt_cli.spec.points import count_grid
from hpt_cli.spec.ranges import Category, Number, ParameterRange, Whole
from hpt_cli.spec.repeats import add_seed_range
from hpt_cli.spec.resources import Pool, Request, count_fitting

MIN_LOG_BYTES = 1 << 18
CHANGEABLE = (
    "description",
    "hyperparameter_ranges",
    "static_hyperparameters",
    "command",
    "max_jobs",
    "max_parallel_jobs",
    "max_runtime_seconds",
    "target_objective_metric_value",
    "max_jobs_not_improving",
    "complete_on_convergence",
    "on_completion",
    "max_job_runtime_seconds",
    "max_silence_seconds",
    "keep_checkpoints",
    "max_log_bytes",
    "success",
    "retry",
    "log_rules",
    "fail_fast",
    "stop_grace_seconds",
    "early_stopping_type",
)
"""Fields that may change after a tuning job has begun: results before and after stay comparable.
Those of the search space only so that it is known what each training job ran with."""

StrategyName = Literal["Bayesian", "Random", "Grid", "Hyperband"]
OnCompletion = Literal["drain", "stop"]
Children = Literal["end", "keep"]
NumberFormat = Literal["whole", "plain"]
ExecutorName = Literal["local", "slurm"]
EarlyStoppingType = Literal["Off", "Auto"]


def _check_command(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    try:
        words = commands.split_command(command)
    except ValueError as error:
        message = "the command cannot be split: {why}"
        raise PydanticCustomError("command", message, {"why": str(error)}) from None
    if not words or not words[0].strip():
        raise PydanticCustomError("command", "the command is empty")
    return command


class TuningSpec(BaseModel):
    """One tuning job, as asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TuningJobName
    """The tuning job's name and directory: 1 to 32 of a-z A-Z 0-9 and -."""
    description: str = ""
    """For people."""
    command: Annotated[str | tuple[Text, ...], AfterValidator(_check_command)]
    """What a training job runs: `{name}` is one hyperparameter's value as one argument, `{name...}`
    the words of it, `{args}` all of them as `--name value`; without any they are appended so. Text
    is split as a shell would, but run without one; or a list of arguments."""
    config_files: tuple[ConfigFile, ...] = ()
    """Files that each training job gets, with its hyperparameters in them."""
    shell: bool = False
    """Run the command through /bin/sh; values are quoted for it."""
    pty: bool = False
    """Run the command on a pseudo-terminal, for programs that hold back what they print without
    one."""
    working_directory: str = "."
    """Where the command runs; relative to where `hpt run` was typed."""
    environment: dict[str, Text] = {}
    """Variables for the training jobs, beside those they inherit; `${NAME}` in a value is one of
    whoever launches them, and is written down nowhere."""
    executor: ExecutorName = "local"
    """Where training jobs run: as processes of this machine, or on a Slurm cluster."""
    slurm: Slurm | None = None
    """How they are submitted to Slurm."""
    hyperparameter_ranges: dict[str, ParameterRange]
    """What is searched: 1 to 30 hyperparameters, each Continuous, Integer or Categorical."""
    static_hyperparameters: dict[str, Category] = {}
    """Hyperparameters that are the same for every training job."""
    constraints: tuple[Expression, ...] = ()
    """What must hold between hyperparameters, such as `hidden * layers <= 4096`; other points are
    never tried."""
    metric_definitions: Annotated[tuple[MetricDefinition, ...], Field(min_length=1)]
    """How metrics are found in what the command prints."""
    metric_constraints: tuple[Expression, ...] = ()
    """What must hold of the last values of metrics, such as `latency_ms <= 20`: a training job that
    breaks it is never the best."""
    objective_metric_name: str
    """The metric that is tuned: the name of one of the metric definitions."""
    objective_type: ObjectiveType
    """Whether more of the objective metric is better, or less."""
    objective_value: ObjectiveValue = "last"
    """What counts of a training job's values of it: the last, the best, their mean, or the mean of
    the last few."""
    strategy: StrategyName = "Bayesian"
    """How hyperparameters are chosen."""
    random_seed: Annotated[Whole, Field(ge=0)] = 0
    """The same seed and the same results give the same suggestions."""
    min_resource: Count = 1
    """Hyperband: epochs before the first judgement."""
    max_resource: Count | None = None
    """Hyperband: epochs of a whole training job; a static hyperparameter `epochs` may tell it."""
    initial_hyperparameters: tuple[dict[str, Category], ...] = ()
    """Points to try first; what they leave out is in the middle of its range."""
    repeats: Repeats | None = None
    """How often a configuration is trained, with other seeds, before its mean counts."""
    warm_start: WarmStart | None = None
    """Tuning jobs to learn from."""
    max_jobs: Count | None = None
    """How many training jobs in total, resumed or not: 1 by default, and with Grid all points."""
    resources: Resources | None = None
    """What each training job needs: cores, GPUs, memory."""
    gpus: Annotated[tuple[GpuName, ...], Field(min_length=1)] | None = None
    """The GPUs that may be used, by number or UUID: by default all that nvidia-smi finds. Each
    training job gets one, where `resources` does not say how many."""
    avoid_busy_gpus: bool = False
    """Wait for GPUs that others use, rather than share them."""
    max_parallel_jobs: Annotated[Count | None, Field(validate_default=True)] = None
    """How many training jobs run at once: 1 by default; as many as fit, with resources or gpus."""
    max_runtime_seconds: Seconds | None = None
    """Ends the tuning job after so long, and what runs."""
    target_objective_metric_value: Number | None = None
    """Ends the tuning job when a final objective is as good as this."""
    max_jobs_not_improving: Annotated[Whole, Field(ge=3)] | None = None
    """Ends the tuning job after so many results in a row without an improvement of 1 %."""
    complete_on_convergence: bool = False
    """Ends the tuning job when more training jobs are unlikely to improve the best."""
    on_completion: OnCompletion | None = None
    """What becomes of the training jobs in flight: wait for them (drain), or stop them."""
    max_job_runtime_seconds: Seconds | None = None
    """Stops a training job whose attempt takes longer."""
    max_silence_seconds: Seconds | None = None
    """Stops a training job that prints nothing for so long: it is Hung."""
    keep_checkpoints: Count | None = None
    """Deletes the checkpoints of all but so many of the best training jobs, as they end."""
    max_log_bytes: Annotated[Whole, Field(ge=MIN_LOG_BYTES)] | None = None
    """Warns, once, when a training job's log is longer than this: 1 GiB by default."""
    success: Success | None = None
    """When a training job has succeeded, if not by the exit code 0."""
    retry: Retry | None = None
    """Whether a training job that failed is tried again."""
    fail_fast: bool = False
    """Ends the tuning job, and what runs, with the first training job that is Failed."""
    log_rules: tuple[LogRule, ...] = ()
    """What to do when a training job prints something: stop, fail, retry, or warn."""
    stop_grace_seconds: Annotated[Number, Field(ge=0)] = 10.0
    """How long a training job that is stopped has between SIGTERM and SIGKILL, and what a command
    left running has to end by itself."""
    children: Children = "end"
    """What becomes of processes that a command which succeeded left running: end them, or let them
    live on (keep)."""
    early_stopping_type: EarlyStoppingType = "Off"
    """Auto stops training jobs that lag, by the stop rule in `early_stopping`."""
    early_stopping: EarlyStopping | None = None
    """The stop rule by name, its parameters, and the metric it judges by."""
    pausing: Pausing | None = None
    """Pauses training jobs for likelier ones, and lets them go on when it is their turn."""
    notify: Notify | None = None
    """A command that is run when the tuning job ends, or a new best appears."""
    number_format: NumberFormat = "whole"
    """How numbers of metrics are read: with what belongs to them, such as `3.4k` and `1,234`
    (whole), or only their digits, as in tuning jobs of earlier versions (plain)."""
    value_texts: dict[str, tuple[Text, ...]] = {}
    """Hyperparameters' values in another writing than Python's, such as 007 and 1e3: hpt fills it
    in."""
    template_texts: dict[str, str] = {}
    """The templates of config_files as they were at the start, by name: hpt fills it in."""
    confirms: Confirms | None = None
    """The tuning job whose best are run again, and no others: hpt confirm fills it in."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, fields: Any) -> Any:
        return add_seed_range(keep_texts(fields)) if isinstance(fields, Mapping) else fields

    @field_validator("max_parallel_jobs")
    @classmethod
    def _choose_parallel(cls, value: int | None, info: ValidationInfo) -> int | None:
        is_plain = all(info.data.get(field) is None for field in ("resources", "gpus"))
        return 1 if value is None and is_plain else value

    @model_validator(mode="after")
    def _check(self) -> TuningSpec:
        conflicts = find_conflicts(self.model_dump())
        if conflicts:
            raise ConflictError(conflicts)
        return self

    @cached_property
    def objective(self) -> Objective:
        """What is tuned, and which way."""
        return Objective.of(self.model_dump(include=set(OBJECTIVE_FIELDS)))

    @cached_property
    def judged(self) -> Objective:
        """What training jobs are judged by, to be stopped: the objective, or another metric."""
        asked = self.early_stopping
        return self.objective.judge_by(asked.model_dump() if asked is not None else {})

    @property
    def job_limit(self) -> int:
        """How many training jobs there may be: max_jobs, or all points of a grid, or one."""
        if self.max_jobs is not None:
            return self.max_jobs
        points = self.grid_points if self.strategy == "Grid" else 1
        return points * (self.repeats.count if self.repeats else 1)

    @cached_property
    def grid_points(self) -> int:
        """How many points a grid search has."""
        ranges = self.searched_ranges
        return count_allowed(ranges, self.rules) if self.constraints else count_grid(ranges)

    @cached_property
    def rules(self) -> Constraints:
        """The constraints between hyperparameters, ready to test points."""
        return parse_constraints(
            self.constraints, self.hyperparameter_ranges, self.static_hyperparameters
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all hyperparameters, tuned and static."""
        return (*self.hyperparameter_ranges, *self.static_hyperparameters)

    @cached_property
    def searched_ranges(self) -> dict[str, ParameterRange]:
        """The ranges in which a configuration is a point: all but that of the seed."""
        ranges = self.hyperparameter_ranges
        return {name: each for name, each in ranges.items() if name != self.seed_name}

    @property
    def apart(self) -> int | None:
        """The number of the configuration that is not one of the best that are confirmed."""
        return self.confirms.apart if self.confirms else None

    @property
    def seed_name(self) -> str | None:
        """The hyperparameter with which one configuration is trained several times."""
        return self.repeats.seed if self.repeats else None

    @property
    def request(self) -> Request | None:
        """What each training job needs; None where the spec says nothing of it."""
        return make_request(self.resources, self.gpus)

    def count_slots(self, pool: Pool | None) -> int:
        """Return how many training jobs may run at once, in a pool if there is one: at least 1."""
        request = self.request
        fitting = count_fitting(request, pool) if request and pool else None
        limits = [each for each in (self.max_parallel_jobs, fitting) if each is not None]
        return max(1, min(limits, default=1))

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

    def write(self, hyperparameters: Mapping[str, Value]) -> Hyperparameters:
        """Return hyperparameters of a training job, written as here."""
        return write_values(hyperparameters, self._fields)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        return self.model_dump()

    def list_definitions(self) -> list[dict[str, Any]]:
        """Return the metric definitions, with the fields that were given."""
        return [each.model_dump(exclude_none=True) for each in self.metric_definitions]

    def list_unnamed(self) -> list[str]:
        """Return the hyperparameters that no placeholder passes on, if the command has any."""
        names = self.names
        known = (*names, *(each.name for each in self.config_files))
        named = commands.find_placeholders(self.command, known)
        if not named or commands.ALL in named:
            return []
        for each in self.config_files:
            named += list_values(each, self.template_texts.get(each.name, ""), known)
        return [name for name in names if name not in named]

    @cached_property
    def extractors(self) -> tuple[Extractor, ...]:
        """Each metric definition, ready to find its metric."""
        is_plain = self.number_format == "plain"
        definitions = (each.model_dump() for each in self.metric_definitions)
        return tuple(compile_definition(each, is_plain=is_plain) for each in definitions)

    def counts_steps(self, metric: str) -> bool:
        """Return whether nothing tells the steps of a metric, so that they are counted."""
        return any(each.metric == metric and each.counts_steps for each in self.extractors)


def load_spec(fields: Mapping[str, Any]) -> TuningSpec:
    """Return the spec that a journal holds.

    Raises:
        HptError: it holds none; the journal is damaged.
    """
    try:
        return TuningSpec.model_validate(fields)
    except ValueError as error:
        count = error.error_count() if isinstance(error, ValidationError) else 1
        raise damaged_journal(f"{count} mistakes in the spec that it contains") from error
