"""Whether a training job goes on after a pause: one is run on trial, and paused at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hpt_cli import executors as ex
from hpt_cli.checks.trial_run import wait_for_end
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.runtime.environment import JobContext, make_launch_request
from hpt_cli.storage.job_directory import AttemptDir

PAUSE_SECONDS = 1.0
"""How long it stands still."""
SETTLE_SECONDS = 0.5
"""Time after which nothing more is printed by what stands still."""


@dataclass(frozen=True)
class PauseTrial:
    """What came of it, in words; `goes_on` is None where that does not show."""

    goes_on: bool | None
    what: str


class _Attempt:
    """An attempt on trial, and the steps of the objective that it has printed."""

    def __init__(self, executor: ex.Executor, context: JobContext) -> None:
        self._executor = executor
        self._metric = context.spec.objective_metric_name
        request = make_launch_request(context)
        log = AttemptDir(request.directory).log
        extractors = context.spec.extractors
        self._tail = AttemptTail(extractors, log, request.directory.parent, 0.0, {})
        self.steps: list[float] = []
        self.handle = executor.launch(request)
        self._outcome: ex.Outcome = ex.Running()

    @property
    def has_succeeded(self) -> bool:
        """Whether it has ended, and with exit code 0."""
        return isinstance(self._outcome, ex.Exited) and self._outcome.exit_code == 0

    def read(self) -> bool:
        """Read what is new; return whether the attempt is over."""
        self._outcome = self._executor.poll([self.handle])[0]
        is_over = not isinstance(self._outcome, (ex.Pending, ex.Running))
        found = self._tail.read(final=is_over)
        self.steps += [each.step for each in found if each.metric == self._metric]
        return is_over

    def wait_for_step(self, seconds: float) -> bool:
        """Wait for another value; return whether one has come."""
        known, deadline = len(self.steps), time.monotonic() + seconds
        while not self.read() and len(self.steps) == known and time.monotonic() < deadline:
            time.sleep(self._executor.poll_seconds)
        return len(self.steps) > known

    def end(self) -> None:
        """End it, with all that it has started."""
        self._executor.stop(self.handle, force=False)
        wait_for_end(self._executor, self.handle)
        self.read()
        self._executor.sweep(self.handle, 0.0)


def try_pause(executor: ex.Executor, context: JobContext, seconds: float) -> PauseTrial:
    """Pause a training job by the spec's method after its first value; return what came of it.

    Args:
        context: of a first attempt, whose directories are there.
        seconds: how long to wait for a value.

    Raises:
        OSError: it could not be launched.
    """
    pausing = context.spec.pausing
    assert pausing is not None
    attempt = _Attempt(executor, context)
    try:
        if not attempt.wait_for_step(seconds):
            return PauseTrial(None, "it has printed no value to be paused after")
        if pausing.method == "signal":
            return _try_signal(executor, attempt, seconds)
    finally:
        attempt.end()
    return _try_checkpoint(
        attempt, lambda: _Attempt(executor, replace(context, attempt=2)), context, seconds
    )


def _try_signal(executor: ex.Executor, attempt: _Attempt, seconds: float) -> PauseTrial:
    executor.pause(attempt.handle)
    time.sleep(SETTLE_SECONDS)
    if attempt.read():
        return PauseTrial(None, "it had ended before it was paused")
    if attempt.wait_for_step(PAUSE_SECONDS):
        return PauseTrial(False, "it printed values while it was paused: it works elsewhere")
    executor.thaw(attempt.handle)
    if attempt.wait_for_step(seconds):
        return PauseTrial(True, f"it stood still for {PAUSE_SECONDS:g} s, and went on")
    if attempt.has_succeeded:
        return PauseTrial(None, "it went on after its pause, and ended without another value")
    return PauseTrial(False, "it printed no more value after it stood still for a moment")


def _try_checkpoint(
    first: _Attempt, begin: Callable[[], _Attempt], context: JobContext, seconds: float
) -> PauseTrial:
    if context.spec.counts_steps(context.spec.objective_metric_name):
        why = "its epochs are counted, so it does not show: print them, and read them with {step}"
        return PauseTrial(None, why)
    second = begin()
    try:
        has_value = second.wait_for_step(seconds)
    finally:
        second.end()
    if not has_value:
        return PauseTrial(False, "its second attempt printed no value")
    begun, left, again = first.steps[0], first.steps[-1], second.steps[0]
    if again > begun:
        return PauseTrial(True, f"it was stopped after epoch {left:g}, and went on with {again:g}")
    why = f"its second attempt began anew, with epoch {again:g}: it does not go on from what it"
    return PauseTrial(False, f"{why} finds in HPT_CHECKPOINT_DIR")
