"""The real hpt on a pretended Slurm: what a single real node cannot show (tests/slurm has that)."""

from __future__ import annotations

import os
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal

FAKE = Path(__file__).parents[1] / "fake_slurm.py"


class Fake:
    """The pretended Slurm's folder."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal
        programs = folder / "bin"
        programs.mkdir(parents=True)
        for name in ("sbatch", "squeue", "scancel", "sacct"):
            program = programs / name
            program.write_text(f"#!{sys.executable} -S\n" + FAKE.read_text())
            program.chmod(0o755)
        terminal.environment["FAKE_SLURM"] = str(folder)
        terminal.environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def run(self, *plan: str, code: int = 0, **changes: Any) -> str:
        """A tuning job with this plan of what goes wrong; what hpt printed."""
        (self.folder / "plan").write_text("\n".join(plan))
        fields = {"executor": "slurm", "max_jobs": 2, "max_parallel_jobs": 2, **changes}
        return self.terminal.hpt("run", self.terminal.write_spec(**fields), code=code)

    def find_rows(self) -> list[Any]:
        """The rows of the results table, in the order of their numbers."""
        rows: list[Any] = self.terminal.json("jobs", "t")
        return sorted(rows, key=lambda row: row["training_job_number"])

    def count_jobs(self) -> int:
        """How many were ever submitted."""
        return len(list(self.folder.glob("*.job")))


@pytest.fixture
def fake(terminal: Terminal, tmp_path: Path) -> Fake:
    return Fake(tmp_path / "fake", terminal)


def test_a_limit_of_submissions_is_waited_out(fake: Fake) -> None:
    text = fake.run("2 refuse QOSMaxSubmitJobPerUserLimit", max_jobs=3)
    assert "launch delayed: QOSMaxSubmitJobPerUserLimit" in text
    assert [(row["training_job_status"], row["attempts"]) for row in fake.find_rows()] == [
        ("Completed", 1)
    ] * 3


def test_a_submission_whose_answer_was_lost_is_found_and_not_repeated(fake: Fake) -> None:
    fake.run("1 lose Socket timed out on send/recv operation")
    assert [(row["training_job_status"], row["attempts"]) for row in fake.find_rows()] == [
        ("Completed", 1)
    ] * 2
    assert fake.count_jobs() == 2


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ("end TIMEOUT", "Slurm: TIMEOUT, it exceeded its time limit"),
        ("end OUT_OF_MEMORY", "Slurm: OUT_OF_MEMORY, it exceeded its memory limit"),
        ("forget CANCELLED AT 2030-01-01 DUE TO TIME LIMIT", "Slurm: TIMEOUT"),
    ],
)
def test_what_a_job_is_to_blame_for_is_a_failure(fake: Fake, spoiled: str, reason: str) -> None:
    fake.run(f"1 {spoiled}", max_parallel_jobs=1)
    first, second = fake.find_rows()
    assert first["training_job_status"] == "Failed"
    assert first["failure_reason"].startswith(reason)
    assert "killed by SIGKILL" in first["failure_reason"]
    assert second["training_job_status"] == "Completed"


def test_a_failure_is_tried_again_by_policy(fake: Fake) -> None:
    fake.run("1 end TIMEOUT", max_jobs=1, retry={"max_attempts": 2, "when": ["TIMEOUT"]})
    (row,) = fake.find_rows()
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 2)


def test_what_nobody_is_to_blame_for_is_tried_again_as_often_as_it_takes(fake: Fake) -> None:
    ends = ["end PREEMPTED", "end NODE_FAIL", "end PREEMPTED", "end PREEMPTED"]
    fake.run(*(f"{number} {end}" for number, end in enumerate(ends, 1)), max_jobs=1)
    (row,) = fake.find_rows()
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 5)
    assert "was lost: Slurm: NODE_FAIL, its node failed" in row["notes"][1]


def test_nodes_that_fail_time_after_time_are_a_failure(fake: Fake) -> None:
    plan = [f"{number} end NODE_FAIL" for number in range(1, 4)]
    fake.run(*plan, max_jobs=1, code=1)
    (row,) = fake.find_rows()
    assert (row["training_job_status"], row["attempts"]) == ("Failed", 3)


def test_an_enclosing_job_and_secrets_stay_where_they_are(fake: Fake) -> None:
    environment = fake.terminal.environment
    environment |= {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "64", "SLURM_CONF": "/etc/slurm.conf"}
    environment |= {"SECRET": "hunter2", "SBATCH_ACCOUNT": "mine"}
    fake.run(environment={"TOKEN": "${SECRET}"}, slurm={"qos": "high", "extra": ["--nice=5"]})
    names = (fake.folder / "environment").read_text().split()
    assert {"SLURM_CONF", "SBATCH_ACCOUNT", "TOKEN"} <= {*names}
    assert not {"SLURM_JOB_ID", "SLURM_NTASKS"} & {*names}
    seen = (fake.folder / "seen").read_text()
    assert "--qos=high" in seen
    assert "--nice=5" in seen
    assert "hunter2" not in seen
    kept = [
        path.read_bytes()
        for path in (fake.terminal.directory / ".hpt").rglob("*")
        if path.is_file()
    ]
    assert not any(b"hunter2" in content for content in kept)


def test_slurm_is_asked_once_a_second_at_most(fake: Fake) -> None:
    fake.run(max_jobs=12, max_parallel_jobs=4, options="--seconds 0.2")
    times = [float(line) for line in (fake.folder / "asked").read_text().splitlines()]
    assert len(times) > 1
    assert all(after - before > 0.5 for before, after in pairwise(times))


def test_no_slurm_here_is_said(terminal: Terminal, tmp_path: Path) -> None:
    terminal.environment["PATH"] = str(Path(sys.executable).parent)
    text = terminal.hpt("run", terminal.write_spec(executor="slurm"), code=1)
    assert "there is no program 'sbatch' on the PATH" in text


def test_mistakes_in_slurm_s_fields_are_all_said(terminal: Terminal) -> None:
    slurm = {"partitoin": "gpu", "time": "1h", "extra": ["--output=x", "nice"], "gres": "gpu:1"}
    spec = terminal.write_spec(executor="slurm", slurm=slurm, resources={"gpus": 1})
    text = terminal.hpt("run", spec, code=2)
    for words in (
        "did you mean 'partition'?",
        "'1h' is not a time that Slurm understands",
        "--output is set by hpt itself",
        "'nice' is not an option of sbatch",
        "slurm.gres and resources.gpus both set the number of GPUs",
    ):
        assert words in text


def test_a_copy_leaves_the_jobs_of_the_original_alone(fake: Fake, terminal: Terminal) -> None:
    spec = terminal.write_spec(
        executor="slurm", max_jobs=1, max_parallel_jobs=1, options="--seconds 2 --epochs 3"
    )
    (fake.folder / "plan").touch()
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=1")
    shutil.copytree(terminal.directory / ".hpt", terminal.directory / "copy")
    said = terminal.hpt("stop", "t", "--home", "copy")
    assert "was submitted for" not in said
    (row,) = terminal.json("jobs", "t", "--home", "copy")
    assert row["training_job_status"] == "Stopped"
    assert fake.count_jobs() == 1
    assert run.wait(60) == 0
    (row,) = fake.find_rows()
    assert (row["training_job_status"], row["epochs"]) == ("Completed", 3)
