"""Tuning from a terminal: a view while it runs, reports and an exit code when it ends."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from hpt_cli import clock
from hpt_cli.checks.interpreter import explain_missing_module
from hpt_cli.cli.console import print_message
from hpt_cli.cli.detach import DetachedView, detach
from hpt_cli.cli.load import read_summary
from hpt_cli.cli.next_steps import advise_success, name_run
from hpt_cli.cli.output import print_report
from hpt_cli.errors import ExitCode
from hpt_cli.executors import load_executor
from hpt_cli.formatting import count
from hpt_cli.live.output import Output, guard_outputs
from hpt_cli.live.tuner_log import TunerLog
from hpt_cli.live.views import LiveView, PlainView, QuietView
from hpt_cli.machine.capacity import Capacity
from hpt_cli.reports.show import render_failure
from hpt_cli.runtime.notify import Notifier
from hpt_cli.runtime.runner import Runner
from hpt_cli.runtime.signals import Signals, find_exit_code
from hpt_cli.runtime.view import View, Views
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.connection import TakenError
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.completion import has_no_value, is_fault_of_spec, may_go_on
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Summary, has_enough_results

LEAST_DESCRIPTORS = 8


@dataclass(frozen=True)
class Session:
    """The process of a tuner: its signals, its outputs, and what it shows."""

    signals: Signals
    outputs: Sequence[Output]
    plain: bool
    quiet: bool
    let_go: Callable[[], None] | None
    """What to call when a detached tuner is at work; None for one with a terminal."""

    def tune(
        self,
        jobdir: JobDir,
        spec: TuningSpec,
        state: TuningState,
        capacity: Capacity | None,
        requeued: Sequence[int] = (),
    ) -> int:
        """Tune on from a state until the tuning job ends; the caller holds the lock.

        Args:
            requeued: the training jobs that had failed, and are to run again.

        Returns:
            The exit code of the process.
        """
        notifier = Notifier(spec.notify, jobdir)
        was_killed = state.status in ("InProgress", "Stopping")
        recorded_until = state.last_event_at if was_killed else math.inf
        with (
            TunerLog(jobdir.tuner_log, self.outputs, recorded_until) as log,
            notifier,
            self.choose_view() as view,
        ):
            views = Views(view, log, notifier, *self._list_more_views(jobdir))
            executor = load_executor(spec.executor, spec.slurm)
            runner = Runner(spec, jobdir, executor, views, state, capacity, self.signals, requeued)
            try:
                _check_descriptors()
                state = runner.run()
            except Exception as error:
                log.write(f"the tuner ends: {error}", clock.now())
                if runner.alive and not isinstance(error, TakenError):
                    words = f"{count(runner.alive, 'training job')} may continue without a tuner"
                    print_message(f"{words}: {name_command('resume', jobdir)}")
                raise
            code = _find_exit_code(state, self.signals.first)
            self.signals.exit_with(code)
        for failure in notifier.failures:
            print_message(f"notify: {failure}")
        _print_results(jobdir, spec, state, quiet=self.quiet)
        return code

    def choose_view(self) -> QuietView:
        """Return the live screen for a terminal that can show it, else plain lines."""
        if self.quiet or self.let_go is not None:
            return QuietView()
        console = Console(stderr=True)
        dumb = os.environ.get("TERM", "dumb") == "dumb" or "CI" in os.environ
        if self.plain or dumb or not console.is_terminal:
            return PlainView(sys.stderr)
        return LiveView(console)

    def _list_more_views(self, jobdir: JobDir) -> list[View]:
        let_go = self.let_go
        if let_go is None:
            return []

        def take_leave() -> None:
            if self.quiet:
                print(jobdir.name)
            else:
                _print_background(jobdir)
            let_go()

        return [DetachedView(take_leave)]


@contextmanager
def open_session(*, plain: bool, quiet: bool, detached: bool) -> Iterator[Session]:
    """Make this process one that neither signals nor outputs end out of order.

    Args:
        detached: go on in another process, and end this one when that is tuning.
    """
    let_go = detach() if detached else None
    with Signals() as signals:
        yield Session(signals, guard_outputs(), plain, quiet, let_go)


def _check_descriptors() -> None:
    """Raise OSError here if there are too few left: the runner would fail in a less orderly way."""
    for descriptor in [os.open(os.devnull, os.O_RDONLY) for _ in range(LEAST_DESCRIPTORS)]:
        os.close(descriptor)


def _print_results(jobdir: JobDir, spec: TuningSpec, state: TuningState, *, quiet: bool) -> None:
    """Print the reports of a tuning job and what to do next."""
    summary = read_summary(jobdir)
    if not quiet:
        print_report("jobs", [summary], as_json=False)
        print()
        print_report("show", [summary], as_json=False)
        sys.stdout.flush()
    elif state.status == "Failed":
        Console(stderr=True).print(render_failure(summary))
    if state.status == "Failed" and spec.executor == "local":
        _print_missing_module(spec, summary)
    is_fault = is_fault_of_spec(spec, state)
    if not is_fault:
        _print_continuation(jobdir, spec, state, quiet=quiet)
    if state.status == "Failed" and has_no_value(spec, state):
        _print_new_start(jobdir, is_only_way=is_fault)
    if (
        state.status == "Failed"
        and summary.best is None
        and (hint := advise_success(jobdir, state))
    ):
        print_message(f"\n{hint}")
    if is_fault and state.jobs.count("Failed"):
        resume = name_command("resume", jobdir)
        print_message(f"\nif the command works by now as it is: {resume} --retry-failed")
    if state.status == "Completed" and not quiet:
        lines = [f"  {name_command(each, jobdir)}" for each in _list_next_commands(summary)]
        print_message("\n".join(["\nto look closer:", *lines]))


def _print_missing_module(spec: TuningSpec, summary: Summary) -> None:
    """Print why training jobs lack a module, where that is known."""
    words = [spec.command] if isinstance(spec.command, str) else spec.command
    lines = (line for row in summary.rows if row.status == "Failed" for line in row.tail)
    search_path = spec.environment.get("PATH") or os.environ.get("PATH")
    if why := explain_missing_module(lines, words, search_path):
        print_message(f"\n{why}")


def _print_continuation(
    jobdir: JobDir, spec: TuningSpec, state: TuningState, *, quiet: bool
) -> None:
    """Print how a tuning job continues, and runs again what failed."""
    resume, failed = name_command("resume", jobdir), state.jobs.count("Failed")
    if state.status == "Stopped" or (
        state.status == "Failed" and may_go_on(spec, state, state.last_event_at)
    ):
        print_message(f"\nto continue: {resume}")
    if failed and not (state.status == "Completed" and quiet):
        words = f"to run {count(failed, 'Failed training job')} again"
        print_message(f"\n{words}: {resume} --retry-failed")


def _print_new_start(jobdir: JobDir, *, is_only_way: bool) -> None:
    """Print how to begin a tuning job anew, with a spec that has been mended."""
    run = name_run(jobdir.source or jobdir.spec, jobdir)
    words = "resuming keeps the spec. Once" if is_only_way else "or, once"
    print_message(
        f"\n{words} the command or metric_definitions in the spec are mended, to start anew:\n"
        f"  {run} --name NEW\n"
        f"  or under the same name: {name_command('delete', jobdir)}, then {run}"
    )


def _print_background(jobdir: JobDir) -> None:
    """Print how to follow and to stop a tuner that has no terminal."""
    print_message(
        f"{jobdir.name} is being tuned in the background, by process {os.getpid()}\n"
        f"  follow it:   {name_command('watch', jobdir)}\n"
        f"  its log:     {name_command('logs', jobdir)} --tuner\n"
        f"  stop it:     {name_command('stop', jobdir)}"
    )


def _list_next_commands(summary: Summary) -> list[str]:
    """Return the commands that have something to show of a tuning job."""
    curves = ["curves"] if any(row.curve for row in summary.rows) else []
    importance = ["importance"] if has_enough_results(summary.rows) else []
    return [*curves, *importance, "report"]


def _find_exit_code(state: TuningState, interrupted_by: int | None) -> int:
    if interrupted_by is not None and state.status == "Stopped":
        return find_exit_code(interrupted_by)
    return ExitCode.OK if state.status == "Completed" else ExitCode.FAILED
