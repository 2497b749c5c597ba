"""What a tuning job is asked to do: the contract of the YAML file, its defaults and its checks.

The names are those of SageMaker's Python SDK. Checks between fields are in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hpt_cli import stop_rules
from hpt_cli.errors import damaged_journal
from hpt_cli.metrics import patterns
from hpt_cli.metrics.extractors import Extractor, compile_definition
from hpt_cli.metrics.log_rules import Action
from hpt_cli.spec import command_template as commands
from hpt_cli.spec.config_files import ConfigFile, list_values
from hpt_cli.spec.cross_field import find_conflicts
from hpt_cli.spec.cross_field.conflict import ConflictError
from hpt_cli.spec.cross_field.search import find_epochs
from hpt_cli.spec.hyperparameters import Hyperparameters, Value, keep_texts, write_values
from hpt_cli.spec.names import find_name_fault
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.ranges import Category, Number, ParameterRange, SpecPart, Whole, count_grid
from hpt_cli.spec.resources import Pool, Request, count_fitting

MAX_REGEX_LENGTH = 500
MAX_PARENTS = 5
MAX_ATTEMPTS = 100
MIN_LOG_BYTES = 1 << 18
CHANGEABLE = (
    "description",
    "max_jobs",
    "max_parallel_jobs",
    "max_runtime_seconds",
    "target_objective_metric_value",
    "max_jobs_not_improving",
    "complete_on_convergence",
    "on_completion",
    "max_job_runtime_seconds",
    "max_silence_seconds",
    "max_log_bytes",
    "retry",
    "log_rules",
    "fail_fast",
    "stop_grace_seconds",
    "early_stopping_type",
)
"""Fields that may change after a tuning job has begun: results before and after stay comparable."""

ObjectiveType = Literal["Maximize", "Minimize"]
StrategyName = Literal["Bayesian", "Random", "Grid", "Hyperband"]
OnCompletion = Literal["drain", "stop"]
Children = Literal["end", "keep"]
NumberFormat = Literal["whole", "plain"]
ExecutorName = Literal["local", "slurm"]
WarmStartType = Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
EarlyStoppingType = Literal["Off", "Auto"]


def _check_name(name: str) -> str:
    if fault := find_name_fault(name):
        raise PydanticCustomError("name", "{why}", {"why": fault})
    return name


def _check_regex(pattern: str) -> str:
    try:
        patterns.compile_regex(pattern)
    except ValueError as error:
        raise PydanticCustomError("regex", "{why}", {"why": str(error)}) from None
    return pattern


def _check_pattern(pattern: str) -> str:
    try:
        patterns.compile_line_regex(pattern)
    except ValueError as error:
        raise PydanticCustomError("pattern", "{why}", {"why": str(error)}) from None
    return pattern


def _check_command(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    try:
        words = commands.split_command(command)
    except ValueError as error:
        message = "the command cannot be split: {why}"
        raise PydanticCustomError("command", message, {"why": str(error)}) from None
    if not words or not words[0].strip():
        raise PydanticCustomError("command", "the command is empty")
    return command


def _check_gpus(gpus: float) -> float:
    if gpus > 1 and not gpus.is_integer():
        message = "must be a whole number, or less than 1 to share a GPU, but is {gpus}"
        raise PydanticCustomError("gpus", message, {"gpus": f"{gpus:g}"})
    return gpus


def _check_gpu_name(name: str) -> str:
    if not re.fullmatch(r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+", name):
        message = "must be a number or a UUID (GPU-..., MIG-...) from nvidia-smi -L, but is {name}"
        raise PydanticCustomError("gpu-name", message, {"name": repr(name)})
    return name


def _stringify(raw: Any) -> Any:
    return str(raw) if isinstance(raw, (int, float)) and not isinstance(raw, bool) else raw


Text = Annotated[
    str, BeforeValidator(_stringify), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
TuningJobName = Annotated[Text, AfterValidator(_check_name)]
FieldName = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_REGEX_LENGTH)]
Regex = Annotated[str, StringConstraints(max_length=MAX_REGEX_LENGTH), AfterValidator(_check_regex)]
GpuName = Annotated[Text, AfterValidator(_check_gpu_name)]
Seconds = Annotated[Number, Field(gt=0)]
Count = Annotated[Whole, Field(ge=1)]
Pattern = Annotated[
    Text, StringConstraints(max_length=MAX_REGEX_LENGTH), AfterValidator(_check_pattern)
]


class MetricDefinition(SpecPart):
    """A metric's name, and one way to find it in what the command prints or in a file it writes."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """The metric's name."""
    regex: Regex | None = None
    """What surrounds the value in a line: one group (...) captures it; `{num}` is a number,
    `{ratio}` is a/b, and `{step}`, or a group `(?P<step>...)`, the epoch."""
    json_path: FieldName | None = Field(None, alias="json")
    """A key of JSON lines; dots go down."""
    column: FieldName | None = None
    """A column of a table with a header, as in CSV."""
    preset: FieldName | None = None
    """A program whose output hpt can read."""
    metric: FieldName | None = None
    """With preset: what the program calls the metric; else the same as name."""
    step: FieldName | None = None
    """Where the step stands: a key, a column, or a regex with {step} for a line before."""
    file: FieldName | None = None
    """A file in the job's directory (HPT_JOB_DIR) to read instead of the output."""


