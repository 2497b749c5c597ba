"""The parts of a spec that are mappings of fields, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from hpt_cli import stop_rules
from hpt_cli.metrics import patterns
from hpt_cli.metrics.log_rules import Action
from hpt_cli.spec.names import find_name_fault
from hpt_cli.spec.ranges import Category, Number, SpecPart, Whole
from hpt_cli.spec.resources import Request

MAX_REGEX_LENGTH = 500
MAX_PARENTS = 5
MAX_ATTEMPTS = 100
MAX_REPEATS = 100

ObjectiveType = Literal["Maximize", "Minimize"]
WarmStartType = Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
PauseMethod = Literal["signal", "checkpoint"]


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
Expression = Annotated[
    Text, StringConstraints(min_length=1, max_length=MAX_REGEX_LENGTH, strip_whitespace=True)
]
GpuName = Annotated[Text, AfterValidator(_check_gpu_name)]
Seconds = Annotated[Number, Field(gt=0)]
Count = Annotated[Whole, Field(ge=1)]
ExitCode = Annotated[Whole, Field(ge=0, le=255)]
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
    after: Pattern | None = None
    """A regex for a line before: only the first value after each such line counts."""
    file: FieldName | None = None
    """A file in the job's directory (HPT_JOB_DIR) to read instead of the output."""


class EarlyStopping(BaseModel):
    """A stop rule by name, with parameters other than its defaults, and the metric it judges by."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Number]

    rule: str = stop_rules.AUTO
    """The rule's name; beside it stand its parameters."""
    metric: str | None = None
    """The metric to judge training jobs by, one of the metric definitions; by default the
    objective, by which the best is found in any case."""
    metric_type: ObjectiveType | None = None
    """Whether more of that metric is better, or less; by default as objective_type says."""

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters that were given; whole numbers are counts."""
        given = self.__pydantic_extra__.items()
        return {name: int(value) if value.is_integer() else value for name, value in given}


class Pausing(SpecPart):
    """How training jobs are paused for likelier ones, and how many may be at a time."""

    method: PauseMethod = "signal"
    """signal: all its processes stand still, and keep their memory; checkpoint: it is stopped, and
    later goes on from its checkpoint in HPT_CHECKPOINT_DIR."""
    max_paused: Count | None = None
    """How many may be paused at a time; with signal, by default as many as memory allows."""
    max_memory_gb: Annotated[Number, Field(gt=0)] | None = None
    """With signal: how much memory paused training jobs may keep, in GiB."""
    share_gpus: bool = False
    """With signal: whether others get the GPUs of paused training jobs, whose memory there stays
    taken."""


class Repeats(SpecPart):
    """How often a configuration runs, each time with another seed, as long as it may be the best;
    its mean counts."""

    count: Annotated[Whole, Field(ge=2, le=MAX_REPEATS)]
    """How many training jobs a configuration is at most."""
    seed: FieldName | None = None
    """The hyperparameter that is the seed: its range lists the seeds, which without one are 1, 2, 3
    ...; left out where the command draws another seed each time."""


class Confirms(SpecPart):
    """Which training jobs of another tuning job are run again with other seeds."""

    tuning_job: TuningJobName
    """The other tuning job's name."""
    jobs: Annotated[tuple[Count | None, ...], Field(min_length=1)]
    """The number there of each of the initial_hyperparameters, the best first; null for a default
    that was not tried."""
    default: Annotated[Whole, Field(ge=0)] | None = None
    """The place of the default among them, from 0."""
    has_best_only: bool = True
    """Whether all of them are among the best; else the last is not: the default."""

    @property
    def apart(self) -> int | None:
        """The number, from 1, of the one that is not among the best."""
        return None if self.has_best_only else len(self.jobs)


class Parent(SpecPart):
    """A tuning job to learn from, which did not have all hyperparameters."""

    name: Text
    """Its name in the same home, or its directory."""
    assume: dict[str, Category] = Field(default_factory=dict)
    """What its training jobs ran with of hyperparameters that it did not have."""


def _tell_parent(value: Any) -> str:
    return "part" if isinstance(value, (Mapping, Parent)) else "name"


ParentOrName = Annotated[
    Annotated[Text, Tag("name")] | Annotated[Parent, Tag("part")], Discriminator(_tell_parent)
]


class WarmStart(SpecPart):
    """Tuning jobs to learn from: names in the same home, or paths of their directories."""

    type: WarmStartType
    """Whether the parents' results count as results (IdenticalDataAndAlgorithm), or only say where
    to look first (TransferLearning)."""
    parents: Annotated[tuple[ParentOrName, ...], Field(min_length=1, max_length=MAX_PARENTS)]
    """1 to 5 tuning jobs, each by its name or directory, or as `{name: ..., assume: {...}}`."""

    def list_parents(self) -> list[Parent]:
        """Return the tuning jobs to learn from, and what they are assumed to have run with."""
        return [each if isinstance(each, Parent) else Parent(name=each) for each in self.parents]


class Success(SpecPart):
    """When a training job has succeeded, where its exit code alone does not tell; all that is given
    must hold."""

    exit_codes: Annotated[tuple[ExitCode, ...], Field(min_length=1)] | None = None
    """Its exit code is one of these; a signal counts as 128 + its number."""
    when: Pattern | None = None
    """This regex is found in a line of what the attempt printed."""


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
