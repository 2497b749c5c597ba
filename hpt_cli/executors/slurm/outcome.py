"""An attempt's outcome, resolved from its own files and from what Slurm says of its job. Pure.

The files come first: the exit code that a launcher wrote down without being asked to end counts,
whatever Slurm says. For others Slurm tells whether they lost their allocation, which is not the
job's fault, or exceeded a limit, which is.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from hpt_cli.executors import Exited, Lost, Outcome, Pending, Running, launcher
from hpt_cli.executors.attempt_files import Claim, Exit
from hpt_cli.executors.slurm.commands import QueuedJob

FILE_PATIENCE_SECONDS = 10.0
"""Time until a file written on another node is visible on this one (NFS)."""
SETTLE_SECONDS = 1.0
"""The same where Slurm has said why the job ended, so that the file adds little."""

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT")
ALIVE = (
    *WAITING,
    *("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"),
)

STANDING = ("SUSPENDED", "STOPPED")
"""States of jobs that stand still until somebody has them go on."""

OWN_FAULT = {
    "CANCELLED": "it was cancelled by someone",
    "TIMEOUT": "it exceeded its time limit",
    "DEADLINE": "it could not end before its deadline",
    "OUT_OF_MEMORY": "it exceeded its memory limit",
}
"""States of jobs that failed by themselves: another attempt would probably fail too."""

TAKEN_AWAY = {
    "PREEMPTED": ("it was preempted", True),
    "REVOKED": ("its allocation was revoked", True),
    "NODE_FAIL": ("its node failed", False),
    "BOOT_FAIL": ("its node failed to boot", False),
}
"""States of jobs that lost their allocation, and whether the job is certainly not at fault."""

CLUES = {
    "DUE TO TIME LIMIT": "TIMEOUT",
    "DUE TO PREEMPTION": "PREEMPTED",
    "DUE TO NODE FAILURE": "NODE_FAIL",
    "DUE TO JOB REQUEUE": "REQUEUED",
    "oom-kill": "OUT_OF_MEMORY",
    "oom_kill": "OUT_OF_MEMORY",
    "CANCELLED AT": "CANCELLED",
}
"""Text that Slurm writes into a job's output, and the state it stands for; specific ones first."""


REQUEUED = "Slurm: REQUEUED; it will run again as another attempt"


@dataclass(frozen=True)
class Evidence:
    """All that is known of a submitted attempt."""

    claim: Claim | None = None
    exit: Exit | None = None
    is_known: bool = False
    """Whether Slurm has answered since it was submitted, or since it ended."""
    job: QueuedJob | None = None
    """Its answer; None where it no longer knows the job."""
    output: str = ""
    """The end of what Slurm wrote into the job's output."""
    stopped: bool = False
    """Whether this executor asked it to end."""
    seconds: float = 0.0
    """Time since it ended, or became unknown to Slurm."""


def is_conclusive(evidence: Evidence) -> bool:
    """Return whether the attempt's own files tell how it ended, without asking Slurm."""
    ended = evidence.exit
    if ended is None:
        return False
    # A shell that runs the command reports a signal as 128 + its number.
    was_killed = ended.was_signalled or ended.exit_code < 0 or ended.exit_code > 128
    return evidence.stopped or not was_killed


def resolve_outcome(evidence: Evidence, now: float) -> Outcome:
    """Return the outcome of an attempt."""
    if is_conclusive(evidence):
        return _make_exited(evidence, now)
    if not evidence.is_known:
        return _stay_open(evidence)
    job, claim = evidence.job, evidence.claim
    # Slurm has started the job again since a launcher claimed the directory.
    if job is not None and job.restarts > (claim.restarts if claim else job.restarts):
        return Lost(REQUEUED, evicted=True)
    state = job.state if job is not None else find_clue(evidence.output)
    if state in ALIVE and job is not None:
        # Why it was killed may still come, as long as Slurm winds the job up; but not without end.
        waited = evidence.exit is not None and evidence.seconds > FILE_PATIENCE_SECONDS
        return _make_exited(evidence, now) if waited else _stay_open(evidence)
    if state in TAKEN_AWAY:
        what, evicted = TAKEN_AWAY[state]
        return Lost(f"Slurm: {state}, {what}", evicted=evicted)
    if state == "REQUEUED":
        return Lost(REQUEUED, evicted=True)
    is_settled = evidence.exit is not None or evidence.seconds >= SETTLE_SECONDS
    if state in OWN_FAULT and not evidence.stopped:
        if evidence.claim is not None and not is_settled:
            return _stay_open(evidence)
        return _make_exited(evidence, now, f"Slurm: {state}, {OWN_FAULT[state]}")
    if evidence.exit is not None:
        return _make_exited(evidence, now)
    return _resolve_without_exit(evidence, now)


def _stay_open(evidence: Evidence) -> Outcome:
    """Return that the attempt runs, or waits as far as is known."""
    if evidence.claim is not None:
        suspended = evidence.job is not None and evidence.job.state in STANDING
        known = evidence.is_known
        return Running(evidence.claim.at, is_suspended=suspended, is_certain=known)
    return Pending(evidence.job.reason if evidence.job and evidence.job.state in WAITING else "")


def _make_exited(evidence: Evidence, now: float, why: str = "") -> Exited:
    since = evidence.claim.at if evidence.claim else None
    if evidence.exit is None:
        code = -signal.SIGKILL if evidence.claim else -signal.SIGTERM
        return Exited(code, now, why, since)
    return Exited(evidence.exit.exit_code, evidence.exit.ended_at, why, since)


def _resolve_without_exit(evidence: Evidence, now: float) -> Outcome:
    """Return the outcome of an attempt that has ended for Slurm, but shows no exit code."""
    job = evidence.job
    status = job.status if job is not None else 0
    code = -(status & 0x7F) or status >> 8
    if evidence.stopped:
        return Lost("it was stopped, and left no exit code")
    if code < 0:
        return Lost("it was killed, and left no exit code")
    if code == launcher.GAVE_WAY:
        return Lost(REQUEUED, evicted=True)
    # A launcher that began, or a script that succeeded, must have left an exit code: it is waited
    # for longer than one of which there may be none.
    is_strange = evidence.claim is not None or code == 0
    if evidence.seconds < (FILE_PATIENCE_SECONDS if is_strange else SETTLE_SECONDS):
        return _stay_open(evidence)
    if job is None:
        return Lost("Slurm no longer knows it, and it left no exit code")
    if evidence.claim is not None:
        return Exited(code, now, since=evidence.claim.at)
    last = evidence.output.strip().splitlines()[-1:] or [f"exit code {code}"]
    return Exited(code or 1, now, f"it failed before the command could start: {last[0]}")


def find_clue(output: str) -> str:
    """Return a job's state from what Slurm wrote into its output; empty if it wrote nothing."""
    said = [line for line in output.splitlines() if re.match(r"slurmstepd\S*: ", line)]
    for words, state in CLUES.items():
        if any(words in line for line in said):
            return state
    return ""
