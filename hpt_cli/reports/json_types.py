"""What `--json` answers, command by command: the shapes that scripts may rely on.

The functions that make the answers return these types, so that a field that is missing, superfluous
or of another type is found before it runs; `docs/json.md` is written from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

Value = float | int | str
Hyperparameters = Mapping[str, Value]
Point = Sequence[float | None]
"""`[step, value]`; null for NaN and infinity."""


class Counters(TypedDict):
    """How many training jobs are how; `in_progress` has the Stopping ones too."""

    completed: int
    in_progress: int
    stopped: int
    failed: int


class ObjectiveCounters(TypedDict):
    """How many training jobs have a value of the objective."""

    succeeded: int
    pending: int
    failed: int


class TrainingJob(TypedDict):
    """One training job."""

    training_job_name: str
    """`NAME-0007`"""
    training_job_number: int
    """from 1"""
    training_job_status: str
    """`InProgress`, `Stopping`, `Completed`, `Failed`, `Stopped`"""
    queue_reason: str | None
    """why a job that was submitted waits, in the scheduler's words; null unless it waits"""
    stop_reason: str | None
    """`EarlyStopped`, `MaxRuntimeExceeded`, `StoppedByUser`, `TuningJobFinished`, `Interrupted`,
    `Hung`, `LogRule`"""
    stop_explanation: str | None
    """the same in a sentence, for people"""
    objective_status: str
    """`Pending`, `Succeeded`, `Failed`"""
    final_objective_value: float | None
    """the last value, not the best"""
    best_objective_value: float | None
    epochs: int
    """how many steps of the objective were read"""
    training_start_time: str | None
    """UTC"""
    training_end_time: str | None
    """UTC"""
    training_elapsed_time_seconds: float
    """of all attempts"""
    attempts: int
    failure_reason: str | None
    notes: Sequence[str]
    """what log rules and retries had to say"""
    cores: Sequence[int] | None
    """that its latest attempt is held to; null where the spec has no `resources` and no `gpus`"""
    gpus: Sequence[str] | None
    """that its latest attempt may see; null where the spec says nothing of GPUs"""
    hyperparameters: Hyperparameters
    """tuned ones, without static ones"""


class BestTrainingJob(TrainingJob):
    """The best training job, with its command."""

    command: str
    """ready to paste into a shell"""


class TrainingJobCurve(TrainingJob):
    """One training job, with the curve of a metric."""

    metric: str
    curve: Sequence[Point]


class Parent(TypedDict):
    """A tuning job that this one learned from."""

    name: str
    jobs_used: int
    jobs_left_out: int
    """outside the ranges of this one"""


class InheritedBest(TypedDict):
    """The best training job of this tuning job and its parents."""

    training_job_name: str
    final_objective_value: float | None
    hyperparameters: Hyperparameters


class Warning(TypedDict):
    """What looks wrong, and can be mended."""

    slug: str
    """see [slugs](errors.md)"""
    message: str
    hint: str
    lines: Sequence[str]
    """of the output: those that come nearest to what is missing"""
    metric_definitions: Sequence[str]
    """as YAML: they would find something"""


class TuningJob(TypedDict):
    """How a tuning job stands."""

    tuning_job_name: str
    tuning_job_status: str
    """`InProgress`, `Stopping`, `Completed`, `Failed`, `Stopped`"""
    objective_metric_name: str
    objective_type: str
    """`Maximize` or `Minimize`"""
    max_jobs: int | None
    training_job_status_counters: Counters
    objective_status_counters: ObjectiveCounters
    best_training_job: TrainingJob | None
    overall_best_training_job: InheritedBest | None
    """with `warm_start` only"""
    warm_start_parents: list[Parent]
    total_training_time_seconds: float
    """of all training jobs added up"""
    seconds_saved_by_early_stopping: float | None
    """an estimate; null where nothing was stopped early"""
    tuning_time_seconds: float
    """from start to end, while a tuner was at work"""
    completion_reason: str | None
    """for people: what ended it"""
    warnings: list[Warning]


