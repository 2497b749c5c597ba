"""What became of an attempt: judged from its own files and from what Slurm says of its job. Pure.

The files come first: a launcher that wrote down an exit code, and was not asked to end, is believed
whatever Slurm says or does not know any more. Slurm is asked about the others: whether their place
was taken away, which is nobody's fault, or they went beyond what they may, which is the job's own.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from hpt_cli.executors import Exited, Lost, Outcome, Pending, Running, launcher
from hpt_cli.executors.attempt_files import Claim, Exit
from hpt_cli.executors.slurm.commands import QueuedJob

FILE_PATIENCE_SECONDS = 10.0
"""How long a file that was written on another node may take to be seen on this one (NFS)."""
SETTLE_SECONDS = 1.0
"""The same where Slurm has said why the job is over, so that the file adds little."""

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT")
ALIVE = (
    *WAITING,
    *("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"),
)

OWN_FAULT = {
    "CANCELLED": "somebody cancelled it",
    "TIMEOUT": "it took longer than its time limit",
    "DEADLINE": "it would have ended after its deadline",
    "OUT_OF_MEMORY": "it took more memory than it may",
}
"""States of jobs that failed: another attempt would probably fare no better."""

TAKEN_AWAY = {
    "PREEMPTED": ("it was preempted", True),
    "REVOKED": ("its place was revoked", True),
    "NODE_FAIL": ("its node failed", False),
    "BOOT_FAIL": ("its node did not boot", False),
}
"""States of jobs that lost their place, and whether that says nothing about the job."""

CLUES = {
    "DUE TO TIME LIMIT": "TIMEOUT",
    "DUE TO PREEMPTION": "PREEMPTED",
    "DUE TO NODE FAILURE": "NODE_FAIL",
    "DUE TO JOB REQUEUE": "REQUEUED",
    "oom-kill": "OUT_OF_MEMORY",
    "oom_kill": "OUT_OF_MEMORY",
    "CANCELLED AT": "CANCELLED",
}
"""What Slurm writes into a job's output, and the state that it tells; the sharper ones first."""


REQUEUED = "Slurm: REQUEUED; it runs again as another attempt"


@dataclass(frozen=True)
class Evidence:
    """All that is known of an attempt that was submitted."""

    claim: Claim | None = None
    exit: Exit | None = None
    is_known: bool = False
    """Whether Slurm has answered since it was submitted, or since it ended."""
    job: QueuedJob | None = None
    """What it said; None where it knows the job no longer."""
    output: str = ""
    """The end of what Slurm wrote into the job's output."""
    stopped: bool = False
    """Whether it was this executor that asked it to end."""
    seconds: float = 0.0
    """How long it has been over, or unknown to Slurm."""


def is_beyond_doubt(evidence: Evidence) -> bool:
    """Whether the attempt's own files are enough."""
    ended = evidence.exit
    if ended is None:
        return False
    was_killed = ended.was_signalled or ended.exit_code < 0 or ended.exit_code > 128
    return evidence.stopped or not was_killed


def resolve_outcome(evidence: Evidence, now: float) -> Outcome:
    """What became of an attempt."""
    if is_beyond_doubt(evidence):
        return _end(evidence, now)
    if not evidence.is_known:
        return _go_on(evidence)
    job, claim = evidence.job, evidence.claim
    if job is not None and job.restarts > (claim.restarts if claim else job.restarts):
        return Lost(REQUEUED, evicted=True)
    state = job.state if job is not None else find_clue(evidence.output)
    if state in ALIVE and job is not None:
        waited = evidence.exit is not None and evidence.seconds > FILE_PATIENCE_SECONDS
        return _end(evidence, now) if waited else _go_on(evidence)
    if state in TAKEN_AWAY:
        what, evicted = TAKEN_AWAY[state]
        return Lost(f"Slurm: {state}, {what}", evicted=evicted)
    if state == "REQUEUED":
        return Lost(REQUEUED, evicted=True)
    is_settled = evidence.exit is not None or evidence.seconds >= SETTLE_SECONDS
    if state in OWN_FAULT and not evidence.stopped:
        if evidence.claim is not None and not is_settled:
            return _go_on(evidence)
        return _end(evidence, now, f"Slurm: {state}, {OWN_FAULT[state]}")
    if evidence.exit is not None:
        return _end(evidence, now)
    return _judge_without_exit(evidence, now)


def _go_on(evidence: Evidence) -> Outcome:
    """It waits, it runs, or it is not known any better."""
    if evidence.claim is not None:
        return Running(since=evidence.claim.at)
    return Pending(evidence.job.reason if evidence.job and evidence.job.state in WAITING else "")


def _end(evidence: Evidence, now: float, why: str = "") -> Exited:
    since = evidence.claim.at if evidence.claim else None
    if evidence.exit is None:
        code = -signal.SIGKILL if evidence.claim else -signal.SIGTERM
        return Exited(code, now, why, since)
    return Exited(evidence.exit.exit_code, evidence.exit.ended_at, why, since)


def _judge_without_exit(evidence: Evidence, now: float) -> Outcome:
    """Slurm says that it is over, or knows it no longer, and no exit code is to be seen."""
    job = evidence.job
    status = job.status if job is not None else 0
    code = -(status & 0x7F) or status >> 8
    if evidence.stopped:
        return Lost("it was stopped, and left no exit code")
    if code < 0:
        return Lost("it was killed, and left no exit code")
    if code == launcher.GAVE_WAY:
        return Lost(REQUEUED, evicted=True)
    is_strange = evidence.claim is not None or code == 0
    if evidence.seconds < (FILE_PATIENCE_SECONDS if is_strange else SETTLE_SECONDS):
        return _go_on(evidence)
    if job is None:
        return Lost("Slurm knows it no longer, and it left no exit code")
    if evidence.claim is not None:
        return Exited(code, now, since=evidence.claim.at)
    last = evidence.output.strip().splitlines()[-1:] or [f"exit code {code}"]
    return Exited(code or 1, now, f"it failed before the command could start: {last[0]}")


def find_clue(output: str) -> str:
    """The state of a job, from what Slurm wrote into its output; empty if it wrote nothing."""
    said = [line for line in output.splitlines() if re.match(r"slurmstepd\S*: ", line)]
    for words, state in CLUES.items():
        if any(words in line for line in said):
            return state
    return ""
