"""The types of `--json` output, by command: scripts may rely on them.

Functions that make the output return these, so that mypy finds a wrong field; `docs/json.md` is
generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from hpt_cli.reports.json_types.before_run import Checkup, Proposals, Readings
from hpt_cli.reports.json_types.values import Hyperparameters, Point, Value


class Counters(TypedDict):
    """How many training jobs have each status; `in_progress` includes Stopping ones."""

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
    secondary_status: str
    """the same, but one in progress is `Suggested`, `Submitting`, `Starting`, `Training`, `Paused`
    or `Interrupted`"""
    queue_reason: str | None
    """why a submitted job waits, in the scheduler's words; null unless it waits"""
    stop_reason: str | None
    """`EarlyStopped`, `MaxRuntimeExceeded`, `StoppedByUser`, `TuningJobFinished`, `Interrupted`,
    `Hung`, `LogRule`"""
    stop_explanation: str | None
    """the same in a sentence, for people"""
    objective_status: str
    """`Pending`, `Succeeded`, `Failed`"""
    final_objective_value: float | None
    """the last value, or what `objective_value` in the spec says"""
    best_objective_value: float | None
    epochs: int
    """the number of steps of the objective that were read"""
    training_start_time: str | None
    """UTC"""
    training_end_time: str | None
    """UTC"""
    training_elapsed_time_seconds: float
    """how long all attempts were at work"""
    attempts: int
    failure_reason: str | None
    notes: Sequence[str]
    """messages of log rules and retries"""
    cores: Sequence[int] | None
    """the CPU cores of its latest attempt; null if the spec has neither `resources` nor `gpus`"""
    gpus: Sequence[str] | None
    """the GPUs that its latest attempt can see; null if the spec does not ask for GPUs"""
    source: str | None
    """who proposed it with `hpt try`; null if hpt chose it"""
    hyperparameters: Hyperparameters
    """the tuned ones, without static ones"""
    configuration: int | None
    """with `repeats`: the same number for all that differ in their seed alone"""


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
    """Something that looks wrong and can be fixed."""

    slug: str
    """see [slugs](errors.md)"""
    message: str
    hint: str
    lines: Sequence[str]
    """lines of the output that come nearest to what is missing"""
    metric_definitions: Sequence[str]
    """as YAML: definitions that would find something"""


class Lead(TypedDict):
    """With which probability the best is better than another one."""

    training_job_number: int | None
    """in the search; null for a default that it did not try"""
    is_default: bool
    probability: float


class BestConfiguration(TypedDict):
    """The configuration that is likely to be the best, where each is several training jobs."""

    configuration: int
    training_jobs: int
    """how many of them have a result"""
    mean_objective_value: float | None
    standard_error: float | None
    """of the mean; null for a single training job"""


class Confirmation(TypedDict):
    """What the best training jobs of a search have shown with other seeds, so far."""

    tuning_job_name: str
    """of the search"""
    training_job_number: int | None
    """which of them is the best: its number in the search; null for a default that it did not
    try"""
    is_default: bool
    probability_best: float
    """that it is the best of all of them"""
    better_than: list[Lead]
    seeds_differ: bool
    """false where all results of each are the same, whatever the seed"""


class TuningJob(TypedDict):
    """The state of a tuning job."""

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
    best_configuration: BestConfiguration | None
    """with `repeats` only; `best_training_job` is its best one"""
    overall_best_training_job: InheritedBest | None
    """with `warm_start` only"""
    training_jobs_outside: int
    """how many are not learned from, as they lie outside the search space"""
    warm_start_parents: list[Parent]
    confirmation: Confirmation | None
    """of `hpt confirm` only, from the second result of one of them on"""
    total_training_time_seconds: float
    """the sum over all training jobs"""
    seconds_saved_by_early_stopping: float | None
    """an estimate; null if nothing was stopped early"""
    tuning_time_seconds: float
    """how long a tuner was at work"""
    completion_reason: str | None
    """what ended it, for people"""
    has_more_to_do: bool
    """it is Completed, and `hpt resume` would continue it, as its limits have changed; false with
    any other status, though `hpt resume` may continue that too"""
    warnings: list[Warning]


class ListedTuningJob(TypedDict):
    """A tuning job in a home directory."""

    tuning_job_name: str
    tuning_job_status: str
    """`InProgress`, `Stopping`, `Completed`, `Failed`, `Stopped`"""
    tuner_at_work: bool
    """an InProgress one without a tuner can be resumed"""
    creation_time: str | None
    """UTC"""
    objective_metric_name: str
    best_objective_value: float | None
    best_training_job: str | None
    """its name"""
    best_mean_objective_value: float | None
    """the mean of the best configuration; with `repeats` only"""
    training_job_status_counters: Counters
    max_jobs: int | None
    completion_reason: str | None
    has_more_to_do: bool
    """it is Completed, and `hpt resume` would continue it, as its limits have changed; false with
    any other status, though `hpt resume` may continue that too"""
    size_bytes: int
    """on disk, with checkpoints"""
    home: str
    """the directory that contains it"""


