"""What to say to Slurm's commands, and what their answers mean. Text in, values out.

Works with what every Slurm since 2018 has: sbatch, squeue, scancel, and sacct where there is
accounting. Fixed widths rather than separators, as those may stand in what Slurm has to say.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpt_cli.executors import LaunchRequest
from hpt_cli.spec.model import Slurm

OUTPUT = "slurm.out"
"""What Slurm itself, and `setup`, have to say of an attempt; beside its log."""
JOB_FILE = "slurm"
"""Holds the number of the Slurm job that an attempt was submitted as."""

WIDTHS = {
    "JobID": 20,
    "Name": 200,
    "State": 24,
    "exit_code": 12,
    "RestartCnt": 12,
    "Reason": 120,
}
MAX_NAME = 190

TEMPORARY = re.compile(
    r"Unable to contact|timed out|Zero Bytes were transmitted|[Cc]onnection|[Cc]ommunication"
    r"|temporarily|MaxSubmit|MaxJobCount|job submit limit|munge|Munge|Protocol authentication error"
)
"""What Slurm says when the same request may be granted later: it is down or busy, or the user has
as many jobs as allowed."""

OF_ENCLOSING_JOB = re.compile(r"SLURM_(?!CONF$)|SBATCH_(MEM_BIND|ARRAY_INX$|WAIT$|TEST_ONLY$)")
"""Variables that a job finds about itself, which would make wrong options for another."""


@dataclass(frozen=True)
class QueuedJob:
    """A Slurm job, as squeue or sacct tells of it."""

    number: int
    name: str
    state: str
    status: int = 0
    """How its script ended, as wait(2) has it."""
    restarts: int = 0
    reason: str = ""


def name_job(directory: Path) -> str:
    """The name of the Slurm job for an attempt's directory: readable, and no other's."""
    digest = hashlib.sha256(str(directory).encode(errors="surrogateescape")).hexdigest()[:8]
    words = [*directory.parts[-4:-3], directory.parent.name, directory.name, digest]
    return "-".join(re.sub(r"[^\w.-]", "_", word) for word in words if word)[-MAX_NAME:]


def write_script(command: Sequence[str], setup: Iterable[str]) -> str:
    """The batch script of an attempt: it ends where its setup fails, and becomes the command."""
    return "\n".join(["#!/bin/bash", "set -e", *setup, "set +e", f"exec {shlex.join(command)}", ""])


def write_sbatch(request: LaunchRequest, settings: Slurm) -> list[str]:
    """How to submit an attempt whose script comes on stdin.

    The environment goes with it (`--export=ALL`) and stands in no file of ours. An attempt that
    Slurm takes its place from is not started again by Slurm but by the tuner, as another attempt.
    """
    output = str(request.directory / OUTPUT).replace("%", "%%")
    given = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "time": settings.time,
        "gres": settings.gres or (f"gpu:{request.gpus:g}" if request.gpus else None),
        "cpus-per-task": request.cpus,
        "mem": None if request.memory_gb is None else f"{math.ceil(request.memory_gb * 1024)}M",
        "constraint": settings.constraint,
    }
    return [
        *("sbatch", "--parsable", "--export=ALL", "--no-requeue", "--nodes=1", "--ntasks=1"),
        *(f"--job-name={name_job(request.directory)}", f"--output={output}", "--open-mode=append"),
        f"--chdir={request.working_directory}",
        *(f"--{option}={value}" for option, value in given.items() if value is not None),
        *settings.extra,
    ]


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what an enclosing Slurm job put into it."""
    return {name: value for name, value in environment.items() if not OF_ENCLOSING_JOB.match(name)}


def read_submitted(answer: str) -> int:
    """The number of the job that sbatch submitted.

    Raises:
        ValueError: there is none in its answer.
    """
    return int(answer.strip().splitlines()[-1].partition(";")[0])


def write_squeue(user: int, *which: str) -> list[str]:
    """How to ask for jobs of a user: the live ones, and those that ended minutes ago."""
    form = ",".join(f"{field}:{width}" for field, width in WIDTHS.items())
    return ["squeue", "--noheader", "--states=all", f"--user={user}", f"--Format={form}", *which]


def read_queue(answer: str) -> list[QueuedJob]:
    """The jobs that squeue tells of."""
    found = []
    for line in answer.splitlines():
        fields, start = [], 0
        for width in WIDTHS.values():
            fields.append(line[start : start + width].strip())
            start += width
        number, name, state, status, restarts, reason = fields
        if number.isdigit():
            counts = _read_number(status), _read_number(restarts)
            reason = "" if reason == "None" else reason
            found.append(QueuedJob(int(number), name, state, *counts, reason))
    return found


def write_sacct(numbers: Iterable[int]) -> list[str]:
    """How to ask the accounting for jobs that squeue knows no longer."""
    jobs = ",".join(map(str, numbers))
    form = "--format=JobIDRaw,State,ExitCode,JobName"
    return ["sacct", "--allocations", "--noheader", "--parsable2", form, f"--jobs={jobs}"]


def read_accounting(answer: str) -> list[QueuedJob]:
    """The jobs that sacct tells of."""
    found = []
    for line in answer.splitlines():
        number, state, code, name = [*line.split("|", 3), "", "", ""][:4]
        exit_code, _, signal = code.partition(":")
        if number.isdigit() and state:
            status = _read_number(exit_code) << 8 | _read_number(signal)
            found.append(QueuedJob(int(number), name, state.split()[0], status))
    return found


def _read_number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def write_scancel(number: int, name: str, *, force: bool) -> list[list[str]]:
    """How to have a job end: what waits is cancelled, what runs is signalled.

    `--full` reaches the launcher and all that it started. With `force` the launcher is told to kill
    all of that; should there be none any more, the cluster ends the job, after its own grace. The
    name tells the job from another one that has its number by now.
    """
    job = [f"--name={name}", str(number)]
    waiting = ["scancel", "--state=PENDING", *job]
    if force:
        return [waiting, ["scancel", "--batch", "--signal=USR2", *job], ["scancel", *job]]
    return [waiting, ["scancel", "--full", "--signal=TERM", *job]]


def is_temporary(complaint: str) -> bool:
    """Whether what a command of Slurm complains of may be over a little later."""
    return bool(TEMPORARY.search(complaint))


def tidy_complaint(complaint: str) -> str:
    """A command's complaint in one line, without its own name."""
    lines = (re.sub(r"^\w+: (error: )?", "", line) for line in complaint.splitlines())
    return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
