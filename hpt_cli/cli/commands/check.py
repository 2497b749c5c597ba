"""hpt check SPEC: the whole spec explained, before anything runs."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpt_cli.cli.commands.run import tell_inherited
from hpt_cli.cli.load import print_json
from hpt_cli.cli.options import Home, Json
from hpt_cli.errors import ExitCode, Problem
from hpt_cli.formatting import count
from hpt_cli.storage.home import find_home
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.checks.prerequisites import Findings
    from hpt_cli.executors import LaunchRequest
    from hpt_cli.reports.check import Checkup, TriedJob
    from hpt_cli.spec.hyperparameters import Hyperparameters
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.spec.resources import Pool
    from hpt_cli.tuning.allocation import Share

EXAMPLES = (
    "hpt check spec.yaml",
    "hpt check spec.yaml --try",
)
SAMPLES = 3


def check(
    spec: Annotated[Path, typer.Argument(help="The YAML file that says what to tune.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field of the spec (repeatable).", metavar="F=VALUE"),
    ] = None,
    try_: Annotated[
        bool, typer.Option("--try", help="Run one training job for a look, and estimate the time.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="With --try: stop it after so long.")
    ] = 60.0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Explain a spec: ranges, first commands, environment, files, what ends it.

    Nothing is run but with --try, and nothing is kept.
    """
    from hpt_cli.checks.prerequisites import check_before_run
    from hpt_cli.reports.check import render, to_json
    from hpt_cli.storage.spec_file import read_raw

    raw = read_raw(spec, set_ or [])
    found = check_before_run(raw, os.environ, Path.cwd(), find_home(home))
    tell_inherited(found.inherited)
    checkup = examine(found, find_home(home), seconds if try_ else None)
    if json:
        print_json(to_json(checkup))
    else:
        from rich.console import Console

        Console().print(render(checkup))
    tried = checkup.tried
    if tried is not None and (tried.exit_code or not tried.values):
        raise typer.Exit(ExitCode.FAILED)


def examine(found: Findings, home: Path, seconds: float | None) -> Checkup:
    """Look at a spec from all sides; with `seconds`, also at one training job that runs so long."""
    from hpt_cli.checks.preview import find_warnings, list_first_points
    from hpt_cli.reports.check import Checkup
    from hpt_cli.storage.journal import describe_creation
    from hpt_cli.tuning.fold import fold
    from hpt_cli.tuning.state import TuningState

    spec = found.spec
    pool = found.capacity.pool if found.capacity else None
    state = fold(TuningState(), describe_creation(spec, Path.cwd()))
    for warm in found.inherited:
        state = fold(state, warm)
    points = list_first_points(spec, state, SAMPLES)
    jobdir = JobDir(home / spec.name)
    share = _share_first(spec, pool)
    orders = [
        _make_order(spec, jobdir, number, point, share) for number, point in enumerate(points, 1)
    ]
    return Checkup(
        spec=spec,
        points=tuple(points),
        commands=tuple(_write_command(spec, request) for request in orders),
        environment={
            name: spec.environment.get(name, value)
            for name, value in orders[0].environment.items()
            if os.environ.get(name) != value
        },
        directory=f"{jobdir.path}/",
        output=f"{jobdir.attempt(1, 1).log}: what the first one prints",
        warnings=(
            *find_warnings(spec, pool),
            *found.warnings,
            *_find_namesake(jobdir),
            *_find_refusal(spec, orders[0]),
        ),
        tried=None if seconds is None else try_first_job(spec, points[0], seconds, pool),
        pool=pool,
    )


def _share_first(spec: TuningSpec, pool: Pool | None) -> Share | None:
    """What the first training job gets."""
    from hpt_cli.tuning.allocation import allocate

    request = spec.request
    return allocate(request, pool, []) if request and pool else None


def _make_order(
    spec: TuningSpec, jobdir: JobDir, number: int, point: Hyperparameters, share: Share | None
) -> LaunchRequest:
    from hpt_cli.runtime.environment import JobContext, make_launch_request

    here = str(Path.cwd())
    return make_launch_request(JobContext(spec, jobdir, os.environ, here, number, 1, point, share))


def _write_command(spec: TuningSpec, request: LaunchRequest) -> str:
    return request.argv[-1] if spec.shell else shlex.join(request.argv)


def _find_namesake(jobdir: JobDir) -> Iterator[Problem]:
    if jobdir.journal.exists():
        message = f"a tuning job named '{jobdir.name}' exists already in {jobdir.path.parent}"
        yield Problem("doubt-name", message, "hpt run will want another: --name NEW")


def _find_refusal(spec: TuningSpec, request: LaunchRequest) -> Iterator[Problem]:
    """What Slurm has against such a training job."""
    if spec.executor == "slurm":
        from hpt_cli.executors.slurm import find_refusal

        refusal = find_refusal(request, spec.slurm)
        if refusal:
            yield Problem("doubt-slurm", f"Slurm would not take a training job: {refusal}")


def try_first_job(
    spec: TuningSpec, point: Hyperparameters, seconds: float, pool: Pool | None
) -> TriedJob:
    """Run one training job for a look, in a directory that is thrown away."""
    from hpt_cli.checks.preview import estimate_time
    from hpt_cli.checks.trial_run import try_job
    from hpt_cli.executors import load_executor
    from hpt_cli.metrics.detection import nearest_lines
    from hpt_cli.metrics.lint import lint_definitions
    from hpt_cli.reports.check import TriedJob
    from hpt_cli.tuning.warnings import find_file, propose_for

    metric, file = spec.objective_metric_name, find_file(spec)
    # On a cluster it has to be where the nodes see it; as the working directory is.
    place = None if spec.executor == "local" else Path.cwd()
    with tempfile.TemporaryDirectory(prefix=".hpt-try-", dir=place) as temporary:
        jobdir = JobDir(Path(temporary) / spec.name)
        jobdir.make_training_job(1)
        request = _make_order(spec, jobdir, 1, point, _share_first(spec, pool))
        with show_progress(seconds) as show:
            executor = load_executor(spec.executor, spec.slurm)
            trial_run = try_job(executor, request, spec.extractors, seconds, show)
    times, values = trial_run.list_times(metric), tuple(trial_run.list_values(metric))
    lines = list(trial_run.lines)
    return TriedJob(
        exit_code=trial_run.exit_code,
        seconds=trial_run.seconds,
        values=values,
        last_lines=trial_run.lines,
        nearest=() if values or file else tuple(nearest_lines(lines, metric)),
        proposals=() if values else propose_for(spec, lines),
        file=file,
        estimate=estimate_time(
            spec,
            trial_run.seconds,
            times,
            ended=not trial_run.was_cut_off,
            slots=spec.count_slots(pool),
        ),
        warnings=tuple(lint_definitions(spec.list_definitions(), "\n".join(lines).encode())),
    )


@contextmanager
def show_progress(limit: float) -> Iterator[Callable[[float, int], None]]:
    """A line on a terminal that says how long a tried job has run."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:

        def show(seconds: float, values: int) -> None:
            status.update(
                f"trying one training job: {seconds:.0f} of {limit:.0f} s, {count(values, 'value')}"
            )

        yield show
