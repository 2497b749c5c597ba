"""What `run`, `resume` and `stop` share: tuning until the end, and saying how it ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hpt_cli.cli.console import say
from hpt_cli.cli.load import print_report, read_summary
from hpt_cli.errors import ExitCode, HptError
from hpt_cli.formatting import count
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal

LEAST_DESCRIPTORS = 8

if TYPE_CHECKING:
    from rich.console import Console

    from hpt_cli.live.views import QuietView
    from hpt_cli.machine.capacity import Capacity
    from hpt_cli.spec.model import TuningSpec
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Summary


def tune(
    jobdir: JobDir,
    spec: TuningSpec,
    state: TuningState,
    capacity: Capacity | None,
    *,
    plain: bool,
    quiet: bool,
) -> int:
    """Tune on from a state until the tuning job ends; the caller holds the lock.

    Returns:
        The exit code of the process.
    """
    from rich.console import Console

    from hpt_cli.executors import load_executor
    from hpt_cli.runtime.notify import Notifier
    from hpt_cli.runtime.runner import Runner
    from hpt_cli.runtime.view import Views

    console = Console(stderr=True)
    notifier = Notifier(spec.notify, jobdir)
    with (
        open_journal(jobdir.journal, write=True) as journal,
        notifier,
        choose_view(console, plain=plain, quiet=quiet) as view,
    ):
        views = Views(view, notifier)
        executor = load_executor(spec.executor, spec.slurm)
        runner = Runner(spec, journal, jobdir, executor, views, state, capacity)
        try:
            _check_descriptors()
            state = runner.run()
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
    """Raise OSError here if there are too few left: the runner would fail in a less orderly way."""
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
