"""Cores and GPUs of training jobs, on this machine and with an nvidia-smi that is made up."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import HPT, Terminal, wait_until

HOLDER = Path(__file__).parent / "holder.py"
SMI = """#!/bin/sh
case "$1" in
  --query-gpu=*) cat {directory}/gpus;;
  --query-compute-apps=*) cat {directory}/apps;;
esac
"""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
pytestmark = pytest.mark.skipif(not CORES, reason="the system holds no process to cores")


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        terminal.environment.pop(name, None)
    return terminal


def write_spec(terminal: Terminal, options: str = "", **changes: Any) -> str:
    command = f"{sys.executable} {HOLDER} --x {{x}} {options}"
    return terminal.write_spec(**{"command": command, "max_parallel_jobs": None, **changes})


def pretend_gpus(terminal: Terminal, *used: int, apps: str = "") -> None:
    """Put an nvidia-smi on the PATH that knows of GPUs of 8 GiB."""
    binaries = terminal.directory / "bin"
    binaries.mkdir(exist_ok=True)
    smi = binaries / "nvidia-smi"
    smi.write_text(SMI.format(directory=terminal.directory))
    smi.chmod(0o755)
    lines = [f"{index}, GPU-{index}{index}, {each}, 8192" for index, each in enumerate(used)]
    for name, text in (("gpus.new", "\n".join(lines)), ("apps.new", apps)):
        path = terminal.directory / name
        path.write_text(text + "\n")
        path.rename(path.with_suffix(""))
    terminal.environment["PATH"] = f"{binaries}:{os.environ['PATH']}"


def find_clashes(terminal: Terminal) -> str:
    path = terminal.directory / "clashes"
    return path.read_text() if path.exists() else ""


def test_as_many_run_as_fit_each_on_cores_of_its_own(terminal: Terminal) -> None:
    spec = write_spec(terminal, "--seconds 0.3", max_jobs=6, resources={"cpus": 1})
    terminal.hpt("run", spec)
    rows = terminal.json("jobs", "t")
    assert {len(row["cores"]) for row in rows} == {1}
    assert len({row["cores"][0] for row in rows}) == min(CORES, 6)
    assert find_clashes(terminal) == ""
    log = terminal.log("t", 1).read_text()
    assert f"cores {rows[0]['cores'][0]} gpus" in log
    assert "OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 SM_NUM_CPUS=1" in log
    assert "cores" in terminal.hpt("jobs", "t", "--wide").splitlines()[0]


def test_what_the_user_sets_wins(terminal: Terminal) -> None:
    own = {"OMP_NUM_THREADS": "7", "CUDA_VISIBLE_DEVICES": "3,4"}
    resources = {"cpus": 1}
    spec = write_spec(terminal, max_jobs=1, resources=resources, gpus=[0], environment=own)
    terminal.hpt("run", spec)
    log = terminal.log("t", 1).read_text()
    assert "gpus 3,4 OMP_NUM_THREADS=7 MKL_NUM_THREADS=1 SM_NUM_CPUS=1 SM_NUM_GPUS=2" in log


def test_no_two_jobs_are_on_one_gpu_whatever_happens(terminal: Terminal) -> None:
    spec = write_spec(
        terminal,
        "--seconds 0.06 --trouble 0.3",
        max_jobs=40,
        gpus=[0, 1],
        max_parallel_jobs=2,
        retry={"max_attempts": 3},
        stop_grace_seconds=1,
    )
    run = terminal.start("run", spec)
    jobs = terminal.directory / ".hpt" / "t" / "jobs"
    for number in (6, 14, 26):
        wait_until((jobs / f"{number:04}").exists, f"training job {number}")
        terminal.start("stop", "t", str(number)).communicate()  # which may have ended by itself
        time.sleep(random.uniform(0, 0.5))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        run = terminal.start("resume", "t")
    run.communicate(timeout=120)
    rows = terminal.json("jobs", "t")
    assert len(rows) == 40
    assert any(row["attempts"] > 1 for row in rows)
    assert {tuple(row["gpus"]) for row in rows} == {("0",), ("1",)}
    assert find_clashes(terminal) == ""


def test_jobs_share_a_gpu_that_is_detected(terminal: Terminal) -> None:
    pretend_gpus(terminal, 10, 10)
    terminal.environment["CUDA_VISIBLE_DEVICES"] = "1"
    spec = write_spec(
        terminal, "--seconds 0.4 --jobs-per-gpu 2", max_jobs=6, resources={"gpus": 0.5}
    )
    text = terminal.hpt("check", spec)
    assert "0.5 of a GPU each, of 1\n  2 training jobs at once" in text
    assert "CUDA_VISIBLE_DEVICES=1" not in text, "it is so already"
    terminal.hpt("run", spec)
    assert {tuple(row["gpus"]) for row in terminal.json("jobs", "t")} == {("1",)}
    assert find_clashes(terminal) == ""


def test_gpus_that_others_use_are_waited_for(terminal: Terminal) -> None:
    pretend_gpus(terminal, 5000, 10, apps="GPU-11, 1")
    spec = write_spec(terminal, max_jobs=2, resources={"gpus": 1}, avoid_busy_gpus=True)
    run = terminal.start("run", spec)
    journal = terminal.directory / ".hpt" / "t" / "journal.sqlite"
    wait_until(journal.exists, "a journal")
    wait_until(lambda: terminal.json("show", "t")["warnings"] != [], "a warning")
    (warning,) = terminal.json("show", "t")["warnings"]
    assert warning["message"] == "training jobs are waiting for GPUs in use by others: 0, 1"
    pretend_gpus(terminal, 5000, 10)
    assert run.wait(60) == 0
    assert {tuple(row["gpus"]) for row in terminal.json("jobs", "t")} == {("1",)}


def test_memory_that_a_killed_job_leaves_in_use_is_said(terminal: Terminal) -> None:
    pretend_gpus(terminal, 10)
    spec = write_spec(
        terminal, "--seconds 600", max_jobs=1, resources={"gpus": 1}, stop_grace_seconds=0.2
    )
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "gpus 0")
    pretend_gpus(terminal, 3072, apps=f"GPU-00, {run.pid}")
    terminal.hpt("stop", "t", "1")
    _, said = run.communicate(timeout=60)
    assert "t-0001 started, GPU 0: " in said
    assert "t-0001: still in use: GPU 0, " in said
    (row,) = terminal.json("jobs", "t")
    (note,) = row["notes"]
    assert note.startswith("still in use: GPU 0, 3.0 of 8.0 GiB by ")


def test_stopping_needs_no_gpus(terminal: Terminal) -> None:
    pretend_gpus(terminal, 10)
    spec = write_spec(terminal, "--seconds 600", max_jobs=1, resources={"gpus": 1})
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "gpus 0")
    run.kill()
    run.communicate()
    (terminal.directory / "gpus").write_text("")
    terminal.hpt("stop", "t")
    (row,) = terminal.json("jobs", "t")
    assert row["training_job_status"] == "Stopped"


def test_another_machine_hands_out_what_it_has(terminal: Terminal) -> None:
    pretend_gpus(terminal, 10)
    spec = write_spec(terminal, "--seconds 600", max_jobs=1, resources={"gpus": 1})
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "gpus 0")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    (terminal.directory / "gpus").write_text("")
    text = terminal.hpt("resume", "t", code=2)
    assert "resources.gpus: a training job needs 1 GPU; there are 0" in text
    (terminal.directory / "gpus").write_text("5, GPU-55, 10, 8192\n")
    run = terminal.start("resume", "t")
    log = terminal.directory / ".hpt" / "t" / "jobs" / "0001" / "a2" / "output.log"
    wait_until(lambda: log.exists() and "gpus 5" in log.read_text(), "the second attempt")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_can_never_fit_is_refused(terminal: Terminal, command: str) -> None:
    pretend_gpus(terminal, 10)
    resources = {"cpus": 5000, "gpus": 3, "memory_gb": 1e6}
    spec = write_spec(terminal, resources=resources, gpus=[0, 7], objective_metric_name="los")
    lines = (terminal.directory / spec).read_text().splitlines()
    text = terminal.hpt(command, spec, code=2)
    for field, words in (
        ("  cpus: 5000", f"a training job needs 5000 cores; only {CORES} available"),
        ("  gpus: 3", "a training job needs 3 GPUs; there are 2: 0, 7"),
        ("  memory_gb: ", "a training job needs 1e+06 GiB of memory; the machine has"),
    ):
        line = next(place for place, each in enumerate(lines, 1) if each.startswith(field))
        column = field.index(":") + 3
        assert f"{spec}:{line}:{column}: " in text
        assert words in text
    assert "there is no GPU 7; there are: 0" in text
    assert "did you mean 'loss'?" in text
    assert not (terminal.directory / ".hpt" / "t").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resources": {"cpu": 1, "cpus": 1}}, "did you mean 'cpus'?"),
        ({"resources": {}}, "resources is empty: it needs one of cpus, gpus, memory_gb"),
        ({"resources": {"gpus": 1.5}}, "must be a whole number, or less than 1 to share a GPU"),
        ({"avoid_busy_gpus": True}, "avoid_busy_gpus only applies to training jobs that need GPUs"),
        ({"gpus": [0, 0]}, "the GPU 0 is listed twice"),
        ({"gpus": ["0,1"]}, "must be a number or a UUID"),
        ({"gpus": [0], "executor": "slurm"}, "on a cluster, Slurm chooses them"),
        ({"resources": {"gpus": 0.5}, "executor": "slurm"}, "Slurm allocates whole GPUs"),
        ({"gpus": [0], "resources": {"gpus": 0}}, "GPUs are listed, but training jobs need none"),
    ],
)
def test_mistakes_in_resources_are_explained(
    terminal: Terminal, fields: dict[str, Any], words: str
) -> None:
    assert words in terminal.hpt("check", write_spec(terminal, **fields), code=2)


def write_leaving_spec(terminal: Terminal, **changes: Any) -> str:
    """A command that starts a training in the background, with nothing of its environment."""
    script = "echo loss={x}; (setsid env -i sleep 300 > /dev/null 2>&1 &); exit 0"
    fields = {"command": script, "shell": True, "max_jobs": 2, "resources": {"cpus": 1}}
    return terminal.write_spec(**(fields | changes))


def find_left(terminal: Terminal) -> list[psutil.Process]:
    launchers = [each.pid for each in terminal.find_processes()]
    found = psutil.process_iter(["ppid", "name"])
    return [each for each in found if each.info["ppid"] in launchers and is_sleep(each)]


def is_sleep(process: psutil.Process) -> bool:
    return process.info["name"] == "sleep"


def test_what_a_successful_command_leaves_holds_its_core_and_is_ended(terminal: Terminal) -> None:
    run = terminal.start(
        "run", write_leaving_spec(terminal, max_parallel_jobs=1, stop_grace_seconds=0.5)
    )
    most = 0
    while run.poll() is None:
        most = max(most, len(find_left(terminal)))
        time.sleep(0.02)
    assert run.wait() == 0
    assert most == 1, "the next job began before it was gone"
    rows = terminal.json("jobs", "t")
    assert [row["training_job_status"] for row in rows] == ["Completed"] * 2
    notes = [note for row in rows for note in row["notes"]]
    assert len(notes) == 2
    assert all(note.startswith("outlived the job and was killed: sleep (pid ") for note in notes)
    wait_until(lambda: terminal.find_processes() == [], "the end of the launchers")


def test_what_a_command_leaves_lives_on_where_the_spec_says_so(terminal: Terminal) -> None:
    terminal.hpt("run", write_leaving_spec(terminal, children="keep"))
    left = find_left(terminal)
    try:
        assert len(left) == 2
        found = next(line for line in terminal.hpt("doctor").splitlines() if "processes" in line)
        assert found.count("left running (children: keep): sleep") == 2
        notes = [note for row in terminal.json("jobs", "t") for note in row["notes"]]
        assert all(note.startswith("left running (children: keep): ") for note in notes)
        # Its name is as it was when the training job ended, and that may be before `env` was sleep.
        assert {note.partition("(pid ")[2] for note in notes} == {f"{each.pid})" for each in left}
        assert "training jobs left running: sleep" in terminal.hpt("delete", "t", "--yes", code=1)
        text = terminal.hpt("stop", "t", "1")
        assert "t-0001 is already Completed\nended what was left running: sleep" in text
        assert text.count("sleep") == 1
        assert "ended what was left running: sleep" in terminal.hpt("stop", "t")
        assert not any(each.is_running() for each in left)
        assert terminal.hpt("stop", "t") == "t is already Completed\n"
        terminal.hpt("delete", "t", "--yes")
    finally:
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def test_each_running_job_has_a_slot_of_its_own_which_a_resume_keeps(terminal: Terminal) -> None:
    """Each job makes a file of its slot, which another with the same slot would find."""
    script = (
        'mkdir "slot-$HPT_SLOT" && trap "rmdir slot-$HPT_SLOT" EXIT;'
        ' echo "slot=$HPT_SLOT loss=$((HPT_TRAINING_JOB_NUMBER * 2))"; sleep .3'
    )
    spec = terminal.write_spec(
        command=["bash", "-ec", script, "{x}"],
        metric_definitions=[
            {"name": "loss", "regex": "loss=({num})"},
            {"name": "slot", "regex": "slot=({num})"},
        ],
        max_jobs=9,
        max_parallel_jobs=3,
    )
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 4, "loss")
    run.kill()
    run.wait()
    terminal.hpt("resume", "t")
    rows = terminal.json("jobs", "t")
    assert [row["final_objective_value"] for row in rows] == list(range(2, 20, 2))
    slots = [int(terminal.log("t", number).read_text()[len("slot=")]) for number in range(1, 10)]
    assert sorted(slots[:3]) == [0, 1, 2]
    assert set(slots) == {0, 1, 2}


def test_two_tuning_jobs_do_not_meet(terminal: Terminal) -> None:
    names = ["one", "two"]
    fields: dict[str, Any] = {"resources": {"cpus": 1}, "max_jobs": 6}
    specs = [write_spec(terminal, "--seconds .2", name=name, **fields) for name in names]
    runs = [terminal.start("run", spec, "--quiet") for spec in specs]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert find_clashes(terminal) == ""
    for name in names:
        rows = terminal.json("jobs", name)
        assert {row["training_job_status"] for row in rows} == {"Completed"}


def test_a_job_that_outlives_its_tuner_holds_its_cores_until_it_ends(terminal: Terminal) -> None:
    fields: dict[str, Any] = {"resources": {"cpus": CORES}, "max_jobs": 1}
    command = ["sh", "-c", "echo begun; until [ -e go ]; do sleep .05; done; echo loss=1", "{x}"]
    run = terminal.start("run", terminal.write_spec("one", command=command, **fields))
    terminal.wait_for_log("one", 1, "begun")
    run.kill()
    run.wait()
    other = terminal.start("run", terminal.write_spec("two", options="--epochs 1", **fields))

    def is_waiting() -> bool:
        path = terminal.directory / ".hpt/two/journal.sqlite"
        warnings = terminal.json("show", "two")["warnings"] if path.exists() else []
        return [each["slug"] for each in warnings] == ["resources-claimed"]

    wait_until(is_waiting, "the warning")
    assert f": core{'s' if CORES > 1 else ''} 0" in terminal.hpt("show", "two")
    assert terminal.json("jobs", "two")[0]["training_start_time"] is None
    found = terminal.hpt("doctor", code=1)  # no tuner is in charge of the job
    assert re.search("^claims +cores? 0.*: one$", found, re.MULTILINE)
    (terminal.directory / "go").touch()
    assert other.wait(60) == 0
    terminal.hpt("resume", "one")
    assert terminal.json("jobs", "one")[0]["attempts"] == 1


def test_a_tuner_inside_a_training_job_is_not_kept_waiting_by_it(terminal: Terminal) -> None:
    inner = terminal.write_spec("inner", resources={"cpus": 1}, options="--epochs 1", max_jobs=2)
    command = f"{HPT} run {inner} --quiet; echo loss=1"
    fields: dict[str, Any] = {"resources": {"cpus": CORES}, "shell": True, "max_jobs": 1}
    terminal.hpt("run", terminal.write_spec("outer", command=command, **fields))
    assert terminal.json("show", "inner")["tuning_job_status"] == "Completed"


def test_what_a_job_is_to_leave_running_holds_nothing(terminal: Terminal) -> None:
    fields: dict[str, Any] = {"resources": {"cpus": CORES}, "max_jobs": 1}
    command = ["sh", "-c", "sleep 60 & echo loss=1", "{x}"]
    terminal.hpt("run", terminal.write_spec("one", command=command, children="keep", **fields))
    terminal.hpt("run", terminal.write_spec("two", options="--epochs 1", **fields))
    assert terminal.json("show", "two")["warnings"] == []
    assert [each.name() for each in terminal.find_processes()].count("sleep") == 1