class EarlyStopping(BaseModel):
    """A stop rule by name, with parameters other than its defaults."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Number]

    rule: str = stop_rules.AUTO
    """The rule's name; beside it stand its parameters."""

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters that were given; whole numbers are counts."""
        given = self.__pydantic_extra__.items()
        return {name: int(value) if value.is_integer() else value for name, value in given}


class WarmStart(SpecPart):
    """Tuning jobs to learn from: names in the same home, or paths of their directories."""

    type: WarmStartType
    """Whether the parents' results count as results (IdenticalDataAndAlgorithm), or only say where
    to look first (TransferLearning)."""
    parents: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_PARENTS)]
    """1 to 5 tuning jobs, by name or by directory."""


class Retry(SpecPart):
    """Whether a training job that failed is tried again, with the same hyperparameters."""

    max_attempts: Annotated[Whole, Field(ge=2, le=MAX_ATTEMPTS)]
    """How often it may fail, the first time included."""
    when: tuple[Pattern, ...] = ()
    """Only if one of these regexes is found in its last lines, or in how it ended (`exit code 3`,
    `killed by SIGKILL`, `Hung`)."""
    not_when: tuple[Pattern, ...] = ()
    """Not if one of these is found there."""


class MeanOfLast(SpecPart):
    """The mean of the last few values of the objective."""

    mean_of_last: Count
    """How many."""


def _tell_value(value: Any) -> str:
    return "part" if isinstance(value, (Mapping, MeanOfLast)) else "name"


ObjectiveValue = Annotated[
    Annotated[Literal["last", "best", "mean"], Tag("name")] | Annotated[MeanOfLast, Tag("part")],
    Discriminator(_tell_value),
]


class LogRule(SpecPart):
    """What to do when a training job prints something."""

    pattern: Pattern
    """A regex that is looked for in every line."""
    action: Action
    """stop (it keeps its last value), fail, retry, or warn (a note beside the job)."""


class Notify(SpecPart):
    """A command that tells the user of what happened."""

    command: Annotated[Text, StringConstraints(min_length=1)]
    """What /bin/sh runs, with HPT_EVENT, HPT_STATUS, HPT_BEST_VALUE and more in its environment."""
    on: Annotated[tuple[Literal["end", "best"], ...], Field(min_length=1)] = ("end",)
    """When: at the tuning job's end, and (best) for each training job that is the best so far."""


class Slurm(SpecPart):
    """How training jobs are submitted to Slurm; what is left out is the cluster's choice."""

    partition: FieldName | None = None
    """sbatch --partition."""
    account: FieldName | None = None
    """sbatch --account: who pays."""
    qos: FieldName | None = None
    """sbatch --qos."""
    time: FieldName | None = None
    """sbatch --time: how long a training job may run; minutes, H:MM:SS or D-HH:MM:SS."""
    gres: FieldName | None = None
    """sbatch --gres, such as gpu:a100:1."""
    constraint: FieldName | None = None
    """sbatch --constraint: features that a node must have."""
    setup: tuple[Text, ...] = ()
    """Lines of bash to run before the command, such as `module load cuda`; the training job fails
    where one of them does."""
    extra: tuple[Text, ...] = ()
    """More options of sbatch, each as one word: `--mail-type=FAIL`."""


class Resources(SpecPart):
    """What each training job needs of the machine it runs on."""

    cpus: Count | None = None
    """How many cores; no two training jobs have the same."""
    gpus: Annotated[Number, Field(ge=0), AfterValidator(_check_gpus)] | None = None
    """How many GPUs; less than 1 lets several training jobs share one, and 0 hides them all."""
    memory_gb: Annotated[Number, Field(gt=0)] | None = None
    """How much memory, in GiB; it is counted, and not enforced."""


def make_request(resources: Resources | None, gpus: Sequence[str] | None) -> Request | None:
    """Return what each training job needs, one GPU where only GPUs are listed; None for nothing."""
    asked = resources or Resources()
    wanted = 1.0 if asked.gpus is None and gpus else asked.gpus
    request = Request(asked.cpus, wanted, asked.memory_gb)
    return None if request == Request() else request


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
    metric_definitions: Annotated[tuple[MetricDefinition, ...], Field(min_length=1)]
    """How metrics are found in what the command prints."""
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
    max_log_bytes: Annotated[Whole, Field(ge=MIN_LOG_BYTES)] | None = None
    """Warns, once, when a training job's log is longer than this: 1 GiB by default."""
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
    """The stop rule by name, and its parameters."""
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

    @model_validator(mode="before")
    @classmethod
    def _keep_texts(cls, fields: Any) -> Any:
        return keep_texts(fields) if isinstance(fields, Mapping) else fields

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
        chosen, maximize = self.objective_value, self.objective_type == "Maximize"
        if isinstance(chosen, MeanOfLast):
            window = chosen.mean_of_last
            return Objective(self.objective_metric_name, maximize, "mean_of_last", window)
        return Objective(self.objective_metric_name, maximize, chosen)

    @property
    def job_limit(self) -> int:
        """How many training jobs there may be: max_jobs, or all points of a grid, or one."""
        if self.max_jobs is not None:
            return self.max_jobs
        return count_grid(self.hyperparameter_ranges) if self.strategy == "Grid" else 1

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
        names = (*self.hyperparameter_ranges, *self.static_hyperparameters)
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

    @cached_property
    def counts_steps(self) -> bool:
        """Whether nothing tells the steps of the objective, so that they are counted."""
        metric = self.objective_metric_name
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
