"""A spec examined before it runs: its first training jobs, warnings, and one training job tried."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hpt_cli.checks.interpreter import explain_missing_module
from hpt_cli.checks.pause_trial import PauseTrial, try_pause
from hpt_cli.checks.prerequisites import Findings
from hpt_cli.checks.preview import Estimate, estimate_time, find_warnings, list_first_points
from hpt_cli.checks.trial_run import Show, TrialRun, try_job
from hpt_cli.errors import Problem
from hpt_cli.executors import Executor, LaunchRequest, load_executor
from hpt_cli.executors.slurm import find_refusal
from hpt_cli.logs.tail import find_newest
from hpt_cli.metrics.detection import nearest_lines
from hpt_cli.metrics.lint import lint_definitions
from hpt_cli.runtime.environment import JobContext, make_launch_request
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.resources import Pool
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import describe_creation
from hpt_cli.tuning.allocation import allocate
from hpt_cli.tuning.fold import fold_all
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.warnings import find_file, find_nothing_to_judge, propose_for

SAMPLES = 3
"""How many training jobs are shown before they run."""


CLOCK_SECONDS = 0.1
"""Times of files may lag behind the clock by so much."""


@dataclass(frozen=True)
class TriedJob:
    """A trial run of one training job, and what its output says of the spec."""

    trial: TrialRun
    values: tuple[float, ...]
    nearest: tuple[str, ...]
    """Where no value was found: the lines that are most like the objective."""
    proposals: tuple[str, ...]
    """Metric definitions that match something, as lines of YAML."""
    estimate: Estimate
    file: str | None = None
    """The file that the objective is read from; None if that is the output."""
    has_file: bool = False
    """Whether the job wrote that file into its directory."""
    is_astray: bool = False
    """Whether it wrote that file into the working directory."""
    warnings: tuple[Problem, ...] = ()
    """Warnings about the metrics, as found in this job's output."""
    pause: PauseTrial | None = None
    """What came of pausing one, where the spec asks for that."""
    missing: str = ""
    """Why it lacks a module, where that is known."""


@dataclass(frozen=True)
class Checkup:
    """What is known about a spec before it runs."""

    spec: TuningSpec
    first: JobContext
    """The first training job."""
    points: tuple[Hyperparameters, ...]
    commands: tuple[str, ...]
    environment: Mapping[str, str]
    """The variables that are set for the first training job, without inherited ones."""
    directory: str
    output: str
    config_files: tuple[str, ...]
    """The path of each config file of the first training job, and what it is made of."""
    warnings: tuple[Problem, ...]
    tried: TriedJob | None = None
    pool: Pool | None = None
    """The available resources, if the spec asks for any."""

    @property
    def slots(self) -> int:
        """The number of training jobs that run at once."""
        return self.spec.count_slots(self.pool)


def examine(
    found: Findings, environment: Mapping[str, str], directory: Path, home: Path
) -> Checkup:
    """Return the checkup of a spec of which nothing is run.

    Args:
        environment: the tuner's own.
        directory: where relative paths in the spec begin.
    """
    spec = found.spec
    pool = found.capacity.pool if found.capacity else None
    state = fold_all(TuningState(), [describe_creation(spec, directory), *found.inherited])
    points = [spec.write(point) for point in list_first_points(spec, state, SAMPLES)]
    jobdir = JobDir(home / spec.name)
    share = allocate(spec.request, pool, []) if spec.request and pool else None
    first = JobContext(spec, jobdir, environment, str(directory), 1, 1, points[0], share)
    requests = [
        make_launch_request(replace(first, number=number, tuned=point))
        for number, point in enumerate(points, 1)
    ]
    return Checkup(
        spec=spec,
        first=first,
        points=tuple(points),
        commands=tuple(each.argv[-1] if spec.shell else shlex.join(each.argv) for each in requests),
        environment={
            name: spec.environment.get(name, value)
            for name, value in requests[0].environment.items()
            if environment.get(name) != value
        },
        directory=f"{jobdir.path}/",
        output=f"{jobdir.attempt(1, 1).log}: what the first one prints",
        config_files=tuple(
            f"{jobdir.config_files(1) / each.file_name}: its {each.template}"
            for each in spec.config_files
        ),
        warnings=(
            *find_warnings(spec, pool),
            *found.warnings,
            *_find_namesake(jobdir),
            *_find_refusal(spec, requests[0]),
        ),
        pool=pool,
    )


