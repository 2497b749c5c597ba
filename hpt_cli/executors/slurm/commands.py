"""Slurm's command lines, and parsers of their output. Text in, values out.

Works with what every Slurm since 2018 has: sbatch, squeue, scancel, and sacct where there is
accounting. Columns have fixed widths, as a separator could be part of a field.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from hpt_cli.executors import LaunchRequest
from hpt_cli.executors.batch import KILL_ALL
from hpt_cli.spec.parts import Slurm

OUTPUT = "slurm.out"
"""File beside an attempt's log with the output of Slurm itself and of `setup`."""
JOB_FILE = "slurm"
"""File with the number of the Slurm job that an attempt was submitted as."""

WIDTHS = {"JobID": 20, "Name": 200, "State": 24, "exit_code": 12, "RestartCnt": 12, "Reason": 120}
"""The columns asked of squeue."""
MAX_NAME = 190

TEMPORARY = re.compile(
    r"Unable to contact|timed out|Zero Bytes were transmitted|[Cc]onnection|[Cc]ommunication"
    r"|temporarily|MaxSubmit|MaxJobCount|job submit limit|munge|Munge|Protocol authentication error"
)
"""Errors after which the same request may succeed later: Slurm is down or busy, or the user has as
many jobs as allowed."""

OF_ENCLOSING_JOB = re.compile(r"SLURM_(?!CONF$)|SBATCH_(MEM_BIND|ARRAY_INX$|WAIT$|TEST_ONLY$)")
"""Variables that Slurm sets in a job, which would become wrong options of another job."""


@dataclass(frozen=True)
class QueuedJob:
    """A Slurm job, as squeue or sacct reports it."""

    number: int
    name: str
    state: str
    status: int = 0
    """Exit status of its script, as wait(2) has it."""
    restarts: int = 0
    reason: str = ""


def name_job(directory: Path) -> str:
    """Return the Slurm job's name for an attempt's directory: readable and unique."""
    digest = hashlib.sha256(str(directory).encode(errors="surrogateescape")).hexdigest()[:8]
    # The directory is NAME/jobs/NUMBER/ATTEMPT.
    words = [*directory.parts[-4:-3], directory.parent.name, directory.name, digest]
    return "-".join(re.sub(r"[^\w.-]", "_", word) for word in words if word)[-MAX_NAME:]


def write_script(command: Sequence[str], setup: Iterable[str]) -> str:
    """Return the batch script of an attempt: exits if its setup fails, else execs the command."""
    return "\n".join(["#!/bin/bash", "set -e", *setup, "set +e", f"exec {shlex.join(command)}", ""])


def write_sbatch(request: LaunchRequest, settings: Slurm) -> list[str]:
    """Return the command that submits an attempt; its script is read from stdin.

    The environment goes along (`--export=ALL`) and is written to no file. An attempt that loses its
    allocation is started again not by Slurm but by the tuner, as another attempt.
    """
    # sbatch replaces patterns such as %j in file names.
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
    """Return an environment without the variables of an enclosing Slurm job."""
    return {name: value for name, value in environment.items() if not OF_ENCLOSING_JOB.match(name)}


def read_submitted(answer: str) -> int:
    """Return the number of the job that sbatch submitted.

    Raises:
        ValueError: its answer holds none.
    """
    # On a cluster of a federation, `;cluster` follows the number.
    return int(answer.strip().splitlines()[-1].partition(";")[0])


def write_squeue(user: int, *which: str) -> list[str]:
    """Return the command that lists jobs of a user, also those that ended minutes ago."""
    form = ",".join(f"{field}:{width}" for field, width in WIDTHS.items())
    return ["squeue", "--noheader", "--states=all", f"--user={user}", f"--Format={form}", *which]


def read_queue(answer: str) -> list[QueuedJob]:
    """Parse the output of squeue."""
    columns = [slice(*ends) for ends in pairwise(accumulate(WIDTHS.values(), initial=0))]
    found = []
    for line in answer.splitlines():
        number, name, state, status, restarts, reason = (line[each].strip() for each in columns)
        if number.isdigit():
            counts = _read_number(status), _read_number(restarts)
            reason = "" if reason == "None" else reason
            found.append(QueuedJob(int(number), name, state, *counts, reason))
    return found


def write_sacct(numbers: Iterable[int]) -> list[str]:
    """Return the command that asks the accounting for jobs that squeue no longer knows."""
    jobs = ",".join(map(str, numbers))
    form = "--format=JobIDRaw,State,ExitCode,JobName"
    return ["sacct", "--allocations", "--noheader", "--parsable2", form, f"--jobs={jobs}"]


def read_accounting(answer: str) -> list[QueuedJob]:
    """Parse the output of sacct."""
    found = []
    for line in answer.splitlines():
        number, state, code, name = [*line.split("|", 3), "", "", ""][:4]
        exit_code, _, signal = code.partition(":")
        if number.isdigit() and state:
            # As wait(2) has it, like the exit_code of squeue.
            status = _read_number(exit_code) << 8 | _read_number(signal)
            found.append(QueuedJob(int(number), name, state.split()[0], status))
    return found


def _read_number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def write_scancel(number: int, name: str, *, force: bool) -> list[list[str]]:
    """Return the commands that end a job: cancelled while it waits, signalled while it runs.

    `--full` reaches the launcher and all that it started. With `force` the launcher is told to kill
    all of that; if there is no launcher any more, the cluster ends the job, after its own grace.
    The name guards against another job that has the same number by now.
    """
    job = [f"--name={name}", str(number)]
    waiting = ["scancel", "--state=PENDING", *job]
    if force:
        return [waiting, ["scancel", "--batch", f"--signal={KILL_ALL}", *job], ["scancel", *job]]
    return [waiting, ["scancel", "--full", "--signal=TERM", *job]]


def is_temporary(complaint: str) -> bool:
    """Return whether a command that failed with this message may succeed later."""
    return bool(TEMPORARY.search(complaint))


def tidy_complaint(complaint: str) -> str:
    """Return a command's error message in one line, without the command's name."""
    lines = (re.sub(r"^\w+: (error: )?", "", line) for line in complaint.splitlines())
    return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