class ComparedTuningJob(TypedDict):
    """A tuning job beside others; what it saved is a fraction of the first one's time."""

    tuning_job_name: str
    tuning_job_status: str
    objective_metric_name: str
    training_jobs: int
    training_job_status_counters: Counters
    epochs: int
    """how many all its training jobs have trained"""
    total_training_time_seconds: float
    training_time_saved: float | None
    tuning_time_seconds: float
    tuning_time_saved: float | None
    seconds_saved_by_early_stopping: float | None
    """an estimate from its own training jobs"""
    best_objective_value: float | None
    best_training_job: str | None
    """its name"""
    best_hyperparameters: Hyperparameters | None
    best_so_far: Sequence[Sequence[float]]
    """`[seconds, value]` of each improvement, from the start of the tuning job"""
    top_training_jobs: Sequence[str]
    """names, the best first"""
    stopped_training_jobs: Sequence[str]


class Judgement(TypedDict):
    """The judgement of a stop rule on a training job at one epoch."""

    attempt: int
    step: float
    stop: bool
    reason: str
    value: float | None
    held_against: float | None
    """the value that it was compared with"""
    held_against_job: int | None
    """the number of the training job with that value"""
    jobs: int | None
    """how many other training jobs it was compared with"""
    margin: float | None
    """how much worse it was; below 0 if better"""
    probability: float | None
    """of becoming the best"""
    evidence: Mapping[str, Any]
    """everything that the rule used, as losses: a maximized metric is negated"""


class Pause(TypedDict):
    """That a training job made way for others. Times are UTC."""

    step: float | None
    """the last one before"""
    reason: str
    """for whom it made way"""
    pause_time: str | None
    thaw_time: str | None
    """when it went on, or ended; null while it waits"""
    thaw_reason: str | None
    """why it went on; null where it ended, and while it waits"""
    evidence: Mapping[str, Any]
    """by what it was paused, as losses"""


class Explanation(TypedDict):
    """Why a training job has its hyperparameters, and was stopped early, or not."""

    tuning_job_name: str
    training_job_name: str
    training_job_number: int
    training_job_status: str
    objective_metric_name: str
    objective_type: str
    judged_metric_name: str
    judged_metric_type: str
    rule: str | None
    """null if early stopping is Off"""
    stop_reason: str | None
    stop_explanation: str | None
    conclusion: str
    suggestion: Mapping[str, Any] | None
    """how its hyperparameters were chosen, and what was expected of them"""
    pauses: list[Pause]
    judgements: list[Judgement]


class GoodInterval(TypedDict):
    """The good values of a numeric hyperparameter."""

    low: float
    high: float
    covers: float
    """the share of the range's scale that it covers"""


class GoodValue(TypedDict):
    """The share of good points with one value of a categorical hyperparameter."""

    value: Value
    share: float


class Influence(TypedDict):
    """The importance of a hyperparameter, as shares of the objective's variance."""

    name: str
    importance: float
    """with its interactions"""
    importance_interval: Sequence[float]
    """90% interval: `[low, high]`"""
    alone: float
    """without interactions"""
    alone_interval: Sequence[float]
    """90% interval: `[low, high]`"""
    good_values: GoodInterval | list[GoodValue] | None


class Importance(TypedDict):
    """The importance of the hyperparameters."""

    tuning_job_name: str
    objective_metric_name: str
    results: int
    """how many the model learned from"""
    inherited_results: int
    """how many of them were of the parents of a warm start"""
    stopped_results: int
    """how many of them were of stopped jobs"""
    jobs_left_out: int
    fit: float | None
    """the share of the variance of unseen results that is predicted; near 0, do not rely on it"""
    hyperparameters: list[Influence]


class Advice(TypedDict):
    """Something to do next."""

    slug: str
    """`failures`, `noise`, `edge`, `unimportant`, `stop`, `more`"""
    message: str
    evidence: str
    command: str
    """a line to paste"""
    changes: dict[str, Any]
    """fields of the spec, by their path with dots, and their new values"""


class Advised(TypedDict):
    """What the results of a tuning job say to do next, the most pressing first."""

    tuning_job_name: str
    healthy: bool
    """whether nothing in the results speaks against the spec"""
    advice: list[Advice]


class ReplayedStop(TypedDict):
    """A training job that a rule would have stopped."""

    training_job_name: str
    training_job_number: int
    epochs: int
    """after how many it would have been stopped"""


class _ReplayedAlone(TypedDict, total=False):
    tuning_job_name: str
    """with `--table`, this and the fields below are missing"""
    best_objective_value: float | None
    """the best final value with the rule"""
    best_objective_value_with_off: float | None
    training_jobs: int
    training_jobs_left_out: int
    """they had been stopped already"""
    stopped_training_jobs: list[ReplayedStop]


class ReplayedRule(_ReplayedAlone):
    """What a stop rule would have saved, as fractions; `jobs_stopped` is a number."""

    rule: str
    pausing: bool
    """whether training jobs were paused for likelier ones"""
    jobs_stopped: float
    epochs_saved: float
    training_time_saved: float
    tuning_time_saved: float
    kept_best: float
    """how often the job with the best final value was not stopped"""
    loss: float
    """|best with Off − best with the rule| / |best − median final value|"""


class Finding(TypedDict):
    """One thing that was checked."""

    what: str
    found: str
    problem: str
    """empty if there is none"""


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
    "advise": Advised,
    "replay": list[ReplayedRule],
    "confirm": TuningJob,
    "check": Checkup,
    "metrics": Readings | Proposals,
    "doctor": list[Finding],
}
"""The output of each command with `--json`."""
