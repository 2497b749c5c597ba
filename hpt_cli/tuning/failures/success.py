"""Whether an attempt succeeded: by its exit code, or by the `success` of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hpt_cli.formatting import describe_exit
from hpt_cli.tuning.failures.interruption import SHELL, find_signal
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState

if TYPE_CHECKING:  # its models take longer to import than a short report takes
    from hpt_cli.metrics.log_rules import Purpose
    from hpt_cli.spec.parts import Success


class Ending(NamedTuple):
    """Whether an attempt succeeded; and if not, why, where its exit code does not say it all."""

    succeeded: bool
    why: str = ""

    def describe_failure(self, exit_code: int) -> str:
        """Return why it failed, in words; empty if it succeeded."""
        code = "" if self.succeeded or not exit_code else describe_exit(exit_code)
        return f"{self.why} ({code})" if self.why and code else self.why or code


def list_awaited(success: Success | None) -> list[tuple[str, Purpose]]:
    """Return what is to be looked for in the output of an attempt, as log rules are."""
    return [(success.when, "succeed")] if success is not None and success.when else []


def find_trained(state: TuningState) -> list[TrainingJob]:
    """Return the jobs that are Failed, and had printed values of the objective."""
    metric = state.spec["objective_metric_name"]
    return [j for j in state.jobs.ended.values() if j.phase == "Failed" and j.curve(metric)]


def propose_codes(state: TuningState) -> list[int]:
    """Return the exit codes with which `success` would count the jobs that failed with values.

    Empty where it is given already, or where all of them were told to end, or to fail.
    """
    if state.spec.get("success") is not None:
        return []
    own = (job.attempts[-1].exit_code for job in find_trained(state) if not job.stop_request)
    codes = {_to_shell_code(code) for code in own if code and find_signal(code) is None}
    return [0, *sorted(codes)] if codes else []


def _to_shell_code(exit_code: int) -> int:
    return exit_code if exit_code >= 0 else SHELL - exit_code


def judge_end(success: Success | None, exit_code: int, why: str, *, has_text: bool) -> Ending:
    """Return whether an attempt succeeded.

    Args:
        exit_code: negative for a signal.
        why: why it failed whatever its exit code, if somebody else ended it. It succeeded all the
            same where its output says that it had come to its end.
        has_text: whether what `success.when` looks for was found in its output.
    """
    if success is None or (why and success.when is None):
        return Ending(exit_code == 0 and not why, why)
    if success.exit_codes is not None and _to_shell_code(exit_code) not in success.exit_codes:
        is_told = why or exit_code
        return Ending(False, why if is_told else "exit code 0 is none of success.exit_codes")
    if success.when is not None and not has_text:
        return Ending(False, why or f"'{success.when}' (success.when) is not in its output")
    return Ending(True)