class ListedTuningJob(TypedDict):
    """A tuning job of a home."""

    tuning_job_name: str
    tuning_job_status: str
    """`InProgress`, `Stopping`, `Completed`, `Failed`, `Stopped`"""
    tuner_at_work: bool
    """an InProgress one without can be resumed"""
    creation_time: str | None
    """UTC"""
    objective_metric_name: str
    best_objective_value: float | None
    best_training_job: str | None
    """its name"""
    training_job_status_counters: Counters
    max_jobs: int | None
    completion_reason: str | None
    size_bytes: int
    """on disk, checkpoints and all"""
    home: str
    """the directory that it is in"""


class ComparedTuningJob(TypedDict):
    """A tuning job beside others; what it saved is against the first, as a fraction."""

    tuning_job_name: str
    tuning_job_status: str
    objective_metric_name: str
    training_jobs: int
    training_job_status_counters: Counters
    total_training_time_seconds: float
    training_time_saved: float | None
    tuning_time_seconds: float
    tuning_time_saved: float | None
    seconds_saved_by_early_stopping: float | None
    """an estimate from its own jobs"""
    best_objective_value: float | None
    best_training_job: str | None
    """its name"""
    best_hyperparameters: Hyperparameters | None
    best_so_far: Sequence[Sequence[float]]
    """`[seconds, value]`: each improvement, from the start of the tuning job"""
    top_training_jobs: Sequence[str]
    """names, the best first"""
    stopped_training_jobs: Sequence[str]


class Judgement(TypedDict):
    """What a stop rule made of a training job at one epoch."""

    attempt: int
    step: float
    stop: bool
    reason: str
    value: float | None
    held_against: float | None
    """the value that it had to be as good as"""
    held_against_job: int | None
    """the number of the training job that this is of"""
    jobs: int | None
    """how many others it was judged by"""
    margin: float | None
    """above 0: so much worse"""
    probability: float | None
    """that it would become the best"""
    evidence: Mapping[str, Any]
    """all that the rule looked at, as losses: a maximized metric is negated"""


class Explanation(TypedDict):
    """Why a training job was stopped early, or why not."""

    tuning_job_name: str
    training_job_name: str
    training_job_number: int
    training_job_status: str
    objective_metric_name: str
    objective_type: str
    """`Maximize` or `Minimize`"""
    rule: str | None
    """null where early stopping is Off"""
    stop_reason: str | None
    stop_explanation: str | None
    conclusion: str
    """a sentence for people"""
    judgements: list[Judgement]


class GoodInterval(TypedDict):
    """Where good values of a number lie."""

    low: float
    high: float
    covers: float
    """the share of the good points that lie in it"""


class GoodValue(TypedDict):
    """How often the good points have one value of a category."""

    value: Value
    share: float


class Influence(TypedDict):
    """How much a hyperparameter mattered; shares of the objective's variance."""

    name: str
    importance: float
    """with all that it takes part in"""
    importance_interval: Sequence[float]
    """90 %: `[low, high]`"""
    alone: float
    """whatever the others are"""
    alone_interval: Sequence[float]
    """90 %"""
    good_values: GoodInterval | list[GoodValue] | None


class Importance(TypedDict):
    """Which hyperparameters mattered."""

    tuning_job_name: str
    objective_metric_name: str
    results: int
    """how many the model learned from"""
    stopped_results: int
    """those of them that were stopped"""
    jobs_left_out: int
    fit: float | None
    """the share of the variance that is predicted of results not told; near 0: believe nothing"""
    hyperparameters: list[Influence]


class ReplayedStop(TypedDict):
    """A training job that a rule would have stopped."""

    training_job_name: str
    training_job_number: int
    epochs: int
    """after so many"""


class _ReplayedAlone(TypedDict, total=False):
    tuning_job_name: str
    """this and what follows are not there with `--table`"""
    best_objective_value: float | None
    """the best final value with the rule"""
    best_objective_value_with_off: float | None
    training_jobs: int
    training_jobs_left_out: int
    """they had been stopped already"""
    stopped_training_jobs: list[ReplayedStop]


class ReplayedRule(_ReplayedAlone):
    """What a stop rule would have saved; fractions, but for `jobs_stopped`."""

    rule: str
    jobs_stopped: float
    epochs_saved: float
    training_time_saved: float
    tuning_time_saved: float
    kept_best: float
    """how often the job with the best final value was not stopped"""
    loss: float
    """|best with Off − best with the rule| / |best − median final value|"""


