"""One tuning job in a directory of its own, to which the reliability scripts do harm."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import yaml

HPT = str(Path(sys.executable).parent / "hpt")
TRAIN = Path(__file__).parent / "faults_train.py"
SHIM = Path(__file__).parent / "faults_shim.c"
JOBS, PARALLEL, EPOCHS = 6, 3, 4
PATIENCE = 180.0
"""How long a tuner may take to end, in seconds."""


class SkippedError(Exception):
    """Raised by a fault that cannot be done here, with the reason."""


def check(truth: object, what: str) -> None:
    """Raise AssertionError if something was lost."""
    if not truth:
        raise AssertionError(what)


@dataclass
class Ground:
    """One tuning job in a directory of its own, and what is done to it."""

    root: Path
    rng: random.Random
    home: Path = field(init=False)
    environment: dict[str, str] = field(init=False)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.home = self.root / "home"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HPT_")}
        self.write_spec()

    @property
    def directory(self) -> Path:
        """The tuning job's directory."""
        return self.home / "t"

    @property
    def journal(self) -> Path:
        """The tuning job's journal."""
        return self.directory / "journal.sqlite"

    def write_spec(self, **changes: Any) -> None:
        """Write the spec that every trial runs, with changed fields."""
        words = "SIGKILL|SIGTERM|WorkerDied|MemoryError|No space left|Too many open files|Error 24"
        fields: dict[str, Any] = {
            "name": "t",
            "command": f"{sys.executable} -I -S {TRAIN} {{args}}",
            "hyperparameter_ranges": {
                "x": {"type": "Continuous", "min_value": 0.001, "max_value": 10}
            },
            "static_hyperparameters": {"epochs": EPOCHS, "seconds": 0.1},
            "metric_definitions": [{"name": "loss", "regex": "epoch={step} loss=({num})"}],
            "objective_metric_name": "loss",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": JOBS,
            "max_parallel_jobs": PARALLEL,
            "stop_grace_seconds": 1,
            "retry": {"max_attempts": 50, "when": [words]},
        }
        (self.root / "t.yaml").write_text(yaml.safe_dump(fields | changes))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start hpt; its output is kept."""
        output = self.root / f"said-{len(self.said):03d}"
        self.said.append(str(output))
        with open(output, "wb") as file:
            return subprocess.Popen(
                [HPT, *arguments, "--home", str(self.home)],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def run(self) -> subprocess.Popen[bytes]:
        """Start the tuning job."""
        return self.start("run", "t.yaml", "--plain")

    def go_on(self) -> subprocess.Popen[bytes]:
        """Resume the tuning job; or run it, if it has no journal yet."""
        return self.start("resume", "t", "--plain") if self.journal.exists() else self.run()

    def finish(self) -> None:
        """Resume the tuning job until it is Completed."""
        process = self.go_on()
        check(process.wait(PATIENCE) == 0, f"resume failed: {self.read_said()[-1][-800:]}")

    def read_said(self) -> list[str]:
        """Return the output of each hpt."""
        return [Path(path).read_text(errors="replace") for path in self.said]

    def pause(self, longest: float = 1.5) -> None:
        """Wait for a random moment."""
        time.sleep(self.rng.uniform(0.0, longest))

    def await_moment(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a random moment of a tuner: one in four while it starts, else while it tunes."""
        if self.rng.random() >= 0.25:
            while process.poll() is None and not self.is_at_work(process):
                time.sleep(0.02)
        self.pause()

    def is_at_work(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether a tuner holds the lock."""
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads((self.directory / "lock").read_text())["pid"] == process.pid)
        return False

    def read_rows(self) -> list[dict[str, Any]]:
        """Return the rows of `hpt jobs`, with curves."""
        command = [HPT, "jobs", "t", "--json", "--curves", "--home", str(self.home)]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"hpt jobs failed: {done.stderr[-500:]}")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def find_processes(self, role: str = "") -> list[psutil.Process]:
        """Return the processes of its training jobs: all, or all launchers, leaders or children."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("HPT_JOB_DIR", "").startswith(str(self.home)):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    if not role or find_role(process) == role:
                        found.append(process)
        return found

    def kill_all(self, tuner: subprocess.Popen[bytes]) -> None:
        """Kill a tuner and all its training jobs, and wait until they are gone."""
        for victim in (psutil.Process(tuner.pid), *self.find_processes()):
            with contextlib.suppress(psutil.Error):
                victim.kill()
        tuner.wait()
        while self.find_processes():
            time.sleep(0.02)

    def give_pids_to(self, pid: int) -> None:
        """Record the pid and the start time of a process as those of every launcher."""
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        identity = f"the-first-boot:{ticks}"
        for path in self.directory.glob("jobs/*/a*/launcher"):
            path.write_text(f"{pid} {identity}")
        with contextlib.closing(sqlite3.connect(self.journal)) as connection, connection:
            connection.execute(
                "UPDATE event SET body = json_set(body, '$.handle.pid', ?, '$.handle.identity', ?)"
                " WHERE type = 'JobLaunched'",
                (pid, identity),
            )

    def verify(self, expected: list[Any]) -> None:
        """Raise AssertionError if anything differs from an undisturbed run."""
        rows = self.read_rows()
        statuses = {row["training_job_number"]: row["training_job_status"] for row in rows}
        check(set(statuses.values()) == {"Completed"}, f"statuses {statuses}")
        check(list_results(rows) == expected, f"not the undisturbed run: {list_results(rows)}")
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            twice = connection.execute(
                "SELECT job, json_extract(body, '$.attempt'), count(*) FROM event"
                " WHERE type IN ('JobExited', 'JobLost') GROUP BY 1, 2 HAVING count(*) > 1"
            ).fetchall()
        check(not twice, f"counted twice: {twice}")
        for text in self.read_said():
            check("Traceback (most recent" not in text.split("--- log")[0], text[-800:])
            check("hpt has a bug" not in text, text[-800:])


def find_role(process: psutil.Process) -> str:
    """Return what a process is in a training job."""
    if any(Path(word).name.startswith("launcher.") for word in process.cmdline()):
        return "launcher"
    return "leader" if str(TRAIN) in process.cmdline() else "child"


def list_results(rows: list[dict[str, Any]]) -> list[Any]:
    """Return what must be the same: numbers, hyperparameters and curves."""
    return [(row["training_job_number"], row["hyperparameters"], row["curve"]) for row in rows]


@cache
def work_directory() -> Path:
    """Return the directory of all trials."""
    return Path(tempfile.mkdtemp(prefix="hpt-faults-"))


@cache
def build_shim() -> str:
    """Compile the library that LD_PRELOAD loads, and return its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        raise SkippedError("needs Linux and a C compiler")
    target = str(work_directory() / "shim.so")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", target, str(SHIM), "-ldl"], check=True
    )
    return target


def load_shim(ground: Ground, **variables: str) -> None:
    """Load the shim into every hpt that is started from now on, with these variables."""
    more = {"LD_PRELOAD": build_shim(), "FAULT_HOME": str(ground.home), **variables}
    ground.environment = {
        k: v for k, v in ground.environment.items() if not k.startswith("FAULT_")
    } | more


@contextlib.contextmanager
def mount(ground: Ground, options: str) -> Iterator[None]:
    """Put the home on a file system of its own."""
    if os.geteuid() != 0:
        raise SkippedError("needs root, to mount a file system")
    ground.home.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(ground.home)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise SkippedError("a file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(ground.home)], check=True)
