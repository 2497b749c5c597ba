"""What is said to Slurm, and what is made of its answers: text and values, no process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hpt_cli.executors import Exited, LaunchRequest, Lost, Outcome, Pending, Running, launcher
from hpt_cli.executors.attempt_files import Claim, Exit, read_claim, read_exit
from hpt_cli.executors.slurm import SlurmExecutor
from hpt_cli.executors.slurm.client import QueueSnapshot, SlurmClient
from hpt_cli.executors.slurm.commands import (
    WIDTHS,
    QueuedJob,
    is_temporary,
    name_job,
    read_accounting,
    read_queue,
    read_submitted,
    tidy_complaint,
    write_sbatch,
    write_script,
)
from hpt_cli.executors.slurm.outcome import Evidence, resolve_outcome
from hpt_cli.spec.parts import Slurm

CLAIM = Claim(pid=1, identity="boot:1", at=50.0, slurm_job=7)
NOW = 100.0


def know(state: str, status: int = 0, restarts: int = 0, reason: str = "") -> QueuedJob:
    return QueuedJob(7, "t-0001-a1-x", state, status, restarts, reason)


def end(code: int, signalled: bool = False) -> Exit:
    return Exit(code, 90.0, signalled)


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        # Slurm has not answered yet, or says that it is alive.
        (Evidence(), Pending()),
        (Evidence(CLAIM), Running(50.0, is_certain=False)),
        (Evidence(is_known=True, job=know("PENDING", reason="Priority")), Pending("Priority")),
        (Evidence(CLAIM, is_known=True, job=know("SUSPENDED")), Running(50.0, True)),
        # The command ended by itself: the file is believed, whatever Slurm says.
        (Evidence(CLAIM, end(0)), Exited(0, 90.0, since=50.0)),
        (Evidence(CLAIM, end(3), is_known=True), Exited(3, 90.0, since=50.0)),
        (Evidence(CLAIM, end(-15, True), stopped=True), Exited(-15, 90.0, since=50.0)),
        # It was killed: only Slurm knows by whom.
        (Evidence(CLAIM, end(-9)), Running(50.0, is_certain=False)),
        (
            Evidence(CLAIM, end(-11), is_known=True, job=know("FAILED", 139 << 8)),
            Exited(-11, 90.0, since=50.0),
        ),
        (
            Evidence(CLAIM, end(0, True), is_known=True, job=know("TIMEOUT")),
            Exited(0, 90.0, "Slurm: TIMEOUT, it exceeded its time limit", 50.0),
        ),
        (
            Evidence(CLAIM, end(1, True), is_known=True, job=know("PREEMPTED")),
            Lost("Slurm: PREEMPTED, it was preempted", evicted=True),
        ),
        (
            Evidence(CLAIM, end(-15, True), is_known=True, job=know("PENDING", restarts=1)),
            Lost("Slurm: REQUEUED; it will run again as another attempt", evicted=True),
        ),
        # There is no exit code.
        (
            Evidence(CLAIM, is_known=True, job=know("NODE_FAIL")),
            Lost("Slurm: NODE_FAIL, its node failed"),
        ),
        (
            Evidence(CLAIM, is_known=True, job=know("FAILED", 9)),
            Lost("it was killed, and left no exit code"),
        ),
        (
            Evidence(is_known=True, job=know("CANCELLED")),
            Exited(-15, NOW, "Slurm: CANCELLED, it was cancelled by someone"),
        ),
        (
            Evidence(is_known=True, job=know("CANCELLED"), stopped=True),
            Lost("it was stopped, and left no exit code"),
        ),
        (
            Evidence(is_known=True, job=know("FAILED", 1 << 8), output="no such module", seconds=2),
            Exited(1, NOW, "it failed before the command could start: no such module"),
        ),
        (
            Evidence(is_known=True, job=know("FAILED", launcher.GAVE_WAY << 8)),
            Lost("Slurm: REQUEUED; it will run again as another attempt", evicted=True),
        ),
        # Files of another node come late.
        (Evidence(CLAIM, is_known=True, job=know("COMPLETED"), seconds=5), Running(50.0)),
        (
            Evidence(CLAIM, is_known=True, job=know("COMPLETED"), seconds=11),
            Exited(0, NOW, since=50.0),
        ),
        (
            Evidence(CLAIM, is_known=True, job=know("FAILED", 3 << 8), seconds=11),
            Exited(3, NOW, since=50.0),
        ),
        # Slurm no longer knows it.
        (Evidence(CLAIM, is_known=True, seconds=5), Running(50.0)),
        (
            Evidence(CLAIM, is_known=True, seconds=11),
            Lost("Slurm no longer knows it, and it left no exit code"),
        ),
        (
            Evidence(
                CLAIM,
                is_known=True,
                output="slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.batch.",
                seconds=2,
            ),
            Exited(-9, NOW, "Slurm: OUT_OF_MEMORY, it exceeded its memory limit", 50.0),
        ),
        (
            Evidence(
                CLAIM,
                is_known=True,
                output="slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 10:00 DUE TO PREEMPTION",
                seconds=2,
            ),
            Lost("Slurm: PREEMPTED, it was preempted", evicted=True),
        ),
    ],
)
def test_judgement(evidence: Evidence, outcome: Outcome) -> None:
    assert resolve_outcome(evidence, NOW) == outcome


def test_squeue_s_answer_is_read_by_its_widths() -> None:
    values = ["12", "t-0001-a1-x", "PENDING", "0", "2", "Nodes are DOWN | or reserved"]
    line = "".join(value.ljust(width) for value, width in zip(values, WIDTHS.values(), strict=True))
    assert read_queue(f"\n{line}\nnonsense\n") == [
        QueuedJob(12, "t-0001-a1-x", "PENDING", 0, 2, "Nodes are DOWN | or reserved")
    ]


def test_sacct_s_answer_is_read() -> None:
    assert read_accounting(
        "7|CANCELLED by 1000|0:15|a|b\n8|FAILED|3:0|c\n7.batch|FAILED|3:0|\n"
    ) == [
        QueuedJob(7, "a|b", "CANCELLED", 15),
        QueuedJob(8, "c", "FAILED", 3 << 8),
    ]


def test_sbatch_s_answer_is_read() -> None:
    assert read_submitted("note of the site\n123;cluster\n") == 123
    with pytest.raises(ValueError, match="invalid literal"):
        read_submitted("thanks")


def test_an_attempt_s_name_is_its_directory_s(tmp_path: Path) -> None:
    name = name_job(Path("/home/me/.hpt/digits/jobs/0007/a1"))
    assert name.startswith("digits-0007-a1-")
    assert name_job(Path("/home/you/.hpt/digits/jobs/0007/a1")) != name


def test_a_submission_says_what_the_spec_does(tmp_path: Path) -> None:
    request = LaunchRequest(["x"], {}, Path("/w"), tmp_path / "100%", cpus=2, gpus=1, memory_gb=1.5)
    argv = write_sbatch(request, Slurm(time="1-00:00:00", extra=("--nice",)))
    expected = {"--time=1-00:00:00", "--gres=gpu:1", "--mem=1536M", "--cpus-per-task=2"}
    assert {*expected, f"--output={tmp_path}/100%%/slurm.out"} <= {*argv}
    assert argv[-1] == "--nice"
    assert write_script(["a", "b c"], ["module load x"]) == (
        "#!/bin/bash\nset -e\nmodule load x\nset +e\nexec a 'b c'\n"
    )


@pytest.mark.parametrize(
    ("complaint", "temporary"),
    [
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit", True),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv", True),
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", False),
        ("sbatch: error: invalid account or account/partition combination", False),
    ],
)
def test_what_may_be_over_later_is_told_from_what_will_not(complaint: str, temporary: bool) -> None:
    assert is_temporary(complaint) is temporary
    assert not tidy_complaint(complaint).startswith("sbatch")


def test_records_are_read_as_the_launcher_writes_them(tmp_path: Path) -> None:
    (tmp_path / launcher.CLAIM).write_text("12 boot:34")
    (tmp_path / launcher.EXIT).write_text("-15 1000.5 7.25 signalled")
    claim = read_claim(tmp_path)
    assert claim is not None
    assert (claim.pid, claim.identity, claim.slurm_job) == (12, "boot:34", None)
    assert read_exit(tmp_path, this_boot=False) == Exit(-15, 1000.5, True)
    (tmp_path / launcher.CLAIM).write_text("12 boot:34 77 2")
    claim = read_claim(tmp_path)
    assert claim is not None
    assert (claim.slurm_job, claim.restarts) == (77, 2)
    (tmp_path / launcher.EXIT).write_text("")
    assert read_exit(tmp_path, this_boot=False) is None


@pytest.mark.parametrize("listed_before", [True, False])
def test_what_timed_out_while_no_tuner_looked_ended_when_something_was_last_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed_before: bool
) -> None:
    executor = SlurmExecutor(Slurm())
    state = "RUNNING"

    def watch(self: SlurmClient, numbers: object, *, urgent: bool) -> QueueSnapshot:
        job = QueuedJob(7, name_job(tmp_path), state, 0, 0, "")
        return QueueSnapshot(time.monotonic(), frozenset({7}), {7: job})

    monkeypatch.setattr(SlurmClient, "watch", watch)
    (tmp_path / "launcher").write_text("1 boot:1 7 0")
    for name, at in (("launcher", 50), ("output.log", 60), ("slurm.out", 70)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
    handle = {"job": 7, "directory": str(tmp_path)}
    if listed_before:
        assert executor.poll([handle]) == [Running(50)]
    state = "TIMEOUT"
    monkeypatch.setattr("hpt_cli.executors.slurm.outcome.SETTLE_SECONDS", 0.0)
    (outcome,) = executor.poll([handle])
    assert isinstance(outcome, Exited)
    assert outcome.ended_at == (pytest.approx(time.time(), abs=60) if listed_before else 70)
