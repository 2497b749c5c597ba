"""What `run`, `resume` and `stop` share: tuning until the end, and saying how it ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.cli.console import say
from hpt_cli.cli.load import print_report, read_summary
from hpt_cli.errors import ExitCode, HptError, Problem, UsageError
from hpt_cli.plural import count
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal

LEAST_DESCRIPTORS = 8
SCRIPTS = (".py", ".sh", ".R", ".jl", ".lua", ".pl")

if TYPE_CHECKING:
    from rich.console import Console

    from hpt_cli.executors import Order
    from hpt_cli.live.views import QuietView
    from hpt_cli.machine.capacity import Survey
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.spec.resources import Misfit, Request
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Summary


def tune(jobdir: JobDir, spec: TuningSpec, state: TuningState, *, plain: bool, quiet: bool) -> int:
    """Tune on from a state until the tuning job ends; the caller holds the lock.

    Returns:
        The exit code of the process.
    """
    from rich.console import Console

    from hpt_cli.executors import load_executor
    from hpt_cli.runtime.notify import Notifier
    from hpt_cli.runtime.runner import Runner, Views

    console = Console(stderr=True)
    found = survey_machine(spec)
    notifier = Notifier(spec.notify, jobdir)
    with (
        open_journal(jobdir.journal, write=True) as journal,
        notifier,
        choose_view(console, plain=plain, quiet=quiet) as view,
    ):
        views = Views(view, notifier)
        executor = load_executor(spec.executor, spec.slurm)
        runner = Runner(spec, journal, jobdir, executor, views, state, found)
        try:
            _check_descriptors()
            state = asyncio.run(runner.run())
        except (HptError, OSError):
            if runner.alive:
                words = f"{count(runner.alive, 'training job')} may go on without a tuner"
                say(f"{words}: hpt resume {jobdir.name}")
            raise
    for failure in notifier.failures:
        say(f"notify: {failure}")
    _report(jobdir, state, quiet=quiet)
    return _exit_code(state, runner.interrupted_by)


def _check_descriptors() -> None:
    """Raise OSError here if there are too few left: asyncio would fail in a less orderly way."""
    for descriptor in [os.dup(sys.stderr.fileno()) for _ in range(LEAST_DESCRIPTORS)]:
        os.close(descriptor)


def choose_view(console: Console, *, plain: bool, quiet: bool) -> QuietView:
    """The live screen on a terminal that can show it, else plain lines."""
    from hpt_cli.live.views import LiveView, PlainView, QuietView

    if quiet:
        return QuietView()
    dumb = os.environ.get("TERM", "dumb") == "dumb" or "CI" in os.environ
    if plain or dumb or not console.is_terminal:
        return PlainView(sys.stderr)
    return LiveView(console)


def check_working_directory(spec: TuningSpec, directory: Path) -> None:
    """Raise UsageError if the command's working directory is not there."""
    path = Path(directory, spec.working_directory)
    if not path.is_dir():
        raise UsageError.of("working-directory", f"working_directory {path} is not a directory")


def find_missing_files(spec: TuningSpec, order: Order) -> Iterator[Problem]:
    """A program that is not found, and scripts that are not there; a shell finds its own."""
    if spec.shell:
        return
    program = order.argv[0]
    path = order.environment.get("PATH")
    local = order.working_directory / program
    if shutil.which(program, path=path) is None and not (
        os.sep in program and os.access(local, os.X_OK)
    ):
        message = f"there is no program '{program}' on the PATH"
        yield Problem("doubt-program", message, "write its whole path, or mend the PATH")
    for word in order.argv[1:]:
        if word.endswith(SCRIPTS) and not (order.working_directory / word).exists():
            message = f"there is no file {word} in {order.working_directory}"
            hint = "working_directory in the spec says where the command runs"
            yield Problem("doubt-file", message, hint)


def list_misfits(request: Request, gpus: Sequence[str] | None) -> Sequence[Misfit]:
    """What training jobs ask for and this machine does not have."""
    from hpt_cli.machine.capacity import survey

    return survey(request, gpus, os.environ).misfits


def survey_machine(spec: TuningSpec) -> Survey | None:
    """What this machine has of what training jobs ask for; None where it is not asked for any.

    Raises:
        UsageError: it has too little for a single one.
    """
    from hpt_cli.machine.capacity import survey
    from hpt_cli.spec.yaml_reader import describe_misfit

    request = spec.request
    if request is None or spec.executor != "local":
        return None
    found = survey(request, spec.gpus, os.environ)
    if found.misfits:
        raise UsageError(*map(describe_misfit, found.misfits))
    return found


def check_variables(spec: TuningSpec) -> None:
    """Raise UsageError if variables that the environment of the jobs refers to are not set."""
    from hpt_cli.spec.env_references import find_references
    from hpt_cli.spec.yaml_reader import describe_unset

    unset = [
        describe_unset(name, variable, os.environ)
        for name, value in spec.environment.items()
        for variable in find_references(value)
        if variable not in os.environ
    ]
    if unset:
        raise UsageError(*unset)


def _report(jobdir: JobDir, state: TuningState, *, quiet: bool) -> None:
    summary = read_summary(jobdir)
    if not quiet:
        print_report("jobs", [summary], as_json=False)
        print()
        print_report("show", [summary], as_json=False)
        sys.stdout.flush()
    home = "" if jobdir.path.parent == Path(".hpt") else f" --home {jobdir.path.parent}"
    if state.status == "Stopped":
        say(f"\nto go on: hpt resume {jobdir.name}{home}")
    elif state.status == "Completed" and not quiet:
        lines = [f"  hpt {word} {jobdir.name}{home}" for word in _list_closer_looks(summary)]
        say("\n".join(["\nto look closer:", *lines]))


def _list_closer_looks(summary: Summary) -> list[str]:
    """The commands that have something to show of a tuning job."""
    from hpt_cli.tuning.summary import has_enough_results

    words = {
        "curves": any(row.curve for row in summary.rows),
        "importance": has_enough_results(summary.rows),
        "report": True,
    }
    return [word for word, has_some in words.items() if has_some]


def _exit_code(state: TuningState, interrupted_by: int | None) -> int:
    if interrupted_by is not None and state.status == "Stopped":
        terminated = interrupted_by != signal.SIGINT
        return ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED
    return ExitCode.OK if state.status == "Completed" else ExitCode.FAILED
