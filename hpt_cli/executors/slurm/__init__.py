"""The Slurm executor: training jobs as jobs of a Slurm cluster.

Every attempt is a batch job whose script becomes the same launcher as on this machine; its files,
on a file system that both sides see, tell when it began and how it ended. Slurm is asked for what
they do not tell: why a job waits, and why one disappeared. The handle is the Slurm job's number and
the attempt's directory. A directory can be claimed only once, so a job that was submitted twice, or
that Slurm started again, runs nothing twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hpt_cli import clock
from hpt_cli.errors import HptError
from hpt_cli.executors import (
    Exited,
    Handle,
    LaunchRequest,
    Lost,
    Outcome,
    Swept,
    TemporaryError,
    launcher,
)
from hpt_cli.executors.attempt_files import (
    Claim,
    Exit,
    is_of_this_boot,
    prepare,
    read_claim,
    read_exit,
)
from hpt_cli.executors.slurm import commands
from hpt_cli.executors.slurm.client import QueueSnapshot, SlurmClient, run
from hpt_cli.executors.slurm.outcome import ALIVE, Evidence, is_conclusive, resolve_outcome
from hpt_cli.executors.whereabouts import find_mark, is_copied
from hpt_cli.files import open_regular, read_regular
from hpt_cli.spec.parts import Slurm

OUTPUT_BYTES = 1 << 14
POLL_SECONDS = 0.25
MAX_POLL_SECONDS = 1.0
"""For hundreds of jobs on a shared file system; early stopping still acts within two seconds."""


@dataclass
class _Attempt:
    """What this executor remembers of a handle: its files and Slurm would not tell it again."""

    number: int
    directory: Path
    launched_in: Path
    """Where its files were then: they may have been moved since."""
    submitted_at: float = 0.0
    """On time.monotonic's clock; an older answer of Slurm does not include the job."""
    claim: Claim | None = None
    over_since: float | None = None
    stopped: bool = False
    was_alive: bool = False
    """Whether Slurm has said so to this executor."""
    verdict: Exited | Lost | None = None

    @cached_property
    def name(self) -> str:
        """The Slurm job's name, unique to the directory."""
        return commands.name_job(self.launched_in)

    def read_exit(self) -> Exit | None:
        """Return how its command ended; None if it has not, or if another job ran it."""
        if self.claim is None:
            claim = read_claim(self.directory)
            self.claim = claim if claim and claim.slurm_job == self.number else None
        if self.claim is None:
            return None
        return read_exit(self.directory, this_boot=is_of_this_boot(self.claim.identity))


