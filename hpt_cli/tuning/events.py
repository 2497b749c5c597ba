"""What can happen in a tuning job, as frozen values.

The journal stores these and nothing else; folding them gives the whole state. A change to a field
is a change of the journal's schema version. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.thinning import Totals
from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.names import check_name
from hpt_cli.spec.resources import Pool
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.typed_json import make_reader, parse

MAX_SECONDS = 1e11
"""The latest time, in seconds since the epoch: in the year 5138."""


def check_moment(at: float) -> float:
    """Return a time; raise ValueError if no calendar has it."""
    if not 0 <= at <= MAX_SECONDS:
        raise ValueError(f"{at!r} is not a time of any calendar")
    return at


Moment: TypeAlias = Annotated[float, check_moment]

StopReason = Literal[
    "EarlyStopped",
    "MaxRuntimeExceeded",
    "Hung",
    "LogRule",
    "StoppedByUser",
    "TuningJobFinished",
    "Interrupted",
    "Retry",
    "Failed",
    "Paused",
]
"""Why a training job is asked to stop. After Interrupted, Retry and Paused it runs again, and what
is asked to stop as Failed is Failed; the others are Stopped."""

RequeueReason = Literal["Interrupted", "Outage", "Asked"]
"""Why a training job that had failed runs again."""


class _Definition(TypedDict):
    name: str


class _EarlyStopping(TypedDict, total=False):
    rule: str | None
    metric: str | None
    metric_type: str | None


class _Pausing(TypedDict, total=False):
    share_gpus: bool


class _Repeats(TypedDict, total=False):
    count: int
    seed: str | None


class _Confirms(TypedDict, total=False):
    tuning_job: str
    jobs: tuple[int | None, ...]
    default: int | None


class _WarmStart(TypedDict):
    type: str


class _Optional(TypedDict, total=False):
    description: str | None
    executor: str
    max_jobs: int | None
    stop_grace_seconds: float
    early_stopping_type: str
    early_stopping: _EarlyStopping | None
    pausing: _Pausing | None
    repeats: _Repeats | None
    confirms: _Confirms | None
    warm_start: _WarmStart | None
    value_texts: dict[str, tuple[str, ...]]


class _RecordedSpec(_Optional):
    """A spec, as far as it is read without loading it, which takes longer than a short report."""

    name: Annotated[str, check_name]
    command: str | tuple[str, ...]
    shell: bool
    hyperparameter_ranges: dict[str, dict[str, Any]]
    static_hyperparameters: dict[str, Value | bool]
    metric_definitions: tuple[_Definition, ...]
    objective_metric_name: str
    objective_type: str


class _BestJob(TypedDict):
    training_job_name: str
    final_objective_value: float
    hyperparameters: dict[str, Value | bool]


check_spec = make_reader(_RecordedSpec)
"""Return a recorded spec unchanged; raise TypeError or ValueError if hpt did not record it."""
check_best = make_reader(_BestJob)
"""Return a parent's best training job unchanged; raise TypeError if hpt did not record it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, and when."""

    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobCreated(Event):
    """The journal begins: what was asked for, by which version of hpt, in which directory."""

    spec: Annotated[dict[str, Any], check_spec]
    hpt_version: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStarted(Event):
    """What one parent tuning job brings: its training jobs within the ranges, and how many not.

    Each of `jobs` has `hyperparameters`, `status` and `curve` ([[step, value], ...]) of the
    objective; and `judged`, such a curve of the metric to judge by, where that is another.
    """

    parent: str
    jobs: tuple[dict[str, Any], ...]
    left_out: int
    best: Annotated[dict[str, Any], check_best] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChanged(Event):
    """Some fields of the spec have other values from now on.

    `assume`: what the jobs so far ran with of hyperparameters that are new; None: nobody knows.
    """

    changes: dict[str, Any]
    assume: dict[str, Any] = field(default_factory=dict)

    @property
    def changes_space(self) -> bool:
        """Whether other hyperparameters are tuned from now on, or in other ranges."""
        return "hyperparameter_ranges" in self.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class PointProposed(Event):
    """Somebody gives a point to try, before those of the strategy, which completes it."""

    point: Hyperparameters
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerStarted(Event):
    """A tuner took the lock: by `run`, or by `resume`.

    `pool`: the cores, GPUs and memory that it may hand out, where that matters. `last_alive`: when
    the tuner before it was last known to live, where that is known.
    """

    pid: int
    host: str
    pool: Pool | None = None
    last_alive: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerSuspended(Event):
    """The tuner stood still: it was stopped or frozen, or the machine slept."""

    since: Moment
    until: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobStopRequested(Event):
    """The user wants the tuning job to stop: for good, or (Interrupted) to be resumed."""

    reason: Literal["StoppedByUser", "Interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJobEnded(Event):
    """Nothing runs any more and nothing will be started."""

    status: Literal["Completed", "Failed", "Stopped"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something looks wrong that the user can mend; each `slug` once in a tuning job.

    `lines` are from a log, and `definitions` what could stand in `metric_definitions`.
    """

    slug: str
    message: str
    hint: str
    lines: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()

    @property
    def is_doubt(self) -> bool:
        """Whether it says that training jobs may not run at all, which the first result settles."""
        return self.slug.startswith("doubt-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorNoted(Event):
    """There is something to say of the place where training jobs run. Changes nothing."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchingPaused(Event):
    """Training jobs fail for which the surroundings seem to be at fault; `reason`: in words."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchingResumed(Event):
    """The surroundings are in order again: this training job works."""

    working: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent(Event):
    """Something that happened to one training job."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlanned(JobEvent):
    """Hyperparameters are being chosen from what is known at this point.

    `proposal`: the number, from 1, of the proposal that is tried, if one is.
    """

    proposal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceExhausted(JobEvent):
    """The strategy has no point left: this job is dropped, and none is planned after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSuggested(JobEvent):
    """Hyperparameters were chosen; it took this many seconds of thinking."""

    hyperparameters: Hyperparameters
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitting(JobEvent):
    """An attempt is about to be launched.

    `share`: which cores, GPUs and memory it holds until it has ended, if any. `slot`: the number,
    from 0, that no other attempt has until then.
    """

    attempt: int
    share: Share | None = None
    slot: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLaunched(JobEvent):
    """An attempt runs; the handle finds it again after a restart of the tuner.

    `since` is when it began, where that was before: the last tuner launched it, and was killed; or
    this one was suspended in the middle of the launch.
    """

    attempt: int
    handle: dict[str, Any]
    since: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueued(JobEvent):
    """An attempt that was launched waits for its turn; why, in the words of a scheduler."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(JobEvent):
    """An attempt that waited runs, since then."""

    attempt: int
    since: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSuspended(JobEvent):
    """An attempt stands still, or stood still until then: it was stopped, frozen, or asleep with
    the machine."""

    attempt: int
    since: Moment
    until: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPaused(JobEvent):
    """All processes of an attempt are to stand still until JobThawed, as another job is likelier.

    `evidence`: what is known of the job's chances.
    """

    attempt: int
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobThawed(JobEvent):
    """A paused attempt is to go on where it stands."""

    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationsRead(JobEvent):
    """New observations stood in the attempt's log. Repeats of known ones change nothing."""

    attempt: int
    observations: tuple[Observation, ...]
    moments: tuple[float, ...] = ()
    """When each of them was seen, where that was not at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesCounted(JobEvent):
    """The attempt has printed more values of some metrics than are recorded: what all of them say.

    Counted up to `offset`: what was counted up to an earlier one changes nothing.
    """

    attempt: int
    totals: dict[str, Totals]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobJudged(JobEvent):
    """The stop rule looked at the job: what it saw, and what it said. Changes nothing by itself."""

    attempt: int
    step: float
    stop: bool
    reason: str
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStopRequested(JobEvent):
    """The job is to stop. For an early stop, `evidence` is what the judge saw."""

    reason: StopReason
    explanation: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExited(JobEvent):
    """An attempt ended: with an exit code (negative: a signal), and its last lines of output.

    `succeeded`: by the `success` of the spec, whatever its exit code. `why`: why it failed,
    whatever its exit code. `retry`: it failed, and another attempt follows. `interrupted`: it was
    ended together with its tuner. `at_end`: whoever asked it to stop, it came to its end.
    """

    attempt: int
    exit_code: int
    ended_at: Moment
    tail: tuple[str, ...] = ()
    retry: bool = False
    why: str = ""
    interrupted: bool = False
    at_end: bool = False
    succeeded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLost(JobEvent):
    """An attempt is gone without an exit code: the machine went down, its launcher was killed.

    `evicted`: its place was taken away, which says nothing about the job. `ended_at`: its last sign
    of life, where there was one.
    """

    attempt: int
    why: str
    tail: tuple[str, ...] = ()
    evicted: bool = False
    ended_at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequeued(JobEvent):
    """A job that had failed is to run again.

    As is known by now, it was interrupted, or failed in an outage; or the user asks for it.
    """

    reason: RequeueReason


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNoted(JobEvent):
    """Something about a job that the user should know."""

    text: str


RECORDED: dict[str, type[Event]] = {
    name: each
    for name, each in list(globals().items())
    if isinstance(each, type)
    and issubclass(each, Event)
    and each not in (Event, JobEvent, ObservationsRead, JobJudged)
}
"""The events in the journal's table `event`, by name; observations and judgements have others."""


def to_fields(event: Event) -> dict[str, Any]:
    """Return an event's own fields as JSON-able values, without `at` and `number`."""
    names = [each.name for each in fields(event) if each.name not in ("at", "number")]
    values = {name: getattr(event, name) for name in names}
    return {name: _to_json(each) for name, each in values.items()}


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_json(each) for name, each in value.items()}
    return asdict(value) if isinstance(value, Pool | Share | Totals) else value


def from_fields(kind: str, at: float, number: int | None, own: dict[str, Any]) -> Event:
    """Return the event of this name that happened then; the inverse of `to_fields`.

    Raises:
        KeyError: no event has this name.
        TypeError: the fields are not those of the event, or do not hold what they should.
    """
    of_job = {} if number is None else {"number": number}
    return parse(RECORDED[kind], dict(at=at, **of_job, **own))
