"""The types of `--json` output of what looks at a spec, or at a log, before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from hpt_cli.reports.json_types.values import Hyperparameters, Point, Value


class LintWarning(TypedDict):
    """Something that is probably not intended."""

    slug: str
    """see [slugs](errors.md)"""
    message: str
    hint: str | None


class Range(TypedDict):
    """How a range is searched."""

    scaling: str | None
    """`Linear`, `Logarithmic` or `ReverseLogarithmic`; null for a Categorical range"""
    size: int | None
    """the number of values; null if continuous"""
    values: Sequence[Value]
    """all, or some evenly spaced"""
    when: Mapping[str, Sequence[Value]]
    prior: Sequence[Value]


class FirstTrainingJob(TypedDict):
    """A training job that would run."""

    hyperparameters: Hyperparameters
    command: str


class TriedTrainingJob(TypedDict):
    """The result of a trial run of the command."""

    exit_code: int | None
    failure_reason: str | None
    """null if it was stopped after `--seconds`"""
    seconds: float
    values: Sequence[float | None]
    """of the objective"""
    nearest_lines: Sequence[str]
    """the lines that come nearest to a value, if there is none"""
    proposed_metric_definitions: Sequence[str]
    estimated_job_seconds: float
    estimated_tuning_seconds: float
    estimate_is_at_least: bool
    """the run was stopped, and the number of epochs is not known"""
    goes_on_after_pause: bool | None
    """null where that does not show, or the spec has no `pausing`"""


_Tried = TypedDict("_Tried", {"try": TriedTrainingJob | None})
"""with `--try` only"""


class Resources(TypedDict):
    """What the tuning job can use of this machine."""

    cores: Sequence[int]
    gpus: Sequence[str]
    memory_gb: float
    """GiB"""


class Checkup(_Tried):
    """A spec before it runs."""

    name: str
    spec: Mapping[str, Any]
    """all fields, with defaults"""
    hyperparameter_ranges: dict[str, Range]
    points: int | None
    """the number of points to try; null if continuous"""
    judged_metric_name: str | None
    """what early stopping judges by; null if it is Off"""
    judged_metric_type: str | None
    first_training_jobs: list[FirstTrainingJob]
    environment: dict[str, str]
    directory: str
    """the directory that the tuning job will be in"""
    resources: Resources | None
    """null if the spec asks for none"""
    parallel_jobs: int
    """how many run at once"""
    ends_with: Sequence[str]
    """the criteria, for people"""
    warnings: list[LintWarning]


class Match(TypedDict):
    """A value in a log."""

    line: int
    """from 1"""
    text: str
    span: Sequence[int]
    """the position of the match in the text: `[start, end]`"""
    value_span: Sequence[int]
    """the position of the value"""
    step: float | None
    value: float | None


class Reading(TypedDict):
    """What a metric definition finds in a log."""

    definition: Mapping[str, Any]
    count: int
    curve: Sequence[Point]
    warnings: list[LintWarning]
    matches: list[Match]
    """the first and the last, or with `--all` all"""


class Readings(TypedDict):
    """With `--regex`, `--preset` or `--spec`: what they find."""

    log: str
    definitions: list[Reading]


class Proposal(TypedDict):
    """A metric definition that finds something."""

    definition: Mapping[str, Any]
    """ready for `metric_definitions`"""
    objective_type: str
    """`Maximize` or `Minimize`: the likelier one for a metric of this name"""
    objective_value: str
    """`mean` of the folds of a cross-validation; else `last`"""
    program: str | None
    """the program, if it is a preset"""
    curve: Sequence[Point]
    example: str
    """a line that it matches"""


class Proposals(TypedDict):
    """With the log alone: definitions that find something, the likeliest objective first."""

    log: str
    proposals: list[Proposal]
    warnings: list[LintWarning]
    """about these definitions"""