def _find_namesake(jobdir: JobDir) -> Iterator[Problem]:
    if jobdir.journal.exists():
        message = f"a tuning job named '{jobdir.name}' already exists in {jobdir.path.parent}"
        yield Problem("doubt-name", message, "hpt run will need another name: --name NEW")


def _find_refusal(spec: TuningSpec, request: LaunchRequest) -> Iterator[Problem]:
    """Yield why Slurm would refuse such a training job, if it would."""
    refusal = find_refusal(request, spec.slurm) if spec.executor == "slurm" else ""
    if refusal:
        yield Problem("doubt-slurm", f"Slurm would reject a training job: {refusal}")


def _was_written(path: Path, began: float) -> bool:
    """Return whether a file, or one of a pattern, was written since a time."""
    newest = find_newest(path)
    return newest.exists() and newest.stat().st_mtime >= began - CLOCK_SECONDS


def try_first_job(checkup: Checkup, seconds: float, show: Show) -> TriedJob:
    """Return the results of the first training job, run for so many seconds.

    It runs in a directory that is deleted afterwards.

    Args:
        show: called as `try_job` calls it.
    """
    spec = checkup.spec
    metric, file = spec.objective_metric_name, find_file(spec)
    with _make_directory(spec) as jobdir:
        jobdir.make_training_job(1)
        request = make_launch_request(replace(checkup.first, jobdir=jobdir))
        executor = load_executor(spec.executor, spec.slurm)
        began = time.time()
        trial = try_job(executor, request, spec.extractors, seconds, show, spec.success)
        has_file = file is not None and _was_written(jobdir.training_job(1) / file, began)
        pause = None
        if spec.pausing is not None and trial.list_values(metric) and not trial.failure:
            pause = _try_pause(checkup, jobdir, executor, seconds)
    values = tuple(trial.list_values(metric))
    estimate = estimate_time(
        spec,
        trial.seconds,
        trial.list_times(metric),
        ended=not trial.was_cut_off,
        slots=checkup.slots,
    )
    return TriedJob(
        trial=trial,
        values=values,
        nearest=() if values or file else tuple(nearest_lines(list(trial.lines), metric)),
        proposals=() if values else propose_for(spec, trial.lines),
        file=file,
        has_file=has_file,
        is_astray=file is not None and _was_written(Path.cwd() / file, began),
        estimate=estimate,
        pause=pause,
        warnings=tuple(_find_warnings(spec, trial)),
        missing=""
        if not trial.failure
        else explain_missing_module(trial.lines, request.argv, request.environment.get("PATH")),
    )


@contextmanager
def _make_directory(spec: TuningSpec) -> Iterator[JobDir]:
    """Yield a tuning job's directory, which is deleted afterwards."""
    # The nodes of a cluster can see the working directory, but not the temporary one.
    place = None if spec.executor == "local" else Path.cwd()
    with tempfile.TemporaryDirectory(prefix=".hpt-try-", dir=place) as temporary:
        yield JobDir(Path(temporary) / spec.name)


def try_pausing(checkup: Checkup, seconds: float) -> PauseTrial:
    """Return what comes of pausing a training job; it runs in a directory that is deleted."""
    spec = checkup.spec
    with _make_directory(spec) as jobdir:
        return _try_pause(checkup, jobdir, load_executor(spec.executor, spec.slurm), seconds)


def _try_pause(checkup: Checkup, jobdir: JobDir, executor: Executor, seconds: float) -> PauseTrial:
    jobdir.make_training_job(2)
    return try_pause(executor, replace(checkup.first, jobdir=jobdir, number=2), seconds)


def _find_warnings(spec: TuningSpec, trial: TrialRun) -> Iterator[Problem]:
    """Yield what looks wrong with the metrics in what a training job has printed."""
    yield from lint_definitions(spec.list_definitions(), "\n".join(trial.lines).encode())
    values = {each.name: trial.list_values(each.name) for each in spec.metric_definitions}
    judging = None if trial.was_cut_off else find_nothing_to_judge(spec, values, trial.lines)
    yield from [judging] if judging else []
