"""The real hpt on a real Slurm of one node: what users do, and what happens to them."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal, wait_until
from tests.acceptance.test_pausing import CHECKPOINTS, NEVER
from tests.acceptance.warm import WarmHpt
from tests.slurm.conftest import Cluster

FIELDS = ("training_job_status", "final_objective_value", "epochs", "attempts", "hyperparameters")


class ClusterTerminal(Terminal):
    """A terminal on a login node; of each test's jobs none goes on after it."""

    def __init__(self, directory: Path, warm: WarmHpt, cluster: Cluster) -> None:
        super().__init__(directory, warm)
        self.cluster = cluster
        self.name = f"t{time.monotonic_ns() // 1000 % 10**9}"

    def write(self, **changes: Any) -> str:
        """A spec for Slurm, of a name that no other test has."""
        return self.write_spec(self.name, **{"executor": "slurm", **changes})

    def find_rows(self) -> list[Any]:
        """The rows of the results table, in the order of their numbers."""
        rows: list[Any] = self.json("jobs", self.name)
        return sorted(rows, key=lambda row: row["training_job_number"])

    def wait_for(self, number: int, text: str, attempt: int = 1) -> None:
        self.wait_for_log(self.name, number, text, attempt)

    def list_slurm_jobs(self) -> list[str]:
        """The names of this test's Slurm jobs, those that have ended among them."""
        return [name for name in self.cluster.list_jobs() if name.startswith(self.name)]

    def close(self) -> None:
        super().close()
        for line in self.cluster.run("squeue", "--noheader", "--format=%i %j").splitlines():
            number, name = line.split()
            if name.startswith(self.name):
                self.cluster.run("scancel", number)


@pytest.fixture
def terminal(tmp_path: Path, cluster: Cluster) -> Iterator[ClusterTerminal]:
    with WarmHpt() as warm:
        terminal = ClusterTerminal(tmp_path, warm, cluster)
        yield terminal
        terminal.close()


def interrupt_by_kill(run: Any) -> None:
    run.send_signal(signal.SIGKILL)
    run.wait()


def test_the_table_is_the_same_as_on_this_machine(terminal: ClusterTerminal) -> None:
    terminal.hpt("run", terminal.write(max_jobs=8, max_parallel_jobs=4))
    there = terminal.find_rows()
    assert len(terminal.list_slurm_jobs()) == 8
    terminal.hpt("run", f"{terminal.name}.yaml", "--name", "here", "--set", "executor=local")
    here = sorted(terminal.json("jobs", "here"), key=lambda row: row["training_job_number"])
    assert [[row[name] for name in FIELDS] for row in there] == [
        [row[name] for name in FIELDS] for row in here
    ]


def test_kill_9_and_resume_loses_and_doubles_nothing(terminal: ClusterTerminal) -> None:
    options = "--epochs 12 --seconds 0.25"
    run = terminal.start("run", terminal.write(max_jobs=6, max_parallel_jobs=3, options=options))
    terminal.wait_for(2, "epoch=3")
    interrupt_by_kill(run)
    terminal.wait_for(1, "epoch=12")
    terminal.hpt("resume", terminal.name)
    rows = terminal.find_rows()
    assert [(row["training_job_status"], row["epochs"], row["attempts"]) for row in rows] == [
        ("Completed", 12, 1)
    ] * 6
    assert len(terminal.list_slurm_jobs()) == 6
    for number in range(1, 7):
        assert terminal.log(terminal.name, number).read_text().count("epoch=1 ") == 1


@pytest.mark.parametrize("retry", [None, {"max_attempts": 2, "when": ["CANCELLED"]}])
def test_scancel_by_hand_is_a_failure_that_policy_may_try_again(
    terminal: ClusterTerminal, retry: Any
) -> None:
    options = "--epochs 8 --seconds 0.5"
    changes = {"retry": retry} if retry else {}
    run = terminal.start("run", terminal.write(max_jobs=2, options=options, **changes))
    terminal.wait_for(1, "epoch=1")
    terminal.cluster.run("scancel", terminal.cluster.find_number(f"{terminal.name}-0001"))
    run.communicate(timeout=60)
    first, second = terminal.find_rows()
    reason = "Slurm: CANCELLED, it was cancelled by someone (killed by SIGTERM)"
    if retry:
        assert (first["training_job_status"], first["attempts"]) == ("Completed", 2)
        assert first["notes"] == [f"attempt 1 failed: {reason}"]
    else:
        assert (first["training_job_status"], first["failure_reason"]) == ("Failed", reason)
    assert (second["training_job_status"], second["epochs"]) == ("Completed", 8)