class LintWarning(TypedDict):
    """What is probably not meant."""

    slug: str
    """see [slugs](errors.md)"""
    message: str
    hint: str | None


class Range(TypedDict):
    """How a range is searched."""

    scaling: str | None
    """`Linear`, `Logarithmic` or `ReverseLogarithmic`; null for a Categorical range"""
    size: int | None
    """how many values there are; null for a continuum"""
    values: Sequence[Value]
    """all, or some evenly spaced"""
    when: Mapping[str, Sequence[Value]]


class FirstTrainingJob(TypedDict):
    """A training job as it will run."""

    hyperparameters: Hyperparameters
    command: str


class TriedTrainingJob(TypedDict):
    """What one run of the command came to."""

    exit_code: int | None
    """null: it was stopped after `--seconds`"""
    seconds: float
    values: Sequence[float | None]
    """of the objective"""
    nearest_lines: Sequence[str]
    """where there is no value: the lines that come nearest"""
    proposed_metric_definitions: Sequence[str]
    estimated_job_seconds: float
    estimated_tuning_seconds: float
    estimate_is_at_least: bool
    """the run was cut off, and nothing tells how many epochs there are"""


_Tried = TypedDict("_Tried", {"try": TriedTrainingJob | None})
"""with `--try` only"""


class Resources(TypedDict):
    """What of this machine the tuning job may hand out."""

    cores: Sequence[int]
    gpus: Sequence[str]
    memory_gb: float
    """GiB"""


class Checkup(_Tried):
    """A spec before it runs."""

    name: str
    spec: Mapping[str, Any]
    """all fields, with their defaults"""
    hyperparameter_ranges: dict[str, Range]
    points: int | None
    """how many there are to try; null for a continuum"""
    first_training_jobs: list[FirstTrainingJob]
    environment: dict[str, str]
    directory: str
    """where the tuning job will live"""
    resources: Resources | None
    """what there is to hand out; null where the spec asks for nothing"""
    parallel_jobs: int
    """how many training jobs run at once"""
    ends_with: Sequence[str]
    """the criteria, for people"""
    warnings: list[LintWarning]


class Match(TypedDict):
    """A value in a log."""

    line: int
    """from 1"""
    text: str
    span: Sequence[int]
    """where in the text the match stands: `[start, end]`"""
    value_span: Sequence[int]
    """where the value stands"""
    step: float | None
    value: float | None


class Reading(TypedDict):
    """What a metric definition finds in a log."""

    definition: Mapping[str, Any]
    count: int
    curve: Sequence[Point]
    warnings: list[LintWarning]
    matches: list[Match]
    """the first and the last; with `--all` all"""


class Readings(TypedDict):
    """`--regex`, `--preset` or `--spec`: what they find."""

    log: str
    definitions: list[Reading]


class Proposal(TypedDict):
    """A metric definition that finds something."""

    definition: Mapping[str, Any]
    """ready for `metric_definitions`"""
    objective_type: str
    """`Maximize` or `Minimize`: what is likelier of a metric of this name"""
    program: str | None
    """the preset's program, where it is one"""
    curve: Sequence[Point]
    example: str
    """a line that it matches"""


class Proposals(TypedDict):
    """Nothing but the log: what would find something, the likeliest objective first."""

    log: str
    proposals: list[Proposal]
    warnings: list[LintWarning]
    """what they read wrong"""


class Finding(TypedDict):
    """One thing that was looked at."""

    what: str
    found: str
    problem: str
    """empty where there is none"""


ANSWERS: dict[str, Any] = {
    "list": list[ListedTuningJob],
    "show": TuningJob,
    "wait": TuningJob,
    "jobs": list[TrainingJob],
    "jobs --curves": list[TrainingJobCurve],
    "best": BestTrainingJob,
    "curves": list[TrainingJobCurve],
    "compare": list[ComparedTuningJob],
    "explain": Explanation,
    "importance": Importance,
    "replay": list[ReplayedRule],
    "check": Checkup,
    "metrics": Readings | Proposals,
    "doctor": list[Finding],
}
"""What each command answers with `--json`."""