class SlurmExecutor:
    """Submits, polls and cancels attempts."""

    attempts_are_children = False

    def __init__(self, settings: Slurm) -> None:
        self.poll_seconds = POLL_SECONDS
        self._settings = settings
        self._client = SlurmClient()
        self._attempts: dict[tuple[int, str], _Attempt] = {}

    def launch(self, request: LaunchRequest) -> Handle:
        """Submit an attempt."""
        prepare(request)
        command = [
            *(sys.executable, *launcher.OPTIONS, launcher.__file__),
            *(launcher.ALONE, repr(request.grace)),
            *([launcher.PTY] if request.pty else []),
            *(str(request.directory), str(request.working_directory)),
            *request.argv,
        ]
        script = commands.write_script(command, self._settings.setup)
        sbatch = commands.write_sbatch(request, self._settings)
        answer = run(sbatch, script, request.environment)
        try:
            number = commands.read_submitted(answer)
        except (ValueError, IndexError):
            message = f"sbatch gave an unexpected answer: {answer!r}"
            raise HptError.of("slurm-answer", message) from None
        launcher.write_whole(str(request.directory / commands.JOB_FILE), str(number))
        handle = _make_handle(number, request.directory)
        self._get_attempt(handle).submitted_at = time.monotonic()
        return handle

    def find(self, directory: Path) -> Handle | None:
        """Return the job that ran in a directory, else one submitted for it; None without."""
        if not directory.is_dir():
            return None  # it is made before anything is submitted
        claim = read_claim(directory)
        if claim is not None and claim.slurm_job is not None:
            return _make_handle(claim.slurm_job, directory)
        with suppress(FileNotFoundError, ValueError):
            return _make_handle(int(read_regular(directory / commands.JOB_FILE)), directory)
        which = f"--name={commands.name_job(directory)}"
        jobs = commands.read_queue(run(commands.write_squeue(os.getuid(), which)))
        # There are several where sbatch did submit, but its answer was lost: take a living one.
        jobs.sort(key=lambda job: (job.state not in ALIVE, job.number))
        return _make_handle(jobs[0].number, directory) if jobs else None

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        """Return the outcome of each attempt, by its files and Slurm's latest answer."""
        self.poll_seconds = min(MAX_POLL_SECONDS, POLL_SECONDS * max(1, len(handles) / 100))
        attempts = [self._get_attempt(handle) for handle in handles]
        for handle, each in zip(handles, attempts, strict=True):
            if is_copied(handle) and each.read_exit() is None:
                why = f"it was submitted for {each.launched_in}, of which this directory is a copy"
                each.verdict = Lost(why, evicted=True)
        live = [each for each in attempts if each.verdict is None]
        exits = [each.read_exit() for each in live]
        unexplained = {
            each.number: ended
            for each, ended in zip(live, exits, strict=True)
            if not is_conclusive(Evidence(exit=ended, stopped=each.stopped))
        }
        has_ended = any(ended is not None for ended in unexplained.values())
        answer = self._client.watch(unexplained, urgent=has_ended)
        outcomes: dict[int, Outcome] = {
            # By identity: an attempt changes, so it has no hash.
            id(each): self._resolve(each, ended, answer)
            for each, ended in zip(live, exits, strict=True)
        }
        return [each.verdict or outcomes[id(each)] for each in attempts]

    def stop(self, handle: Handle, *, force: bool) -> None:
        """Have the job signalled soon, or cancelled if it still waits in the queue."""
        if is_copied(handle):
            return  # the Slurm job is the original's
        attempt = self._get_attempt(handle)
        attempt.stopped = True
        self._client.send(commands.write_scancel(attempt.number, attempt.name, force=force))

    def pause(self, handle: Handle) -> None:
        """Refuse: a job that stands still keeps its allocation, so nothing could run instead.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def thaw(self, handle: Handle) -> None:
        """Refuse, as there is none to thaw.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        """Refuse, as none is paused.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def list_leftovers(self, handle: Handle) -> list[str]:  # noqa: ARG002
        """Return nothing: the launcher, and after it Slurm, end what is left of a job."""
        return []

    def sweep(self, handle: Handle, grace: float) -> Swept:  # noqa: ARG002
        """Return that there was nothing, as above."""
        return Swept()

    def pop_notes(self) -> list[str]:
        """Return messages about whether Slurm answers."""
        return self._client.pop_notes()

    def _get_attempt(self, handle: Handle) -> _Attempt:
        number, directory = int(handle["job"]), str(handle["directory"])
        attempt = _Attempt(number, Path(directory), find_mark(handle))
        return self._attempts.setdefault((number, directory), attempt)

    def _resolve(self, attempt: _Attempt, ended: Exit | None, answer: QueueSnapshot) -> Outcome:
        evidence = _gather_evidence(attempt, ended, answer)
        outcome = resolve_outcome(evidence, _find_end(attempt, evidence))
        if isinstance(outcome, (Exited, Lost)):
            attempt.verdict = outcome
        if isinstance(outcome, Lost) and evidence.job and evidence.job.state in ALIVE:
            # Slurm starts it again; it would only find its directory taken.
            self._client.send(commands.write_scancel(attempt.number, attempt.name, force=True))
        return outcome


def _find_end(attempt: _Attempt, evidence: Evidence) -> float:
    """Return when an attempt ended that has not written down its end, in seconds since the epoch.

    That is now, if it was alive a moment ago; otherwise when it, or Slurm, last printed something.
    """
    attempt.was_alive |= evidence.job is not None and evidence.job.state in ALIVE
    signs = [] if attempt.claim is None else [attempt.claim.at]
    for name in (launcher.LOG, commands.OUTPUT):
        with suppress(OSError):
            signs.append((attempt.directory / name).stat().st_mtime)
    return clock.now() if attempt.was_alive or not signs else min(max(signs), clock.now())


def _gather_evidence(attempt: _Attempt, ended: Exit | None, answer: QueueSnapshot) -> Evidence:
    """Return all that is known of an attempt; refresh its directory once Slurm says it is over."""
    job = answer.jobs.get(attempt.number)
    if job is not None and job.name != attempt.name:
        job = None  # another job has its number by now
    # Slurm not listing a job means that it is over, unless the question is older than the job.
    is_known = attempt.number in answer.numbers and answer.asked_at > attempt.submitted_at
    now = time.monotonic()
    if ended is None and not (is_known and (job is None or job.state not in ALIVE)):
        attempt.over_since = None
        return Evidence(attempt.claim, None, is_known, job, stopped=attempt.stopped)
    if attempt.over_since is None:
        attempt.over_since = now
    if ended is not None:
        # An older answer does not say why it ended.
        is_known = is_known and answer.asked_at > attempt.over_since
    if is_known:
        _refresh(attempt.directory)
    return Evidence(
        claim=attempt.claim,
        exit=ended,
        is_known=is_known,
        job=job,
        output=_read_end(attempt.directory / commands.OUTPUT) if is_known else "",
        stopped=attempt.stopped,
        seconds=now - attempt.over_since,
    )


def find_refusal(request: LaunchRequest, settings: Slurm | None) -> str:
    """Return why Slurm would refuse an attempt, by `sbatch --test-only`; empty if it would not."""
    sbatch = commands.write_sbatch(request, settings or Slurm())
    try:
        run([*sbatch, "--test-only"], "#!/bin/sh\n", request.environment)
    except (TemporaryError, HptError) as error:
        return str(error)
    return ""


def make_executor(settings: Slurm | None = None) -> SlurmExecutor:
    """Return a new Slurm executor."""
    return SlurmExecutor(settings or Slurm())


def _make_handle(number: int, directory: Path) -> Handle:
    return {"job": number, "directory": str(directory)}


def _refresh(directory: Path) -> None:
    """Make NFS look for new files: it caches for a while that there are none."""
    mark = directory / f".look.{time.monotonic_ns()}"
    with suppress(OSError):
        mark.touch()
        mark.unlink()


def _read_end(path: Path) -> str:
    with suppress(OSError), open_regular(path) as file:
        file.seek(max(0, file.seek(0, 2) - OUTPUT_BYTES))
        return file.read().decode(errors="replace")
    return ""