def test_a_controller_that_goes_away_is_waited_for(terminal: ClusterTerminal) -> None:
    options = "--epochs 4 --seconds 0.5"
    run = terminal.start(
        "run", terminal.write(max_jobs=4, max_parallel_jobs=2, options=options), "--plain"
    )
    terminal.wait_for(2, "epoch=1")
    terminal.cluster.stop_controller()
    try:
        terminal.wait_for(2, "epoch=4")
        time.sleep(12)  # a command of Slurm itself tries for 9 s
        assert run.poll() is None
    finally:
        terminal.cluster.start()
    _, err = run.communicate(timeout=90)
    assert run.returncode == 0, err
    assert "Unable to contact slurm controller" in err
    rows = terminal.find_rows()
    assert [(row["training_job_status"], row["attempts"]) for row in rows] == [("Completed", 1)] * 4
    assert len(terminal.list_slurm_jobs()) == 4


def requeue(cluster: Cluster, number: str) -> None:
    cluster.run("scontrol", "update", f"job={number}", "requeue=1")
    cluster.run("scontrol", "requeue", number)


def preempt(cluster: Cluster, number: str) -> None:
    cluster.run(
        "sbatch", "--partition=urgent", "--exclusive", "--wrap=sleep 1", "--output=/dev/null"
    )


@pytest.mark.parametrize(("evict", "word"), [(requeue, "REQUEUED"), (preempt, "PREEMPTED")])
def test_a_job_whose_place_is_taken_runs_again(
    terminal: ClusterTerminal, evict: Callable[[Cluster, str], None], word: str
) -> None:
    options = "--epochs 8 --seconds 0.5"
    run = terminal.start("run", terminal.write(max_jobs=1, options=options))
    terminal.wait_for(1, "epoch=1")
    evict(terminal.cluster, terminal.cluster.find_number(terminal.name))
    run.communicate(timeout=90)
    assert run.returncode == 0
    (row,) = terminal.find_rows()
    assert (row["training_job_status"], row["attempts"], row["epochs"]) == ("Completed", 2, 8)
    assert f"attempt 1 was lost: Slurm: {word}" in row["notes"][0]
    assert "attempt 2" in terminal.log(terminal.name, 1, 2).read_text()


def test_a_job_that_makes_way_goes_on_from_its_checkpoint(terminal: ClusterTerminal) -> None:
    (terminal.directory / "train.py").write_text(CHECKPOINTS)
    spec = terminal.write(
        command=f"{Terminal.python()} train.py --x {{x}}",
        max_jobs=3,
        max_parallel_jobs=1,
        strategy="Random",
        early_stopping_type="Auto",
        early_stopping=NEVER,
        pausing={"method": "checkpoint"},
    )
    said = terminal.hpt("run", spec)
    assert f"{terminal.name}-0001 paused after" in said
    assert f"{terminal.name}-0001 submitted, attempt 2" in said
    rows = terminal.json("jobs", terminal.name, "--curves")
    assert [row["training_job_status"] for row in rows] == ["Completed"] * 3
    assert [[step for step, _ in row["curve"]] for row in rows] == [[*range(1, 13)]] * 3
    assert max(row["attempts"] for row in rows) == 2
    assert len(terminal.list_slurm_jobs()) == sum(row["attempts"] for row in rows)


def test_early_stopping_takes_less_than_two_seconds(terminal: ClusterTerminal) -> None:
    """From the line in the file to the end of the command, on a node."""
    script = terminal.directory / "stops.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    print('asked at', time.time(), flush=True); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('loss=1', flush=True); time.sleep(1)\n"
        "print('loss=nan, said at', time.time(), flush=True); time.sleep(60)\n"
    )
    command = f"{Terminal.python()} {script} {{x}}"
    rules = [{"pattern": "loss=nan", "action": "stop"}]
    terminal.hpt("run", terminal.write(command=command, log_rules=rules, max_jobs=1))
    words = terminal.log(terminal.name, 1).read_text().split()
    said, asked = (float(word) for word in words if word[:1].isdigit())
    assert asked - said < 2
    (row,) = terminal.find_rows()
    assert (row["training_job_status"], row["stop_reason"]) == ("Stopped", "LogRule")


def test_a_pending_job_says_why_and_is_cancelled_by_ctrl_c(terminal: ClusterTerminal) -> None:
    slurm = {"extra": ["--begin=now+1hour"]}
    run = terminal.start("run", terminal.write(max_jobs=1, slurm=slurm, max_job_runtime_seconds=1))
    wait_until(lambda: "BeginTime" in str(terminal.cluster.run("squeue", "--format=%j %r")))
    wait_until(lambda: [row["queue_reason"] for row in terminal.find_rows()] == ["BeginTime"])
    time.sleep(1.5)
    (row,) = terminal.find_rows()
    assert (row["training_job_status"], row["training_elapsed_time_seconds"]) == ("InProgress", 0)
    assert "Pending: BeginTime" in terminal.hpt("jobs", terminal.name)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert terminal.cluster.run("squeue", "--noheader", "--format=%j").count(terminal.name) == 0


def test_what_no_job_could_be_submitted_with_ends_hpt(terminal: ClusterTerminal) -> None:
    spec = terminal.write(slurm={"partition": "gpuu"})
    text = terminal.hpt("run", spec, code=1)
    assert "invalid partition specified: gpuu" in text.lower()
    assert "Slurm would reject a training job: sbatch" in terminal.hpt("check", spec)


def test_check_tries_a_job_where_it_would_run(terminal: ClusterTerminal) -> None:
    text = terminal.hpt("check", terminal.write(), "--try")
    assert "Slurm would not" not in text
    assert "4 values" in text
    assert "loss" in text
    assert list(terminal.directory.glob(".hpt-try-*")) == []


def test_a_job_gets_what_it_asks_for(terminal: ClusterTerminal) -> None:
    """Two GPUs are pretended: no two training jobs are on one at a time."""
    code = "import os, time; t = time.time(); time.sleep(0.5);"
    code += " print('loss=1', os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS'],"
    code += " os.environ['SLURM_CPUS_PER_TASK'], os.environ['SM_NUM_GPUS'], t, time.time())"
    resources = {"gpus": 1, "cpus": 2, "memory_gb": 0.5}
    command = [Terminal.python(), "-c", code, "{x}"]
    spec = terminal.write(command=command, resources=resources, max_jobs=6, max_parallel_jobs=4)
    terminal.hpt("run", spec)
    held: dict[str, list[tuple[float, float]]] = {}
    for number in range(1, 7):
        _, gpu, *cpus, begun, ended = terminal.log(terminal.name, number).read_text().split()
        assert cpus == ["2", "2", "1"]
        held.setdefault(gpu, []).append((float(begun), float(ended)))
    assert sorted(held) == ["0", "1"]
    for times in held.values():
        times.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(times))


def test_setup_runs_first_and_its_failure_is_the_job_s(terminal: ClusterTerminal) -> None:
    setup = ["export GREETING=hello", 'test -n "$GREETING"']
    command = f"{Terminal.python()} -c \"import os; print('loss=1', os.environ['GREETING'])\" {{x}}"
    terminal.hpt("run", terminal.write(command=command, slurm={"setup": setup}, max_jobs=1))
    assert terminal.log(terminal.name, 1).read_text() == "loss=1 hello\n"
    bad = terminal.write(slurm={"setup": ["echo no such module >&2; false"]}, max_jobs=1)
    terminal.hpt("run", bad, "--name", "bad", code=1)
    (row,) = terminal.json("jobs", "bad")
    assert row["failure_reason"] == (
        "it failed before the command could start: no such module (exit code 1)"
    )


WARNED = """
import signal, sys, time
for each in ("USR1", "USR2", "TERM"):
    signal.signal(getattr(signal, "SIG" + each), lambda number, _: print("got", number, flush=True))
print("loss=1", flush=True)
while not time.sleep(0.1): pass
"""


def test_signals_reach_the_command_once(terminal: ClusterTerminal) -> None:
    command = [terminal.python(), "-c", WARNED, "{x}"]
    run = terminal.start("run", terminal.write(command=command, max_jobs=1, stop_grace_seconds=0.5))
    terminal.wait_for(1, "loss=1")
    number = terminal.cluster.find_number(terminal.name)
    log = terminal.log(terminal.name, 1)
    expected = 0
    for which in ("--batch", "--full"):
        for name in ("USR1", "USR2", "TERM"):
            terminal.cluster.run("scancel", which, f"--signal={name}", number)
            expected += 1
            wait_until(lambda: log.read_text().count("got") >= expected, f"{which} {name}")  # noqa: B023
    time.sleep(0.5)
    assert log.read_text().count("got") == expected
    terminal.hpt("stop", terminal.name)
    run.wait(60)
    assert terminal.find_rows()[0]["training_job_status"] == "Stopped"


def test_what_a_command_leaves_is_ended_after_the_grace(terminal: ClusterTerminal) -> None:
    script = "(setsid env -i sleep 4321 > /dev/null 2>&1 &); echo loss={x}"
    spec = terminal.write(command=script, shell=True, max_jobs=1, stop_grace_seconds=0.5)
    terminal.hpt("run", spec)
    terminal.wait_for(1, "outlived the job and was killed: sleep (pid ")
    wait_until(lambda: not terminal.cluster.list_jobs("--states=running,completing"), "its end")
